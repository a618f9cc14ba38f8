"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line.

The room is lazy: a name is imported when it is first used, so that the start of a command loads little. The names are
listed in `__init__.pyi`, which type checkers read too.
"""

from seedbed._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
