"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step.

What a name needs is imported when the name is first used, so that guards and proposers do not wait for torch. The names
stand in `__init__.pyi`, once, where type checkers read them too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
