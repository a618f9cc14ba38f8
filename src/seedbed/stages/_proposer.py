"""Proposers: they decide which changes to propose during a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

from seedbed.change import STALL_RULE, Delta, ReplayRule, StallRule, StallState
from seedbed.stages._config import ChangeSettings

__all__ = ["Proposer", "ReplayProposer", "StallProposer", "Validation"]


@final
@dataclass(frozen=True, slots=True)
class Validation:
    """One validation: its AP, and the AP's jackknife pseudo-values over parts of its events; () of too few events."""

    ap: float
    parts: tuple[float, ...]


class Proposer(Protocol):
    """Proposes changes during a training. Everything that it must remember is in the state, which is checkpointed."""

    @property
    def registered(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings by which it decides, by the name that its deltas carry."""

    def propose(self, state: StallState, step: int, found: Validation | None) -> tuple[StallState, tuple[Delta, ...]]:
        """The new state and the proposed deltas after `step` optimizer steps; `found` is None if none was due."""


@final
@dataclass(frozen=True, slots=True)
class StallProposer:
    """Proposes to cut the learning rate when validation stalls, by the job's settings."""

    settings: ChangeSettings
    parameter: str

    @property
    def registered(self) -> Mapping[str, Mapping[str, Any]]:
        """The job's settings."""
        return {STALL_RULE: self.settings.model_dump(mode="json")}

    def propose(self, state: StallState, step: int, found: Validation | None) -> tuple[StallState, tuple[Delta, ...]]:  # noqa: ARG002  a cut may come at any step
        """A cut after a validation that shows a stall; no cut when the settings disable it."""
        settings = self.settings
        if found is None or (settings.confidence is not None and not found.parts):
            return state, ()
        rule = StallRule(
            settings.patience, settings.factor, settings.min_delta, self.parameter, "validation AP", settings.confidence
        )
        state, delta = rule.observe(state, found.ap, found.parts)
        return state, () if delta is None or not settings.enabled else (delta,)


@final
@dataclass(frozen=True, slots=True)
class ReplayProposer:
    """Proposes the changes of another run again, independently of validation."""

    rule: ReplayRule
    settings: ChangeSettings

    @property
    def registered(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings by which the other run decided: they are those of this job."""
        return {self.rule.proposer(STALL_RULE): self.settings.model_dump(mode="json")}

    def propose(self, state: StallState, step: int, found: Validation | None) -> tuple[StallState, tuple[Delta, ...]]:  # noqa: ARG002  the other run decided
        """The changes that took effect in the other run at this step."""
        return state, self.rule.due(step)
