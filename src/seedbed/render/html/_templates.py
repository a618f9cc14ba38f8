"""The templates of pages, fragments and drawings, and the filters that they use."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from seedbed.render.facts._results import label
from seedbed.render.facts._words import as_text, day, flat, number, percent, quantity, signed, yes_no
from seedbed.render.svg._curve import small_curve

__all__ = ["environment"]

_ROOM = "seedbed.render.html"
_FILTERS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        filter_.__name__: filter_
        for filter_ in (as_text, day, flat, label, number, percent, quantity, signed, small_curve, yes_no)
    }
)
# Characters that HTML and XML forbid, and those that UTF-8 cannot hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@cache
def environment(*rooms: str) -> Environment:
    """The Jinja environment with the templates of this room and of `rooms`, whose names are those of packages.

    Values are escaped, and a name without a value is an error.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room) for room in (_ROOM, *rooms)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters.update(_FILTERS)
    return environment


def _printable(value: object) -> object:
    # Markup from a macro is a subclass of str that is not escaped again: keep that class.
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        return type(value)(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value))
    return value
