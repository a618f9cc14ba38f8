"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line."""

from .text._live_line import LiveFacts, LiveLine
from .text._summary import summary_lines, summary_text

__all__ = ["LiveFacts", "LiveLine", "summary_lines", "summary_text"]
