"""Commits, diffs, changes and verdicts as a notebook shows them, where the code runs in one."""

import sys

__all__ = ["show_in_notebook"]


def show_in_notebook() -> bool:
    """Teach the running IPython how our values look; returns whether there is one. Nothing is imported for it.

    The types are those of rooms that know nothing of pages, so they have no `_repr_html_` of their own. A second call
    changes nothing.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return False
    from seedbed.render.html._pages import PAGES

    formatter = shell.display_formatter.formatters["text/html"]
    for kind, page in PAGES.items():
        formatter.for_type(kind, page)
    return True
