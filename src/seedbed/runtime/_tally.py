"""What a witness has counted so far, in one owner that can be written down and read back."""

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
    """A tally's JSON form, so that a damaged or foreign one is refused at the door."""

    steps: int = Field(ge=0)
    samples: dict[str, int]
    shown: dict[Feature, int]
    lost: dict[Feature, int]
    kernels: dict[Feature, dict[str, int]]
    reasons: list[str]
    incidents: list[str]
    seconds: float = Field(ge=0)


@final
@dataclass
class Tally:
    """Counts of steps, samples by key, and per feature the samples that showed it, those that lost it, and kernels."""

    steps: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    shown: Counter[Feature] = field(default_factory=Counter)
    lost: Counter[Feature] = field(default_factory=Counter)
    kernels: dict[Feature, Counter[str]] = field(default_factory=lambda: {feature: Counter() for feature in Feature})
    reasons: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, feature: Feature, seen: FeatureObservation) -> None:
        """Add one sampled step's answer for one feature."""
        self.kernels[feature].update(seen.kernels)
        self.shown[feature] += seen.shown is True
        self.lost[feature] += seen.shown is False

    def observed(self, feature: Feature) -> bool | None:
        """True when every step that could show the feature did, False when one did not, None when none could."""
        return False if self.lost[feature] else True if self.shown[feature] else None

    def add_reason(self, reason: str) -> bool:
        """Note a reason; False when it was already known."""
        return _add_new(self.reasons, reason)

    def add_incident(self, incident: str) -> bool:
        """Note an incident; False when it was already known."""
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
                f"This is no witness's state: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}. "
                "Pass what Witness.state() returned, unchanged."
            ) from None
        tally = cls(steps=stored.steps, seconds=stored.seconds)
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
