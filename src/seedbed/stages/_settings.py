"""The settings of a configuration by their names, and in words where two configurations differ."""

import json
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import reduce
from itertools import zip_longest
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from seedbed.gate import Check

__all__ = ["differences", "settings"]


def settings(config: BaseModel, *, stated: bool, section: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting as name and value (`training.epochs`, 2): all of them, or only those that were `stated`."""
    for name in sorted(config.model_fields_set if stated else type(config).model_fields):
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from settings(value, stated=stated, section=f"{section}{name}.")
        else:
            yield f"{section}{name}", value


def differences(begun: BaseModel, others: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Those of the `others` that `begun` has otherwise, by name: `training.epochs was 2, not 3`."""
    found = {name: (reduce(getattr, name.split("."), begun), value) for name, value in others}
    return {name: _told(name, was, value) for name, (was, value) in found.items() if was != value}


def _told(name: str, was: Any, value: Any) -> str:
    if name == "gate":
        pairs = enumerate(zip_longest(was, value), start=1)
        return "; ".join(_check(number, *pair) for number, pair in pairs if pair[0] != pair[1])
    return f"{name} was {_shown(was)}, not {_shown(value)}"


def _check(number: int, was: Check | None, now: Check | None) -> str:
    if was is None or now is None:
        told = "is new" if was is None else "is missing now"
        return f"gate check {number} `{_text(was or now)}` {told}"
    if (was.subject, was.expected) == (now.subject, now.expected):
        others = differences(was, settings(now, stated=False))
        return f"gate check {number} `{_text(was)}`: {', '.join(others.values())}"
    short = now.expected if was.subject == now.subject else _text(now)
    return f"gate check {number} was `{_text(was)}`, not `{short}`"


def _text(check: Check | None) -> str:
    return "" if check is None else f"{check.subject} {check.expected}"


def _shown(value: Any) -> str:
    """The value as a configuration file writes it."""
    if isinstance(value, Enum):
        return str(value.value).lower()
    return value if isinstance(value, str) else json.dumps(to_jsonable_python(value), ensure_ascii=False)
