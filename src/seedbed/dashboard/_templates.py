"""The templates of all pages and drawings, and the filters that they use."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from seedbed.dashboard._words import FILTERS

__all__ = ["environment"]

# Characters that HTML and XML forbid, and those that UTF-8 cannot hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@cache
def environment() -> Environment:
    """The Jinja environment: values are escaped, and a name without a value is an error."""
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
    # Markup from a macro is a subclass of str that is not escaped again: keep that class.
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        return type(value)(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value))
    return value
