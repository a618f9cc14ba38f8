"""Dashboard: what the store holds, as pages that open without a server or a network."""

from seedbed.dashboard._report import render_report

__all__ = ["render_report"]
