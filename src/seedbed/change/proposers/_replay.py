"""A proposer: the changes of another run, at the steps at which they were proposed there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from seedbed.change._history import ChangeHistory, ChangeRecord
from seedbed.change.parameters._delta import Delta, Set
from seedbed.contracts import Outcome

__all__ = ["ReplayRule", "replay_rule"]

_IN_USE = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
_UNREPEATABLE = frozenset({Outcome.FAILED, Outcome.UNKNOWN})


@final
@dataclass(frozen=True, slots=True)
class ReplayRule:
    """What to propose at which step so that a run goes the way of run `of`; made by `replay_rule`.

    `replayed` are its changes that took effect, oldest first. `left_out` are those that were made or may have been, and
    of which nobody can say which steps used them: failed or unknown ones. A run that had any may not be reproduced.
    """

    of: str
    replayed: tuple[ChangeRecord, ...]
    left_out: tuple[ChangeRecord, ...]

    @property
    def proposer(self) -> str:
        """The proposer that its deltas name."""
        return f"replay of {self.of}"

    def due(self, step: int) -> tuple[Delta, ...]:
        """What to propose together once `step` steps are taken: the values that took effect there, as absolute ones."""
        return tuple(
            Delta(record.delta.parameter, Set(record.after), record.delta.reason, self.proposer)
            for record in self.replayed
            if record.step == step
        )

    def ruled_otherwise(self, history: ChangeHistory) -> tuple[ChangeRecord, ...]:
        """The changes replayed that did not take effect with the same value in the run of `history`, as they were."""
        found = {
            (record.step, record.delta.parameter): record.after
            for record in history.records
            if record.delta.proposer == self.proposer and record.outcome in _IN_USE
        }
        return tuple(each for each in self.replayed if found.get((each.step, each.delta.parameter)) != each.after)


def replay_rule(history: ChangeHistory, of: str) -> ReplayRule:
    """The rule that repeats the changes in `history`, of a run of that name. Superseded changes are not in it."""
    return ReplayRule(of, _with(history.records, _IN_USE), _with(history.records, _UNREPEATABLE))


def _with(records: Sequence[ChangeRecord], outcomes: frozenset[Outcome]) -> tuple[ChangeRecord, ...]:
    return tuple(record for record in records if record.outcome in outcomes)
