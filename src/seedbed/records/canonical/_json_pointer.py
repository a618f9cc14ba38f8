"""Differences between two JSON values, with JSON Pointers (RFC 6901) and patch operations (RFC 6902)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from seedbed.records.canonical._canonical import Json, escape

__all__ = ["Difference", "differences", "is_under", "leaves", "unescaped", "without"]


class Difference(NamedTuple):
    """One place where two JSON values differ; the value of a missing side is None, and `op` says which is missing."""

    pointer: str
    op: Literal["add", "remove", "replace"]
    previous: Json
    current: Json

    def operation(self) -> dict[str, Json]:
        """The RFC 6902 operation that turns the previous value into the current one here."""
        value: dict[str, Json] = {} if self.op == "remove" else {"value": self.current}
        return {"op": self.op, "path": self.pointer, **value}


def differences(previous: Json, current: Json, pointer: str = "") -> Iterator[Difference]:
    """Every place where `current` differs from `previous`, in key order; a changed array is one difference."""
    if not (isinstance(previous, dict) and isinstance(current, dict)):
        if not _same(previous, current):
            yield Difference(pointer, "replace", previous, current)
        return
    for key in sorted(previous if previous.keys() == current.keys() else previous.keys() | current.keys()):
        if key not in current:
            yield Difference(f"{pointer}/{escape(key)}", "remove", previous[key], None)
        elif key not in previous:
            yield Difference(f"{pointer}/{escape(key)}", "add", None, current[key])
        else:
            before, after = previous[key], current[key]
            if type(before) is dict and type(after) is dict:
                yield from differences(before, after, f"{pointer}/{escape(key)}")
            # Most values are equal scalars, and comparing them so costs least.
            elif (before != after or type(before) is not type(after) or isinstance(before, dict | list)) and (
                not _same(before, after)
            ):
                yield Difference(f"{pointer}/{escape(key)}", "replace", before, after)


def leaves(value: Json, pointer: str = "") -> Iterator[tuple[str, Json]]:
    """Every value of nested objects that is not an object itself, with its pointer, in key order."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key], f"{pointer}/{escape(key)}")
    else:
        yield pointer, value


def is_under(pointer: str, places: Iterable[str]) -> bool:
    """Whether `pointer` is one of `places` or leads to something in one."""
    return any(pointer == place or pointer.startswith(f"{place}/") for place in places)


def unescaped(token: str) -> str:
    """The key that `token` of a JSON Pointer stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def without(value: Json, pointers: Sequence[str]) -> Json:
    """`value` without the members at `pointers`, in a copy; a pointer that leads nowhere changes nothing."""
    return value if not pointers else _without(value, frozenset(pointers), "")


def _without(value: Json, pointers: frozenset[str], at: str) -> Json:
    if not isinstance(value, dict):
        return value
    places = {key: f"{at}/{escape(key)}" for key in value}
    return {key: _without(item, pointers, places[key]) for key, item in value.items() if places[key] not in pointers}


def _same(previous: Json, current: Json) -> bool:
    # In Python True equals 1; in JSON it does not.
    if isinstance(previous, list) and isinstance(current, list):
        return len(previous) == len(current) and all(map(_same, previous, current))
    if isinstance(previous, dict) and isinstance(current, dict):
        return previous.keys() == current.keys() and all(_same(previous[key], current[key]) for key in previous)
    return isinstance(previous, bool) == isinstance(current, bool) and previous == current
