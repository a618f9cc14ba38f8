"""The deltas that take back what no step was seen to use. Pure."""

from collections.abc import Container, Iterator, Mapping, Sequence
from types import MappingProxyType

from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord, Kind
from seedbed.change.bindings._binding import UndoingBinding, Unproven, holds
from seedbed.change.parameters._delta import Delta, Set
from seedbed.errors import Conflict

__all__ = ["ROLLBACK", "proven", "rollback_deltas", "taken_back", "unproven"]

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


def unproven(history: ChangeHistory, parameter: str) -> list[ChangeRecord]:
    """Its latest changes that no step was seen to use, or that were lost since, oldest first.

    They are those after the last one that is in use, or that a rollback made.
    """
    found: list[ChangeRecord] = []
    for record in history.touched(parameter):
        if record.phase is Kind.EFFECTIVE or record.delta.proposer == ROLLBACK:
            found.clear()
        else:
            found.append(record)
    return found


def rollback_deltas(
    history: ChangeHistory,
    live: Mapping[str, float],
    undoing: Mapping[str, UndoingBinding] = MappingProxyType({}),
    standing: Container[int] = (),
) -> tuple[Delta, ...]:
    """The deltas that take back every unproven change; none when every live value is proven.

    A value goes back to the last proven one, one of `undoing` to what would be there now without its changes; what
    overwrote a change is left as it is. `standing` are the lost changes, by id, whose value was not overwritten. Raises
    Conflict where nobody knows what would be there.
    """
    deltas: list[Delta] = []
    for key, value in proven(history).items():
        changes = [
            Unproven(each.before, each.after, is_lost=each.phase is Kind.FAILED and each.id not in standing)
            for each in unproven(history, key)
            if _was_applied(each)
        ]
        deltas += (
            _undone(key, changes, live[key], undoing[key])
            if key in undoing
            else _set_back(key, changes, live[key], value)
        )
    return tuple(deltas)


def taken_back(history: ChangeHistory, record: ChangeRecord) -> list[ChangeRecord]:
    """The changes that are undone by this change of a rollback before any step could use them."""
    if record.delta.proposer != ROLLBACK:
        return []
    return [
        each
        for each in unproven(history, record.delta.parameter)
        if each.step == record.step and each.phase in {Kind.APPLIED, Kind.UNKNOWN} and _was_applied(each)
    ]


def _set_back(key: str, changes: Sequence[Unproven], live: float, value: float) -> Iterator[Delta]:
    lost = [place for place, each in enumerate(changes) if each.is_lost]
    if lost and lost[-1] < len(changes) - 1:
        value = changes[lost[-1] + 1].before  # what overwrote the lost one
    elif lost and not holds(live, changes[-1].after):
        return
    if live != value:
        yield Delta(key, Set(value), f"back to the last value seen in use, from {live:g}", ROLLBACK)


def _undone(key: str, changes: Sequence[Unproven], live: float, binding: UndoingBinding) -> Iterator[Delta]:
    try:
        value = binding.without(changes) if changes else None
    except Conflict as problem:
        raise Conflict(f"rollback of {key}: {problem}") from problem
    if value is not None:
        yield Delta(key, Set(value), f"as without the changes that no step was seen to use, from {live:g}", ROLLBACK)


def _was_applied(record: ChangeRecord) -> bool:
    return any(kind is Kind.APPLIED for kind, _ in record.story)
