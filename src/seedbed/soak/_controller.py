"""What a soak decides after each measurement. The same pure code decides when it runs, resumes and is verified."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from seedbed.change import (
    ChangeHistory,
    ChangeRecord,
    Conditions,
    DebounceState,
    Delta,
    FreezeState,
    Kind,
    Registry,
    Rules,
)
from seedbed.soak._evidence import MeasurementRecord
from seedbed.soak._kpis import kpis
from seedbed.soak._plant import Measurement
from seedbed.soak._profile import Phase, SoakProfile
from seedbed.soak._regime import RegimeState
from seedbed.soak.tuners._tuner import Observation, Tuner

__all__ = ["Controller", "IterationDecision", "Limits"]

Limits = Callable[[Registry, Mapping[str, float]], Registry]
"""Gives the registry with the limits that follow from the live values."""


@dataclass(frozen=True, slots=True)
class IterationDecision:
    """The decision after one measured iteration: its phase, its KPIs, and which changes to propose under which rules.

    `lost` holds the ids of changes that the plant did not use. Before anything is proposed, their settings are rolled
    back to the last values seen in use.
    """

    iteration: int
    phase: Phase
    observation: Observation
    rules: Rules
    deltas: tuple[Delta, ...]
    lost: tuple[int, ...]


@final
class Controller:
    """Makes one decision for each measured iteration. `length` is the planned number of iterations."""

    def __init__(
        self, profile: SoakProfile, registry: Registry, limits: Limits, tuner: Tuner | None, length: int
    ) -> None:
        self._profile, self._registry, self._limits, self._tuner = profile, registry, limits, tuner
        self._length = length
        self._observations: list[Observation] = []
        self._freeze, self._regime, self._missing = FreezeState(), RegimeState(), DebounceState()

    @property
    def observations(self) -> Sequence[Observation]:
        """Every iteration measured so far, oldest first."""
        return tuple(self._observations)

    def end_after(self, length: int) -> None:
        """Set the number of iterations to `length`."""
        self._length = length

    @property
    def length(self) -> int:
        """The planned number of iterations."""
        return self._length

    def observe(self, measured: MeasurementRecord, history: ChangeHistory) -> IterationDecision:
        """Decide after one more iteration. `history` holds all changes so far, with the effects that it showed."""
        control = kpis(Measurement({}, measured.control))
        observation = Observation(measured.iteration, measured.plant.used, kpis(measured.plant), control)
        self._observations.append(observation)
        profile = self._profile
        if profile.freeze is not None:
            self._freeze = profile.freeze.observe(self._freeze, observation.kpis)
        if profile.regime is not None:
            self._regime = profile.regime.observe(self._regime, observation.control.get(profile.regime.kpi))
        self._missing = profile.health.observe(self._missing, profile.objective not in observation.kpis)
        phase = profile.phase(measured.iteration, self._length)
        lost = _lost_at(history, measured.iteration)
        rules = Rules(self._limits(self._registry, measured.plant.used), conditions=self._conditions(observation, lost))
        tunes = phase is Phase.TUNING and self._tuner is not None
        deltas = self._tuner.propose(self._observations) if self._tuner is not None and tunes else ()
        return IterationDecision(
            measured.iteration, phase, observation, rules, deltas, tuple(record.id for record in lost)
        )

    def _conditions(self, observation: Observation, lost: Sequence[ChangeRecord]) -> Conditions:
        profile = self._profile
        unhealthy = {
            self._registry[record.delta.parameter].subsystem: f"change {record.id} was lost: {record.reason}"
            for record in lost
        }
        if self._missing.on:
            again = ", and has come back too lately to rely on" if profile.objective in observation.kpis else ""
            unhealthy["*"] = f"{profile.objective} could not be measured{again}"
        return Conditions(
            frozen={} if profile.freeze is None else profile.freeze.frozen(self._freeze),
            unhealthy=unhealthy,
            drifted={} if profile.regime is None else profile.regime.drifted(self._regime),
        )


def _lost_at(history: ChangeHistory, iteration: int) -> list[ChangeRecord]:
    """The changes that this iteration did not use, and those that failed when they were made just before it."""
    failed = history.in_phase(Kind.FAILED, Kind.ROLLED_BACK)
    return [record for record in failed if _failed_at(record) == iteration]


def _failed_at(record: ChangeRecord) -> int:
    steps = [int(facts.get("step", record.step + 1)) for kind, facts in record.story if kind is Kind.FAILED]
    return steps[-1]
