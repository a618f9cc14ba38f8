"""What a table of JSON lines hides: a key that stands twice, and a number that is no float."""

import json
from collections.abc import Iterator, Sequence

__all__ = ["mixed_key", "number_texts", "repeated_key"]


def repeated_key(content: bytes, keys: Sequence[str]) -> tuple[int, str] | None:
    """The first line, from 1, in which one of these keys stands twice, and the key; None if there is none."""
    num_lines = sum(1 for _ in _filled(content))
    odd = [key for key in keys if content.count(json.dumps(key, ensure_ascii=False).encode()) != num_lines]
    for number, line in _filled(content) if odd else ():
        found = [key for key, _ in json.loads(line, object_pairs_hook=list)]
        if again := next((key for key in odd if found.count(key) > 1), None):
            return number, again
    return None


def mixed_key(content: bytes) -> tuple[int, str] | None:
    """The first line, from 1, in which a key has a truth value where it had a number before, or the reverse."""
    kinds: dict[str, bool] = {}
    for number, line in _filled(content):
        for key, value in json.loads(line).items():
            if isinstance(value, int | float) and kinds.setdefault(key, isinstance(value, bool)) != isinstance(
                value, bool
            ):
                return number, key
    return None


def number_texts(content: bytes, key: str) -> list[str | None]:
    """The value of this key in each line as it is written there, so that no digit of a number is lost."""
    values = [json.loads(line, parse_float=str, parse_int=str).get(key) for _, line in _filled(content)]
    return [None if value is None else str(value) for value in values]


def _filled(content: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip())
