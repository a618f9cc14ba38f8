"""The door: `seedbed.start` around any PyTorch loop.

The room is lazy: what it offers is imported when it is first used. The names are listed in `__init__.pyi`, which type
checkers read too.
"""

from seedbed._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
