"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line."""

__all__: list[str] = []
