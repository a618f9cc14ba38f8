"""What differs between two snapshots: changed keys, a patch and metric deltas, beside whether they may be compared."""

import math

from seedbed.records._canonical import Json
from seedbed.records._comparison import Policy, compare, narrowest
from seedbed.records._layout import log_folder
from seedbed.records._names import commit_file
from seedbed.records._pointer import differences, leaves
from seedbed.records._snapshot import (
    COMPUTED_FINGERPRINTS,
    NO_PREDECESSOR,
    Commit,
    Comparison,
    Diff,
    MetricDelta,
    Snapshot,
)

__all__ = ["diff", "log_path"]

_SUMMARIES = {
    "EXACT": "comparable: every input is the same",
    "REPLICATE": "comparable: a replicate, only the seed differs",
    "ABLATION": "comparable but for the excluded factors",
}


def diff(previous: Commit | None, current: Snapshot, policy: Policy | None = None) -> Diff:
    """What `current` changed since `previous`; without a policy, under the strictest one that holds.

    A first run has no predecessor: its diff is empty and `comparable` is None.
    """
    if previous is None:
        return NO_PREDECESSOR
    before = previous.snapshot
    comparison = compare(before, current, policy) if policy else narrowest(before, current)
    changes = tuple(differences(_subject(before), _subject(current)))
    return Diff(
        summary=_summary(comparison),
        prev_run_id=before.run_id,
        prev_snapshot_seq=previous.seq,
        prev_snapshot_path=log_path(before.project, previous.seq),
        prev_digest=previous.digest,
        policy=comparison.policy,
        comparable=comparison.comparable,
        reasons=comparison.reasons,
        excluded_factors=comparison.excluded_factors,
        num_changes=len(changes),
        changed_keys=tuple(change.pointer for change in changes),
        patch=tuple(change.operation() for change in changes),
        metric_deltas=_metric_deltas(before, current),
    )


def log_path(project: str, seq: int) -> str:
    """Where commit `seq` of `project` lies, relative to the store."""
    return f"{log_folder(project)}/{commit_file(seq)}"


def _summary(comparison: Comparison) -> str:
    if comparison.comparable:
        return _SUMMARIES[comparison.policy]
    return f"not comparable: {comparison.reasons[0]}" + (", and more" if len(comparison.reasons) > 1 else "")


def _subject(snapshot: Snapshot) -> Json:
    # The run's own name differs by definition; documents and timing are told, not compared.
    return {
        "blobs": dict(snapshot.blobs),
        "config": snapshot.config,
        "factors": snapshot.factors,
        "fingerprints": {
            name: value for name, value in snapshot.fingerprints.items() if name not in COMPUTED_FINGERPRINTS
        },
        "metadata": {name: value for name, value in snapshot.metadata.items() if name != "run_id"},
        "metrics": snapshot.metrics,
    }


def _metric_deltas(previous: Snapshot, current: Snapshot) -> dict[str, MetricDelta]:
    before, after = _numbers(previous), _numbers(current)
    return {pointer: _delta(before[pointer], now) for pointer, now in after.items() if pointer in before}


def _numbers(snapshot: Snapshot) -> dict[str, float]:
    return {
        pointer: float(value)
        for pointer, value in leaves(snapshot.metrics)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _delta(previous: float, current: float) -> MetricDelta:
    absolute = current - previous
    percent = 100 * absolute / abs(previous) if previous else math.inf
    return MetricDelta(previous=previous, current=current, absolute=_finite(absolute), percent=_finite(percent))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
