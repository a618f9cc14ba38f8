"""What a change's history says to who asked for the change. Pure."""

from typing import TYPE_CHECKING

from seedbed.contracts import ChangeReport
from seedbed.contracts._move import move_words
from seedbed.loop.steering._answer import AnswerState

if TYPE_CHECKING:
    from seedbed.change import ChangeHistory, ChangeRecord

__all__ = ["how_it_went", "standing", "times_lost", "told_of"]

_STATED = ("applied: ", "effective: ", "failed: ", "unknown: ")  # the answer's state says it


def standing(history: "ChangeHistory", request: int) -> "ChangeRecord | None":
    """The change of the history that carries out `request`; None where there is none, or a resume discarded it."""
    return next((record for record in reversed(history.records) if record.delta.request == request), None)


def times_lost(history: "ChangeHistory", request: int) -> int:
    """How often a resume discarded a change that had carried out `request`."""
    return sum(record.delta.request == request for record in history.superseded)


def how_it_went(history: "ChangeHistory", record: "ChangeRecord") -> tuple[AnswerState, bool]:
    """The state of the answer by what the journal holds now, and whether no later entry can change it.

    A change in use may still be overwritten, or lost in a resume from an earlier checkpoint; what another change took
    back may stand again then. A change of an unknown end may be seen in use while its value is the live one.
    """
    state = AnswerState(record.outcome.value)
    if state is AnswerState.UNKNOWN:
        held = history.held(record.delta.parameter)
        is_watched = held is not None and held.id == record.id
        return (AnswerState.APPLIED if record.phase.value == "applied" else state), not is_watched
    may_return = record.phase.value == "rolled_back" and "by" in record.story[-1][1]
    return state, not (may_return or state in {AnswerState.EFFECTIVE, AnswerState.CLAMPED})


def told_of(report: ChangeReport) -> str:
    """The change in one line: what moved, and how it ended last; where it failed, also what was done then."""
    failed = (place for place, sentence in enumerate(report.story) if sentence.startswith("failed: "))
    since = next(failed, len(report.story) - 1)
    words = "; ".join(report.story[since:])
    for state in _STATED:
        words = words.removeprefix(state)
    return f"{report.parameter} {move_words(report, report.unit)}; {words}"
