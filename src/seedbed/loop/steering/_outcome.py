"""What a change's history says to who asked for the change. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seedbed.change._summary import summary
from seedbed.contracts import ChangeReport, Outcome
from seedbed.contracts._move import move_words
from seedbed.loop.steering._answer import AnswerState

if TYPE_CHECKING:
    from seedbed.change import ChangeHistory, ChangeRecord

__all__ = ["how_it_ended", "how_it_went", "standing", "times_lost", "told_of", "worst_of"]

_STATED = ("applied: ", "effective: ", "failed: ", "unknown: ")  # the answer's state says it
_WORST_FIRST = (
    *(Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN),
    *(Outcome.NO_OP, Outcome.CLAMPED, Outcome.EFFECTIVE),
)


def worst_of(records: "Sequence[ChangeRecord]") -> "ChangeRecord":
    """The change that went worst, of those of one proposal; the first of those that went alike."""
    return min(records, key=lambda record: _WORST_FIRST.index(record.outcome))


def standing(history: "ChangeHistory", request: int) -> "tuple[ChangeRecord, ...]":
    """The changes of the history that carry out `request`, of several settings one each, made together.

    None are there where there were none, or a resume discarded them.
    """
    made = [record for record in history.records if record.delta.request == request]
    return tuple(record for record in made if record.batch == made[-1].batch)


def times_lost(history: "ChangeHistory", request: int) -> int:
    """How often a resume discarded a change that had carried out `request`."""
    return sum(record.delta.request == request for record in history.superseded)


def how_it_went(history: "ChangeHistory", records: "Sequence[ChangeRecord]") -> tuple[AnswerState, bool]:
    """The state of the answer by what the journal holds now, and whether no later entry can change it.

    A change in use may still be overwritten, or lost in a resume from an earlier checkpoint; what another change took
    back may stand again then. A change of an unknown end may be seen in use while its value is the live one. Of several
    settings that were changed together the answer is that of the worst.
    """
    ends = [_how_one_went(history, record) for record in records]
    state, is_final = ends[records.index(worst_of(records))]
    return state, is_final if state is AnswerState.FAILED else all(final for _, final in ends)


def _how_one_went(history: "ChangeHistory", record: "ChangeRecord") -> tuple[AnswerState, bool]:
    state = AnswerState(record.outcome.value)
    if state is AnswerState.UNKNOWN:
        held = history.held(record.delta.parameter)
        is_watched = held is not None and held.id == record.id
        return (AnswerState.APPLIED if record.phase.value == "applied" else state), not is_watched
    may_return = record.phase.value == "rolled_back" and "by" in record.story[-1][1]
    return state, not (may_return or state in {AnswerState.EFFECTIVE, AnswerState.CLAMPED})


def how_it_ended(history: "ChangeHistory", request: int) -> "tuple[AnswerState, str, ChangeRecord | None]":
    """The final answer of a run that has finished: its state, its words, and the change that went worst, if any."""
    made = standing(history, request)
    if not made:
        return AnswerState.REFUSED, "the run has finished, and no step was left for it", None
    worst = worst_of(made)
    return AnswerState(worst.outcome.value), told_of(history, made), worst


def told_of(history: "ChangeHistory", records: "Sequence[ChangeRecord]") -> str:
    """The changes in one line: what moved, and how it ended last; where it failed, also what was done then."""
    ids = {record.id for record in records}
    return "; and ".join(_one_told(each) for each in summary(history).changes if each.id in ids)


def _one_told(report: ChangeReport) -> str:
    failed = (place for place, sentence in enumerate(report.story) if sentence.startswith("failed: "))
    since = next(failed, len(report.story) - 1)
    words = "; ".join(report.story[since:])
    for state in _STATED:
        words = words.removeprefix(state)
    return f"{report.parameter} {move_words(report, report.unit)}; {words}"
