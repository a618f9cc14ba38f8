"""What becomes of the rate that a schedule writes, at the optimizer's own step: multiplied, pinned or left. Pure."""

from dataclasses import dataclass
from math import isclose
from typing import final

__all__ = ["FREE", "RateHold"]


@final
@dataclass(frozen=True, slots=True)
class RateHold:
    """A step uses `times` the rate that the schedule wrote, plus `plus`; a rate is pinned where `times` is 0.

    Where it is not pinned, `plus` is what rounding needs to give just the rate that was asked for, and a schedule that
    writes 0 gets 0.
    """

    times: float = 1.0
    plus: float = 0.0

    def rate(self, written: float) -> float:
        """The rate that a step uses."""
        return 0.0 if self.times and not written else self.times * written + self.plus

    def scaled(self, ratio: float) -> "RateHold":
        """The hold after a relative change; exactly none when it and the earlier ones cancel, in spite of rounding."""
        times = self.times * ratio
        return FREE if isclose(times, 1.0, rel_tol=1e-12) else RateHold(times, self.plus * ratio)

    def giving(self, rate: float, written: float) -> "RateHold":
        """The same hold, which makes of `written` just this rate."""
        missing = rate - self.rate(written)
        return self if missing == 0 else RateHold(self.times, self.plus + missing)

    @property
    def is_free(self) -> bool:
        """Whether the schedule's rate is used as it is, but for rounding."""
        return isclose(self.times, 1.0, rel_tol=1e-12)

    @property
    def is_pinned(self) -> bool:
        """Whether the rate stands still, whatever the schedule writes."""
        return self.times == 0


FREE = RateHold()
"""The schedule's rate is used as it is."""
