"""A record in short: its main results beside those of its predecessor, and its changes, what needs attention first."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.contracts import ChangeReport, Outcome
from seedbed.records import MetricDelta, Snapshot
from seedbed.records.canonical import read_number
from seedbed.records.log import better
from seedbed.render.facts._measured import Measured, measured
from seedbed.render.facts._scores import Score

__all__ = ["ShortResult", "main_changes", "main_results"]

_BESIDE = ("baselines.", "strongest.", "margin.")
_ATTENTION = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.BLOCKED, Outcome.CLAMPED, Outcome.EFFECTIVE, Outcome.NO_OP)


@dataclass(frozen=True)
class ShortResult:
    """One metric by its dotted name, which may be NaN, and its difference from the predecessor, if it has one."""

    name: str
    score: Score
    delta: MetricDelta | None


def main_results(snapshot: Snapshot, most: int) -> tuple[tuple[ShortResult, ...], int]:
    """At most `most` single numbers of the record, and how many more metrics it holds, lists included.

    Those of the run itself come before those of baselines, and those of which it is known which side is better first.
    """
    found = list(measured(snapshot.metrics))
    deltas = {key.lstrip("/").replace("/", "."): delta for key, delta in snapshot.diff_prev.metric_deltas.items()}
    shown = [
        ShortResult(item.path, score, deltas.get(item.path) or deltas.get(f"{item.path}.value"))
        for item, score in sorted(((item, _score(item)) for item in found), key=lambda pair: _place(pair[0]))
        if score is not None
    ][:most]
    return tuple(shown), len(found) - len(shown)


def main_changes(changes: Sequence[ChangeReport], most: int) -> tuple[ChangeReport, ...]:
    """At most `most` changes, those that did not do what was asked first, each kind in the order of steps."""
    return tuple(sorted(changes, key=lambda change: (_ATTENTION.index(change.outcome), change.step, change.id))[:most])


def _score(item: Measured) -> Score | None:
    """The single number that a metric is, also NaN or an infinity; None for a list or a text."""
    number = read_number(item.other)
    return item.score if number is None else Score(number)


def _place(item: Measured) -> tuple[bool, bool, str]:
    return item.path.startswith(_BESIDE), better(item.path) is None, item.path
