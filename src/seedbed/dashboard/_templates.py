"""The templates of all pages and drawings, and what they may use."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from seedbed.dashboard._words import FILTERS

__all__ = ["environment"]

# What neither HTML nor XML may hold, and what could not be written as UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@cache
def environment() -> Environment:
    """Where templates are loaded from; what they are given is escaped, and a name that they were not is an error."""
    environment = Environment(
        loader=PackageLoader("seedbed.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters.update(FILTERS)
    return environment


def _printable(value: object) -> object:
    # Markup that a macro made is a str too, and must stay the kind of str that is not escaped again.
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        return type(value)(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value))
    return value
