"""What a witness has counted so far; it can be stored and loaded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from pydantic import Field, ValidationError

from seedbed.contracts import Feature, Message
from seedbed.errors import InvalidInput
from seedbed.runtime._observe import FeatureObservation

__all__ = ["Tally"]


class _Stored(Message):
    """A tally's JSON form; damaged or foreign values are refused when it is read."""

    steps: int = Field(ge=0)
    samples: dict[str, int]
    shown: dict[Feature, int]
    lost: dict[Feature, int]
    kernels: dict[Feature, dict[str, int]]
    reasons: list[str]
    incidents: list[str]
    seconds: float = Field(ge=0)
    unknown: dict[Feature, str] = Field(default_factory=dict)


@final
@dataclass
class Tally:
    """Counts of steps and samples, and for each feature of its kernels and of the samples that showed or lost it.

    `unknown` says for each feature why the last sample that neither showed nor lost it could not.
    """

    steps: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    shown: Counter[Feature] = field(default_factory=Counter)
    lost: Counter[Feature] = field(default_factory=Counter)
    kernels: dict[Feature, Counter[str]] = field(default_factory=lambda: {feature: Counter() for feature in Feature})
    reasons: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    seconds: float = 0.0
    unknown: dict[Feature, str] = field(default_factory=dict)

    def count(self, feature: Feature, seen: FeatureObservation) -> None:
        """Add what one sampled step says of one feature."""
        self.kernels[feature].update(seen.kernels)
        self.shown[feature] += seen.shown is True
        self.lost[feature] += seen.shown is False
        if seen.shown is None and seen.reason:
            self.unknown[feature] = seen.reason

    def observed(self, feature: Feature) -> bool | None:
        """True if every step that could show the feature showed it, False if one did not, None if no step could."""
        return False if self.lost[feature] else True if self.shown[feature] else None

    def add_reason(self, reason: str) -> bool:
        """Add a reason; returns False when it was already known."""
        return _add_new(self.reasons, reason)

    def add_incident(self, incident: str) -> bool:
        """Add an incident; returns False when it was already known."""
        return _add_new(self.incidents, incident)

    def state(self) -> dict[str, object]:
        """The tally as JSON values."""
        stored = _Stored.model_validate({name: getattr(self, name) for name in _Stored.model_fields})
        return stored.model_dump(mode="json")

    @classmethod
    def load(cls, state: Mapping[str, object]) -> "Tally":
        """The tally that `state` was taken from. Raises InvalidInput for anything else."""
        try:
            stored = _Stored.model_validate(dict(state))
        except ValidationError as error:
            raise InvalidInput(
                f"This is not the state of a witness: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}. "
                "Pass what Witness.state() returned, unchanged."
            ) from None
        tally = cls(steps=stored.steps, seconds=stored.seconds, unknown=dict(stored.unknown))
        tally.samples.update(stored.samples)
        tally.shown.update(stored.shown)
        tally.lost.update(stored.lost)
        for feature, kernels in stored.kernels.items():
            tally.kernels[feature].update(kernels)
        tally.reasons.extend(stored.reasons)
        tally.incidents.extend(stored.incidents)
        return tally


def _add_new(notes: list[str], note: str) -> bool:
    if note in notes:
        return False
    notes.append(note)
    return True
