"""A switch that follows a flickering signal only after the signal has stayed the same for some observations."""

from dataclasses import dataclass
from typing import final

from pydantic import Field

from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["Debounce", "DebounceState"]


class DebounceState(Message):
    """Whether the signal counts as on, and how many observations in a row have now said the opposite."""

    on: bool = False
    against: int = Field(default=0, ge=0)


@final
@dataclass(frozen=True, slots=True)
class Debounce:
    """On after `hold` observations of the signal in a row, off after `release` in a row without it.

    A pure fold: `observe` takes the state and returns the next one; a checkpoint keeps it as JSON. Raises
    InvalidInput unless both are at least 1.
    """

    hold: int
    release: int

    def __post_init__(self) -> None:
        if self.hold < 1 or self.release < 1:
            raise InvalidInput(f"{self}: expected hold and release of at least 1 observation")

    def observe(self, state: DebounceState, signal: bool) -> DebounceState:
        """The state after one more observation."""
        if signal == state.on:
            return DebounceState(on=state.on)
        against = state.against + 1
        if against >= (self.release if state.on else self.hold):
            return DebounceState(on=signal)
        return DebounceState(on=state.on, against=against)
