"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line.

The room is lazy: a name is imported when it is first used, so that the start of a command loads little. The names are
listed in `__init__.pyi`, which type checkers read too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
