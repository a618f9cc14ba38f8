"""What a soak was asked to do, written down before it begins: all that is needed to resume it, and to verify it."""

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
from seedbed.records import digest
from seedbed.soak._controller import Controller, Limits
from seedbed.soak._delivery import PlantArms
from seedbed.soak._faults import SoakFault, faulty
from seedbed.soak._plant import Plant
from seedbed.soak._profile import SoakProfile
from seedbed.soak.tuners._tuner import Tuner

__all__ = ["Assembly", "PlantKind", "SoakPlan", "TunerKind", "new_soak_id"]


class PlantKind(StrEnum):
    """What is steered."""

    MOCK = "mock"
    MARKET = "market"
    TRAINING = "training"


class TunerKind(StrEnum):
    """Who proposes. NONE only measures."""

    NONE = "none"
    RULES = "rules"
    MODEL = "model"


class SoakPlan(Message):
    """`soak.json`. `control` asks for a second plant beside the first, its settings frozen, under the same chance.

    `fault` is suffered from iteration `fault_from` on, to see that it is caught. `gate` is what it will be judged by;
    without one, by its profile's checks.
    """

    schema_version: Literal[1] = 1
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

    def digest(self) -> str:
        """What seals it: the SHA-256 of its canonical JSON."""
        return digest(self.model_dump(mode="json"))

    @model_validator(mode="after")
    def _the_fault_comes_about(self) -> Self:
        if self.fault is not None and self.fault_from >= self.iterations:
            raise ValueError(f"fault_from is {self.fault_from}, expected less than the {self.iterations} iterations")
        return self


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that a plan names. `plant` makes a plant: twice alike, for the control arm and for measuring again."""

    plant: Callable[[], Plant]
    registry: Registry
    profile: SoakProfile
    limits: Limits
    tuner: Tuner | None

    def rig(self, plan: SoakPlan) -> PlantArms:
        """The plant at its beginning, as the plan has it: with its fault and its control arm."""
        control = self.plant() if plan.control else None
        return PlantArms(self.plant(), faulty(plan.fault, first=plan.fault_from), control)

    def course(self, plan: SoakPlan) -> Controller:
        """A course at its beginning."""
        return Controller(self.profile, self.registry, self.limits, self.tuner, plan.iterations)


def new_soak_id() -> str:
    """A name that sorts by when it was given, for people; no order is read from it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
