"""A proposer that repeats the changes of another run, each at the step at which that run proposed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord
from seedbed.change.parameters._delta import Delta, Set
from seedbed.contracts import Outcome

__all__ = ["ReplayRule", "replay_rule"]

_IN_USE = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
_UNREPEATABLE = frozenset({Outcome.FAILED, Outcome.UNKNOWN})


@final
@dataclass(frozen=True, slots=True)
class ReplayRule:
    """What to propose at which step to repeat the changes of run `of`; made by `replay_rule`.

    `replayed` are its changes that took effect, oldest first. `left_out` are its failed and unknown changes: nobody
    knows which steps used them, so a run that had any may not be reproducible.
    """

    of: str
    replayed: tuple[ChangeRecord, ...]
    left_out: tuple[ChangeRecord, ...]

    def proposer(self, original: str) -> str:
        """The proposer named in its deltas for the changes that `original` proposed."""
        return f"replay of {self.of}, {original.rpartition(', ')[2]}"  # of a replayed replay, who decided at first

    def due(self, step: int) -> tuple[Delta, ...]:
        """The deltas to propose together after `step` steps: the values that took effect then, as absolute values."""
        return tuple(
            Delta(
                record.delta.parameter,
                Set(record.after, record.delta.op.is_relative),
                record.delta.reason,
                self.proposer(record.delta.proposer),
            )
            for record in self.replayed
            if record.step == step
        )

    def not_repeated(self, history: ChangeHistory) -> tuple[ChangeRecord, ...]:
        """The replayed changes that did not take effect with the same value in the run of `history`.

        A value that stood there already is the same value; one that a rollback took back is not.
        """
        proposers = {self.proposer(record.delta.proposer) for record in self.replayed}
        found = {
            (record.step, record.delta.parameter): record.after
            for record in history.records
            if record.delta.proposer in proposers and (record.outcome in _IN_USE or _stood_there(record))
        }
        return tuple(each for each in self.replayed if found.get((each.step, each.delta.parameter)) != each.after)


def replay_rule(history: ChangeHistory, of: str) -> ReplayRule:
    """The rule that repeats the changes in `history`, the history of run `of`. Superseded changes are left out."""
    return ReplayRule(of, _with(history.records, _IN_USE), _with(history.records, _UNREPEATABLE))


def _stood_there(record: ChangeRecord) -> bool:
    """Whether it asked for the value that was live already. NO_OP is also what was made, and then taken back."""
    return record.denied and record.outcome is Outcome.NO_OP


def _with(records: Sequence[ChangeRecord], outcomes: frozenset[Outcome]) -> tuple[ChangeRecord, ...]:
    return tuple(record for record in records if record.outcome in outcomes)
