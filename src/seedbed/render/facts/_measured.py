"""Every metric of a record by its dotted path: a score, a list of numbers, or what else the record holds there."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan

from pydantic import JsonValue

from seedbed.records.canonical import read_number
from seedbed.render.facts._scores import Score, score_of

__all__ = ["Measured", "measured"]


@dataclass(frozen=True)
class Measured:
    """One metric. Of `score`, `numbers` and `other`, one is given; `other` is any JSON value that is neither.

    `numbers` are the finite ones of a list, and `num_not_finite` says how many more it has. `ends` are its first and
    last number, finite or not.
    """

    path: str
    score: Score | None = None
    numbers: tuple[float, ...] = ()
    other: JsonValue = None
    num_not_finite: int = 0
    ends: tuple[float, float] = (nan, nan)


def measured(metrics: JsonValue, path: str = "") -> Iterator[Measured]:
    """Everything in nested `metrics`, in the order of names: each leaf is in exactly one item, and none is left out."""
    if score := score_of(metrics):
        yield Measured(path, score)
        if isinstance(metrics, dict):
            yield from _each({name: metrics[name] for name in sorted(metrics) if name not in _told(score)}, path)
    elif isinstance(metrics, dict) and metrics:
        yield from _each({name: metrics[name] for name in sorted(metrics)}, path)
    elif isinstance(metrics, list) and (numbers := tuple(filter(isfinite, found := _numbers(metrics)))):
        yield Measured(path, numbers=numbers, num_not_finite=len(found) - len(numbers), ends=(found[0], found[-1]))
    elif isinstance(metrics, list) and any(isinstance(item, dict | list) for item in metrics):
        yield from _each({str(place): item for place, item in enumerate(metrics)}, path)
    elif path or metrics:
        yield Measured(path, other=metrics)


def _numbers(metrics: list[JsonValue]) -> list[float]:
    """The numbers of a list that holds numbers alone, finite or not; nothing of any other."""
    read = list(map(read_number, metrics))
    found = [number for number in read if number is not None]
    return found if len(found) == len(read) else []


def _each(items: dict[str, JsonValue], above: str) -> Iterator[Measured]:
    for name, item in items.items():
        yield from measured(item, f"{above}.{name}" if above else name)


def _told(score: Score) -> frozenset[str]:
    """The names in a mapping that `score` was read from, and that say nothing more."""
    found = score.interval
    more = () if found is None else (name for name in ("n", "confidence") if getattr(found, name) is not None)
    return frozenset({"value", "low", "high", *more})
