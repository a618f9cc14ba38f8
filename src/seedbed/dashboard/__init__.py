"""Dashboard: recorded runs and soaks as pages and drawings that open without a server or a network."""

from seedbed.dashboard._report import render_report, write_report
from seedbed.dashboard._soak import render_soak
from seedbed.dashboard._soak_drawing import soak_drawing
from seedbed.dashboard._trend import render_trend

__all__ = ["render_report", "render_soak", "render_trend", "soak_drawing", "write_report"]
