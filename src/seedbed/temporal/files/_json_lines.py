"""What a table of JSON lines hides: a key that stands twice, a number that is no float, values of another kind."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from math import isfinite
from typing import Any

__all__ = ["deep_line", "fraction_line", "number_texts", "repeated_key", "why_mixed", "why_no_lines"]

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    dict: "an object",
    list: "a list",
}
_DEEPEST, _LONGEST_SHOWN = 100, 20
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ESCAPED_KEY = re.compile(rb'\\.[^"\\]*"\s*:')
_CELLS = frozenset({"a number", "a text"})  # a number may be written as a text, or be missing by a word


def repeated_key(content: bytes, keys: Sequence[str] | None) -> tuple[int, str] | None:
    """The first line, from 1, in which one of these keys (any, if None) stands twice, and the key; None without one."""
    for number, line in _filled(content) if keys is None else _doubted(content, keys):
        found = [key for key, _ in json.loads(line, object_pairs_hook=list)]
        again = len({*found}) < len(found) and [key for key in keys or found if found.count(key) > 1]
        if again:
            return number, again[0]
    return None


def _doubted(content: bytes, keys: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """The lines in which one of these keys may stand twice, by a quick look."""
    lines, written = content.split(b"\n"), [_written(key) for key in keys]
    doubted = {place for key in written for place, line in enumerate(lines) if line.count(key) > 1}
    if _has_escaped_key(content):
        doubted |= {place for place, line in enumerate(lines) if b"\\" in line}
    return ((place + 1, lines[place]) for place in sorted(doubted))


def deep_line(content: bytes) -> int | None:
    """The first line, from 1, that is nested deeper than 100 levels, on which a reader may crash; None without one."""
    for number, line in _filled(content):
        if line.count(b"{") + line.count(b"[") > _DEEPEST:
            opened = (1 if mark in b"{[" else -1 for mark in _TEXT.sub(b"", line) if mark in b"{[]}")
            if max(accumulate(opened), default=0) > _DEEPEST:
                return number
    return None


def why_no_lines(content: bytes) -> str | None:
    """The first line that is no JSON object, and what helps; None where there is none."""
    odd: list[str] = []

    def number_of(text: str) -> float:
        value = float(text)
        odd.extend([] if isfinite(value) else [text])
        return value

    read = partial(json.loads, parse_int=number_of, parse_float=number_of, parse_constant=number_of)
    for number, line in _filled(content):
        try:
            found = read(line, object_pairs_hook=list) if line.lstrip().startswith(b"{") else None
        except ValueError:
            found = None
        if found is None:
            return f"line {number}: expected one JSON object; fix or remove the line"
        if odd:
            key = next(key for key, value in found if not _is_json(value))
            return f"line {number}: {key!r} holds {_why_odd(odd[0])}"
    return None


def _why_odd(number: str) -> str:
    if not number[-1].isdecimal():
        return f"{number}, which JSON does not know; write null"
    shown = number if len(number) <= _LONGEST_SHOWN else f"{number[:_LONGEST_SHOWN]}…, of {len(number)} characters"
    return f"the number {shown}, beyond all floats; write a smaller one, or null"


def why_mixed(content: bytes, keys: Sequence[str] | None = None) -> str | None:
    """The first line in which one of these keys (any, if None) has a value of another kind than before, and what helps.

    Numbers and texts are of one kind.
    """
    kinds: dict[str, tuple[str, int]] = {}
    if keys is not None and not any(_may_hold_no_text(content, key) for key in keys):
        return None
    for number, line in _filled(content):
        found = json.loads(line)
        for key, value in _values(found) if keys is None else ((key, found.get(key)) for key in keys):
            if value is None:
                continue
            kind = _KINDS[type(value)]
            former, first = kinds.setdefault(key, (kind, number))
            if kind != former and not {kind, former} <= _CELLS:
                advice = "write one kind of value, such as 1 and 0 for true and false"
                return f"line {number}: {key!r} is {kind}, and {former} in line {first}; {advice}"
    return None


def fraction_line(content: bytes, key: str) -> int | None:
    """The first line, from 1, in which the value of this key is a number with a fraction; None if there is none."""
    if not _may_hold_no_text(content, key):
        return None
    values = ((number, json.loads(line).get(key)) for number, line in _filled(content))
    return next((number for number, value in values if isinstance(value, float)), None)


def number_texts(content: bytes, key: str) -> list[str | None]:
    """The value of this key in each line as it is written there, so that no digit of a number is lost."""
    values = [json.loads(line, parse_float=str, parse_int=str).get(key) for _, line in _filled(content)]
    return [None if value is None else str(value) for value in values]


def _has_escaped_key(content: bytes) -> bool:
    """Whether some key may be spelled with an escape, as \\u0074 for t, by a quick look."""
    return _ESCAPED_KEY.search(content) is not None


def _may_hold_no_text(content: bytes, key: str) -> bool:
    """Whether some value of this key may be none in quotes, by a quick look."""
    value = re.compile(re.escape(_written(key)) + rb'\s*:\s*[^"n\s]')
    return _has_escaped_key(content) or value.search(content) is not None


def _written(key: str) -> bytes:
    """A key as JSON writes it with as few escapes as can be."""
    return json.dumps(key, ensure_ascii=False).encode()


def _values(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each key with its value, and those of the objects in it with dots between."""
    values = list(found.items())
    for key, value in values:  # the list grows during the loop, which no depth of objects can break
        yield key, value
        if isinstance(value, dict):
            values += ((f"{key}.{inner}", each) for inner, each in value.items())


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _filled(content: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip())
