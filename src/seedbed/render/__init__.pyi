"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line."""

from .text._live_line import LiveFacts, LiveLine

__all__ = ["LiveFacts", "LiveLine"]
