"""What a run logged while it trained, as series of points by optimizer step."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from seedbed.records import Event, Snapshot

__all__ = ["History", "Points", "history_of", "thinned", "trailing_mean"]

Points = tuple[tuple[float, float], ...]

_WINDOWS = 40


@dataclass(frozen=True)
class History:
    """Three series of (step, finite value), the losses by epoch, and the steps of the values that are not finite."""

    loss: Points
    validation_ap: Points
    learning_rate: Points
    epoch_losses: tuple[float, ...]
    not_finite: dict[str, tuple[int, ...]]

    @property
    def window(self) -> int:
        """How many steps the smoothed loss is the mean of."""
        return max(1, round(len(self.loss) / _WINDOWS))

    def __bool__(self) -> bool:
        return bool(self.loss or self.validation_ap or self.learning_rate or self.not_finite)


def history_of(snapshot: Snapshot, events: Sequence[Event]) -> History:
    """The series of `events`. Validation is taken from the record, or from the events where the record has none."""
    logged = {name: _series(events, name) for name in ("loss", "validation_ap", "learning_rate")}
    logged["validation_ap"] = _recorded_validation(snapshot) or logged["validation_ap"]
    bad = {
        name: tuple(int(step) for step, value in series if not math.isfinite(value)) for name, series in logged.items()
    }
    loss, validation_ap, learning_rate = (
        tuple(point for point in series if math.isfinite(point[1])) for series in logged.values()
    )
    train = snapshot.metrics.get("train")
    losses = _numbers(train.get("loss")) if isinstance(train, dict) else ()
    return History(
        loss,
        validation_ap,
        learning_rate,
        losses,
        {name.replace("_", " "): steps for name, steps in bad.items() if steps},
    )


def trailing_mean(points: Points, window: int) -> Points:
    """The mean of each value and the `window - 1` values before it; later values are never part of it."""
    recent: deque[float] = deque(maxlen=window)
    means = []
    for step, value in points:
        recent.append(value)
        means.append((step, math.fsum(recent) / len(recent)))
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


def _series(events: Sequence[Event], name: str) -> Points:
    kept: dict[int, Event] = {}
    for event in events:
        if name in event.values and (event.step not in kept or event.attempt >= kept[event.step].attempt):
            kept[event.step] = event
    return tuple((step, kept[step].values[name]) for step in sorted(kept))


def _recorded_validation(snapshot: Snapshot) -> Points:
    found = snapshot.metrics.get("validation")
    if not isinstance(found, dict):
        return ()
    steps, values = _numbers(found.get("step")), _numbers(found.get("ap"))
    return tuple(sorted(zip(steps, values, strict=True))) if len(steps) == len(values) else ()


def _numbers(value: JsonValue) -> tuple[float, ...]:
    if not isinstance(value, list):
        return ()
    found = tuple(item for item in value if isinstance(item, int | float) and not isinstance(item, bool))
    return found if len(found) == len(value) else ()
