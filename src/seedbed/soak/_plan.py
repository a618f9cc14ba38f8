"""The plan of a soak, written before it begins: everything needed to resume it and to verify it."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from seedbed.change import Registry
from seedbed.contracts import Message
from seedbed.gate import GateSpec
from seedbed.gate._rules import FORMER_RULES, RULES
from seedbed.records import digest
from seedbed.soak._controller import Controller, Limits
from seedbed.soak._delivery import PlantArms
from seedbed.soak._plant import Plant
from seedbed.soak._profile import SoakProfile
from seedbed.soak.faults._faults import SoakFault, faulty
from seedbed.soak.tuners._tuner import Tuner

__all__ = ["Assembly", "PlantKind", "SoakPlan", "TunerKind", "new_soak_id"]


class PlantKind(StrEnum):
    """The kind of plant that is tuned."""

    MOCK = "mock"
    MARKET = "market"
    TRAINING = "training"


class TunerKind(StrEnum):
    """The kind of tuner that proposes changes. With NONE, the soak only measures."""

    NONE = "none"
    RULES = "rules"
    MODEL = "model"


class SoakPlan(Message):
    """The plan of one soak, stored as `soak.json`.

    `control` asks for a control arm: a second plant with the same random numbers, whose settings never change. `fault`
    is injected from iteration `fault_from` on, to test that it is caught. `gate` judges the soak; without it, the
    profile's checks do. Since schema version 2, the first record of the plant's log names the plan's digest, the
    snapshot seals the drawing, a soak whose fault was not seen does not pass, and the gate judges by today's rules.
    """

    schema_version: Literal[1, 2] = 2
    soak_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    plant: PlantKind = PlantKind.MOCK
    seed: int = Field(default=0, ge=0)
    iterations: int = Field(default=24, ge=1)
    tuner: TunerKind = TunerKind.NONE
    profile: str = "standard"
    control: bool = True
    fault: SoakFault | None = None
    fault_from: int = Field(default=8, ge=1)
    gate: GateSpec | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the plant's log must begin with the plan's digest."""
        return self.schema_version >= 2

    @property
    def gate_rules(self) -> int:
        """The number of the rules by which its gate judges: a soak stays judged by those of its time."""
        return RULES if self.schema_version >= 2 else FORMER_RULES

    def digest(self) -> str:
        """The SHA-256 of its canonical JSON, which seals it."""
        return digest(self.model_dump(mode="json"))

    @model_validator(mode="after")
    def _fault_begins_before_the_end(self) -> Self:
        if self.fault is not None and self.fault_from >= self.iterations:
            what = f"fault_from (--inject-at) is {self.fault_from}"
            raise ValueError(f"{what}, expected less than the {self.iterations} iterations")
        return self


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that a plan names. Every call of `plant` makes an equal plant, such as for the control arm."""

    plant: Callable[[], Plant]
    registry: Registry
    profile: SoakProfile
    limits: Limits
    tuner: Tuner | None

    def plant_arms(self, plan: SoakPlan) -> PlantArms:
        """A new plant with the plan's fault and control arm."""
        control = self.plant() if plan.control else None
        return PlantArms(self.plant(), faulty(plan.fault, first=plan.fault_from), control)

    def controller(self, plan: SoakPlan) -> Controller:
        """A new controller, before the first iteration."""
        return Controller(self.profile, self.registry, self.limits, self.tuner, plan.iterations)


def new_soak_id() -> str:
    """A new id that begins with the current time, so that a listing is in order of time. No code relies on it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
