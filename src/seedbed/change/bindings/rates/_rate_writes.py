"""What a rate was written from and to, and what stood where then: what it takes to take a write back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["Computed", "RateWrite"]


class Computed(NamedTuple):
    """The numbers that a schedule computes from, by name, and its shared floor."""

    numbers: Mapping[str, float]
    floor: float

    def is_of(self, earlier: "Computed") -> bool:
        """Whether it still computes from the earlier numbers; groups may have been added since."""
        are_same = all(self.numbers.get(name) == number for name, number in earlier.numbers.items())
        return are_same and self.floor == earlier.floor


class RateWrite(NamedTuple):
    """A write, from one rate to another: what stood where before it and after it, and where the schedule stood.

    `is_its_own`: the rate before was the one that the declared schedule had set. `computed` is what it computed from
    after the write. Of a write that another process made no more is known.
    """

    before: float
    after: float
    is_its_own: bool
    computed: Computed | None
    at: tuple[int, float] | None = None
    state_before: Mapping[str, float] = MappingProxyType({})
    state_after: Mapping[str, float] = MappingProxyType({})
