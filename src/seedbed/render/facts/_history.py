"""What a run logged while it trained, as series of points by optimizer step."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import JsonValue

from seedbed.records import Event, Snapshot
from seedbed.records.canonical import read_number, spelled
from seedbed.records.log import better

__all__ = ["Points", "StepSeries", "history_of", "logged_points", "step_series", "thinned", "trailing_mean"]

Points = tuple[tuple[float, float], ...]

_WINDOWS = 40
_FEW = 80  # so many points are each drawn as a dot, and are no noise to be smoothed
_RATES = frozenset({"lr", "learning_rate"})
_STEP = "step"
_WHOLE = 2**1074  # every finite double is a whole multiple of 1 / _WHOLE


@dataclass(frozen=True)
class StepSeries:
    """The finite values of one metric by step, and the steps of the values that are not finite.

    `is_setting` says that the values were set and not measured, as a learning rate is. `ends` are the first and the
    last value, finite or not.
    """

    name: str
    points: Points
    not_finite: tuple[int, ...] = ()
    is_setting: bool = False
    ends: tuple[float, float] = (math.nan, math.nan)

    @property
    def is_dense(self) -> bool:
        """Whether there are too many points for dots, so that a mean over them shows more than they do."""
        return len(self.points) > _FEW and not self.is_setting

    @property
    def window(self) -> int:
        """How many values the smoothed curve is the mean of."""
        return max(1, round(len(self.points) / _WINDOWS))

    @property
    def best(self) -> tuple[float, float] | None:
        """The step and value of the best point; None where the name does not say which values are better."""
        side = better(self.name.replace("/", "."))
        if side is None or not self.points:
            return None
        sign = 1.0 if side == "higher" else -1.0
        return max(self.points, key=lambda point: sign * point[1])


def history_of(snapshot: Snapshot, events: Sequence[Event], settings: Sequence[str] = ()) -> tuple[StepSeries, ...]:
    """Every series of `events` and of the record: losses first, settings last.

    In a record, a list is a series where a list called `step`, which rises and is as long, stands beside it. A logged
    series is left out where the record holds the same points. `settings` are the names of parameters that changed.
    """
    recorded = dict(_recorded(snapshot.metrics, ""))
    logged = logged_points(events)
    held = [(name.replace(".", "_"), _comparable(points)) for name, points in recorded.items()]
    kept = {
        name: points
        for name, points in logged.items()
        if not any(name.replace(".", "_") == other and _comparable(points) <= found for other, found in held)
    }
    return step_series((*kept.items(), *recorded.items()), settings)


def logged_points(events: Sequence[Event]) -> dict[str, Points]:
    """The points of every metric that was logged, by name and step. Where attempts overlap, the last one counts."""
    kept: dict[str, dict[int, Event]] = {}
    for event in events:
        for name in event.values:
            found = kept.setdefault(name, {})
            if event.step not in found or event.attempt >= found[event.step].attempt:
                found[event.step] = event
    return {name: _points(name, kept[name]) for name in sorted(kept)}


def step_series(named: Iterable[tuple[str, Points]], settings: Sequence[str] = ()) -> tuple[StepSeries, ...]:
    """The series of points that rise in their steps, each with its name: losses first, settings last.

    `settings` are the names of parameters that changed. A series without a point is left out.
    """
    rates = _RATES | {part for name in settings for part in (name, name.rpartition(".")[2])}
    found = [_series(name, points, rates) for name, points in named if points]
    return tuple(sorted(found, key=lambda series: (_place(series), series.name)))


def trailing_mean(points: Points, window: int) -> Points:
    """The mean of each finite value and the `window - 1` values before it; later values are never part of it."""
    recent: deque[int] = deque()
    total, means = 0, []
    for step, value in points:  # a running sum of whole numbers is exact, and takes the same time for any window
        recent.append(_whole(value))
        total += recent[-1] - (recent.popleft() if len(recent) > window else 0)
        means.append((step, total / (_WHOLE * len(recent))))
    return tuple(means)


def thinned(points: Points, num_columns: int) -> Points:
    """At most the lowest and the highest point of each of `num_columns` equal spans of steps, and both ends."""
    if len(points) <= 2 * num_columns:
        return points
    first, last = points[0][0], points[-1][0]
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int((point[0] - first) / (last - first) * num_columns), []).append(point)
    kept = {points[0], points[-1]}
    for column in columns.values():
        kept |= {min(column, key=lambda point: point[1]), max(column, key=lambda point: point[1])}
    return tuple(sorted(kept))


def _whole(value: float) -> int:
    """The value times _WHOLE, exactly."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * (_WHOLE // denominator)


def _series(name: str, points: Points, rates: frozenset[str]) -> StepSeries:
    finite = tuple(point for point in points if math.isfinite(point[1]))
    bad = tuple(int(step) for step, value in points if not math.isfinite(value))
    is_setting = name in rates or name.rpartition(".")[2] in rates
    return StepSeries(name, finite, bad, is_setting, (points[0][1], points[-1][1]))


def _place(series: StepSeries) -> int:
    return 2 if series.is_setting else 0 if better(series.name) == "lower" else 1


def _points(name: str, events: Mapping[int, Event]) -> Points:
    return tuple((step, events[step].values[name]) for step in sorted(events))


def _recorded(value: JsonValue, path: str) -> Iterator[tuple[str, Points]]:
    if not isinstance(value, dict):
        return
    steps = _numbers(value.get(_STEP))
    rises = all(map(math.isfinite, steps)) and all(before < after for before, after in pairwise(steps))
    for name in sorted(value):
        below, values = f"{path}.{name}" if path else name, _numbers(value[name])
        if name != _STEP and steps and rises and len(values) == len(steps):
            yield below, tuple(zip(steps, values, strict=True))
        else:
            yield from _recorded(value[name], below)


def _comparable(points: Points) -> set[tuple[float, float | str]]:
    """The points as values that are equal where they are the same, NaN too."""
    return {(step, spelled(value)) for step, value in points}


def _numbers(value: JsonValue) -> tuple[float, ...]:
    """The numbers of a list that holds no other values, with NaN and infinities; nothing of any other."""
    read = list(map(read_number, value)) if isinstance(value, list) else []
    found = tuple(number for number in read if number is not None)
    return found if len(found) == len(read) else ()
