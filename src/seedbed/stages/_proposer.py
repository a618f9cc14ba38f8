"""Who proposes the changes of a training, as it gets on."""

from dataclasses import dataclass
from typing import Protocol, final

from seedbed.change import Delta, ReplayRule, StallRule, StallState
from seedbed.stages._config import ChangeSettings

__all__ = ["Proposer", "ReplayProposer", "StallProposer"]


class Proposer(Protocol):
    """Pure: whatever it must remember is in the state, which goes into a checkpoint."""

    def propose(self, state: StallState, step: int, ap: float | None) -> tuple[StallState, tuple[Delta, ...]]:
        """The state and the deltas after `step` optimizer steps; `ap` is None where no validation was due."""


@final
@dataclass(frozen=True, slots=True)
class StallProposer:
    """Cuts the learning rate when validation stalls, as a job's settings say."""

    settings: ChangeSettings
    parameter: str

    def propose(self, state: StallState, step: int, ap: float | None) -> tuple[StallState, tuple[Delta, ...]]:  # noqa: ARG002  any step may be one of a validation
        """A cut after a validation that stalls; none when the settings say so."""
        if ap is None:
            return state, ()
        settings = self.settings
        rule = StallRule(settings.patience, settings.factor, settings.min_delta, self.parameter)
        state, delta = rule.observe(state, ap)
        return state, () if delta is None or not settings.enabled else (delta,)


@final
@dataclass(frozen=True, slots=True)
class ReplayProposer:
    """Repeats the changes of another run, whatever validation says."""

    rule: ReplayRule

    def propose(self, state: StallState, step: int, ap: float | None) -> tuple[StallState, tuple[Delta, ...]]:  # noqa: ARG002  what was decided there stands
        """What took effect there at this step."""
        return state, self.rule.due(step)
