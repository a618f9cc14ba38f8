"""Why two snapshots differ: what forbids comparing them, and what may have moved a metric, the likeliest first.

Likelihood is counted, not guessed: of the earlier differences in which a setting changed, in how many did the metric
move by more than noise? Where several settings changed at once each gets its share of the credit. What history does not
know is filled by a prior for the kind of thing that it is, worth one observation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._json_pointer import Difference, differences
from seedbed.records.compare._comparison import group_differences, input_differences, is_input, reason_of
from seedbed.records.compare._noise import EXCEEDS, WITHIN
from seedbed.records.snapshot._snapshot import Diff, MetricDelta, Snapshot

__all__ = ["Cause", "Explanation", "why"]

# What a change of this kind does to a metric, before any is known of the project's own: the first that fits.
_PRIORS: Sequence[tuple[str, float]] = (
    ("/data_fingerprint", 0.9),
    ("/target", 0.9),
    ("/split_fingerprint", 0.8),
    ("/fingerprints/feature", 0.7),
    ("/model_family", 0.7),
    ("/changes", 0.6),
    ("/runtime", 0.5),
    ("/config/", 0.5),
    ("/fingerprints/code", 0.4),
    ("/factors/seed", 0.3),
    ("/factors/device", 0.2),
    ("/fingerprints/environment", 0.2),
    ("/factors/threads", 0.1),
)
_OTHER = 0.3


@dataclass(frozen=True)
class Cause:
    """A difference that may explain the metric: its `likelihood` from 0 to 1, and in words where that is from."""

    name: str
    previous: Json
    current: Json
    likelihood: float
    evidence: str


@dataclass(frozen=True)
class Explanation:
    """What forbids comparing the two, and what may have moved `metric` by `delta`, the likeliest first."""

    metric: str | None
    delta: MetricDelta | None
    summary: str
    disqualifying: tuple[str, ...]
    causes: tuple[Cause, ...]


def why(
    previous: Snapshot, current: Snapshot, found: Diff, history: Iterable[Diff], metric: str | None = None
) -> Explanation:
    """Explain `found`, the diff of the two; `history` are the diffs of earlier commits, `metric` a JSON Pointer.

    Without a metric, it is the one that moved farthest. Raises InvalidInput for a metric that the two do not share.
    """
    chosen = _metric(found, metric)
    delta = found.metric_deltas[chosen] if chosen else None
    past = [diff for diff in history if chosen in diff.metric_deltas] if chosen else []
    causes = [_cause(difference, past, chosen) for difference in _candidates(previous, current)]
    return Explanation(
        metric=chosen,
        delta=delta,
        summary=_summary(chosen, delta),
        disqualifying=tuple(map(reason_of, group_differences(previous, current))),
        causes=tuple(sorted(causes, key=lambda cause: (-cause.likelihood, cause.name))),
    )


def _metric(found: Diff, metric: str | None) -> str | None:
    deltas = found.metric_deltas
    if metric is not None and metric not in deltas:
        raise InvalidInput(f"the two runs share no metric {metric}; they share {', '.join(sorted(deltas)) or 'none'}")
    moved = [name for name, delta in deltas.items() if delta.absolute]
    return metric or max(moved, key=lambda name: _distance(deltas[name]), default=None)


def _distance(delta: MetricDelta) -> tuple[bool, float, float]:
    return delta.z is not None, abs(delta.z or 0.0), abs(delta.percent or 0.0)


def _summary(metric: str | None, delta: MetricDelta | None) -> str:
    if metric is None or delta is None or not delta.absolute:
        return "no metric moved"
    if delta.noise.startswith(WITHIN):
        return f"{metric} moved by {delta.absolute:+.4g}, {delta.noise}: chance alone does as much"
    beyond = f", {delta.noise}" if delta.noise.startswith(EXCEEDS) else f"; whether by chance is open: {delta.noise}"
    return f"{metric} moved by {delta.absolute:+.4g}{beyond}"


def _candidates(previous: Snapshot, current: Snapshot) -> Iterator[Difference]:
    yield from group_differences(previous, current)
    yield from input_differences(previous, current)
    yield from differences(_happened(previous), _happened(current))


def _happened(snapshot: Snapshot) -> Json:
    """What the run did beside what it was told to: changes that took effect, and the kernels that were seen."""
    changes, audit = (_object(snapshot.documents.get(name)) for name in ("changes", "audit_run"))
    kernels = {name: sorted(_object(_object(audit.get(name)).get("kernels"))) for name in ("sdpa", "flash")}
    return {
        "changes": {"effective": changes.get("effective")},
        "runtime": {
            "degraded": audit.get("degraded"),
            "kernels": {name: list(found) for name, found in kernels.items()},
        },
    }


def _object(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _cause(difference: Difference, past: Sequence[Diff], metric: str | None) -> Cause:
    pointer = difference.pointer
    changed = [diff for diff in past if pointer in diff.changed_keys] if metric else []
    judged = [diff for diff in changed if not diff.metric_deltas[metric or ""].noise.startswith("not")]
    moved = [diff for diff in judged if diff.metric_deltas[metric or ""].noise.startswith(EXCEEDS)]
    credit, total = sum(map(_share, moved)), sum(map(_share, judged))
    likelihood = (_prior(pointer) + credit) / (1 + total)
    return Cause(
        pointer, difference.previous, difference.current, round(likelihood, 3), _evidence(changed, judged, moved)
    )


def _share(diff: Diff) -> float:
    """What one of the inputs that changed together is credited with."""
    return 1 / max(1, sum(map(is_input, diff.changed_keys)))


def _prior(pointer: str) -> float:
    return next((prior for start, prior in _PRIORS if pointer.startswith(start)), _OTHER)


def _evidence(changed: Sequence[Diff], judged: Sequence[Diff], moved: Sequence[Diff]) -> str:
    if not changed:
        return "no earlier run changed it: the usual likelihood of its kind"
    if not judged:
        return f"{len(changed)} earlier runs changed it, without replicates enough to judge them by"
    return f"the metric moved in {len(moved)} of {len(judged)} earlier runs that changed it"
