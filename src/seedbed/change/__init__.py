"""Change: a setting changes only through guards, is read back from the live object, and is proven by the next step.

The room is lazy: a name is imported when it is first used, so that guards and proposers work without importing torch.
The names are listed in `__init__.pyi`, which type checkers read too.
"""

from seedbed._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
