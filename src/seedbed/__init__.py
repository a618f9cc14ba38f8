"""Seedbed trains PyTorch models that change while they train, and proves every change.

The door is lazy: `import seedbed` does not import torch, `seedbed.start` does. The names are listed in `__init__.pyi`,
which type checkers read too.
"""

from seedbed._lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(__name__, __file__)
