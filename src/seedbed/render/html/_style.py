"""The style of fragments: no rule of theirs reaches the page around them, and few of that page reach them."""

import re
from functools import cache

from markupsafe import Markup

from seedbed.render.html._templates import environment

__all__ = ["fragment_style"]

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif'
_ROOT = f"""
.seedbed {{ background: var(--paper); color: var(--ink); font: 14px/1.45 {_FONT}; font-variant-numeric: tabular-nums; }}
div.seedbed {{ padding: .8em 1em; border-radius: 6px; max-width: 60rem; overflow-x: auto; }}
.seedbed .paper {{ fill: var(--paper); }}
"""


@cache
def fragment_style() -> Markup:
    """All rules that a fragment needs, each of which begins with `.seedbed`."""
    palette, figures, fragment = (
        environment().get_template(f"{name}.css").render() for name in ("palette", "figures", "fragment")
    )
    return Markup(palette + _ROOT + scoped(figures, ".seedbed") + scoped(fragment, ".seedbed"))  # noqa: S704  our own


def scoped(rules: str, root: str) -> str:
    """`rules`, which hold no at-rule, with `root` before each selector."""
    return "\n".join(
        f"{', '.join(f'{root} {selector.strip()}' for selector in selectors.split(','))} {{{body}}}"
        for selectors, body in _RULE.findall(rules)
    )
