"""The deltas that go back to the last proven values. Pure."""

from collections.abc import Mapping

from seedbed.change._history import ChangeHistory, Kind
from seedbed.change.parameters._delta import Delta, Set

__all__ = ["ROLLBACK", "proven", "rollback_deltas"]

ROLLBACK = "rollback"
"""The proposer of such deltas."""


def proven(history: ChangeHistory) -> dict[str, float]:
    """For each changed parameter, the last value that a step was seen to use and that was not overwritten."""
    good: dict[str, float] = {}
    for record in history.records:
        if record.touched:
            good.setdefault(record.delta.parameter, record.before)
            if record.phase is Kind.EFFECTIVE:
                good[record.delta.parameter] = record.after
    return good


def rollback_deltas(history: ChangeHistory, live: Mapping[str, float]) -> tuple[Delta, ...]:
    """The deltas that set every parameter back to its last proven value; none when every live value is proven."""
    return tuple(
        Delta(key, Set(value), f"back to the last value seen in use, from {live[key]:g}", ROLLBACK)
        for key, value in proven(history).items()
        if live[key] != value
    )
