"""Where one epoch of a run ends and the next one begins, as far as its record says."""

import math
from collections.abc import Sequence
from itertools import pairwise

from pydantic import JsonValue

from seedbed.records import Snapshot
from seedbed.render.facts._history import StepSeries

__all__ = ["epoch_ends"]

_LENGTH, _EPOCH = "steps_per_epoch", "epoch"


def epoch_ends(snapshot: Snapshot, history: Sequence[StepSeries]) -> tuple[int, ...]:
    """The last step of each epoch but the last one; none where the record does not say how long an epoch is.

    A record says it by a step metric `epoch`, by a number called `steps_per_epoch` among its inputs, or by
    `training.batch_size` and `training.epochs` in its configuration: then they and `n_effective` of its metadata must
    give the last step that was logged, so that no other run is cut into epochs by chance.
    """
    logged = next((series for series in history if series.name == _EPOCH), None)
    if logged is not None:
        return tuple(int(before[0]) for before, after in pairwise(logged.points) if after[1] // 1 > before[1] // 1)
    last = int(max((series.points[-1][0] for series in history if series.points), default=0))
    length = _stated(snapshot) or _from_batches(snapshot, last)
    return tuple(range(length, last, length)) if length else ()


def _stated(snapshot: Snapshot) -> int:
    places = (snapshot.inputs, snapshot.process, snapshot.outputs, snapshot.factors, snapshot.config)
    return next((found for place in places if (found := _named(place))), 0)


def _named(value: JsonValue) -> int:
    if not isinstance(value, dict):
        return 0
    return _count(value.get(_LENGTH)) or next((found for item in value.values() if (found := _named(item))), 0)


def _from_batches(snapshot: Snapshot, last: int) -> int:
    training = snapshot.config.get("training")
    if not isinstance(training, dict):
        return 0
    events, batch, epochs = map(
        _count, (snapshot.metadata.get("n_effective"), training.get("batch_size"), training.get("epochs"))
    )
    length = math.ceil(events / batch) if batch else 0
    return length if length * epochs == last else 0


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
