"""The spellings of a metric: `metrics.test.loss`, `test.loss`, and the pointers `/test/loss` and `/metrics/test/loss`.

Queries and options write the first, tables the second, differences the pointers. All mean the same number.
"""

import difflib
from collections.abc import Collection

from seedbed.errors import NotFound

__all__ = ["dotted", "enumerated", "metric_name", "near_names", "nearest", "require_metric"]

_MOST_NAMED = 40


def dotted(pointer: str) -> str:
    """A JSON pointer (RFC 6901) as a dotted name: `/test/loss` as test.loss; any other text as it is."""
    if not pointer.startswith("/"):
        return pointer
    return pointer[1:].replace("/", ".").replace("~1", "/").replace("~0", "~")


def metric_name(text: str) -> str:
    """The name of a metric in queries, such as metrics.test.loss, from any of its spellings."""
    return f"metrics.{dotted(text).removeprefix('metrics.')}"


def require_metric(text: str, known: Collection[str], where: str) -> str:
    """The one of `known` that `text` spells. Raises NotFound, which says what of `where` may have been meant."""
    name = metric_name(text)
    if name in known:
        return name
    near = f"did you mean {' or '.join(found)}? " if (found := near_names(name, known)) else ""
    raise NotFound(f"{where} has no number {text!r}; {near}there are {enumerated(known) or 'none'}")


def near_names(name: str, known: Collection[str]) -> list[str]:
    """Those of `known` that end in `name`, or else are spelled alike; the first part of a name is no likeness."""
    _, _, below = name.partition(".")
    by_rest = {each.partition(".")[2]: each for each in known}
    ends = [each for each in known if each.endswith(f".{below}")]
    return ends or [by_rest[rest] for rest in difflib.get_close_matches(below, by_rest, n=3)]


def nearest(name: str, known: Collection[str]) -> str:
    """What may have been meant by `name`: those that end so, those spelled alike, or else all."""
    near = near_names(name, known)
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    return f"there are {enumerated(known)}" if known else "there is none"


def enumerated(known: Collection[str]) -> str:
    """The names in words: without the parts of intervals, which are shown by their values, and not without end."""
    whole = [name for name in known if name.rpartition(".")[0] not in known]
    more = f" and {len(whole) - _MOST_NAMED} more" if len(whole) > _MOST_NAMED else ""
    return ", ".join(whole[:_MOST_NAMED]) + more
