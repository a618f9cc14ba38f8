"""The templates of pages and drawings of this room."""

from jinja2 import Environment

from seedbed.render.html import _templates

__all__ = ["environment"]


def environment() -> Environment:
    """The Jinja environment with the templates of this room, and those of `render`."""
    return _templates.environment("seedbed.dashboard")
