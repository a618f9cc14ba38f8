"""Records, changes and verdicts as text, HTML and SVG; for the loop, the dashboard and the command line."""

from .html._fragments import (
    RunFacts,
    changes_html,
    commit_html,
    diff_html,
    run_html,
    settings_html,
    steps_svg,
    verdict_html,
)
from .html._notebook import show_in_notebook
from .html._stored import stored_facts
from .text._live_line import LiveFacts, LiveLine
from .text._settings_text import settings_lines, settings_text
from .text._summary import summary_lines, summary_text

__all__ = [
    "LiveFacts",
    "LiveLine",
    "RunFacts",
    "changes_html",
    "commit_html",
    "diff_html",
    "run_html",
    "settings_html",
    "settings_lines",
    "settings_text",
    "show_in_notebook",
    "steps_svg",
    "stored_facts",
    "summary_lines",
    "summary_text",
    "verdict_html",
]
