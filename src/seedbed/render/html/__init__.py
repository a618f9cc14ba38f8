"""Records, changes and verdicts as fragments of HTML, and the templates of all pages."""

__all__ = []
