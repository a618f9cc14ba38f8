"""Integrations: training loops of other libraries, other trackers, and runs that are imported and exported.

The room is lazy: a name is imported when it is first used, so that each needs its own library alone. The names are
listed in `__init__.pyi`, which type checkers read too.
"""

from seedbed._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
