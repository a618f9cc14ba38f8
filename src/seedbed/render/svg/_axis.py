"""A linear axis with ticks at round numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Axis", "Tick", "data_axis", "step_axis"]

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_SAME = 1e-6  # values that differ by less than this share look the same in a drawing


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Maps `low..high` onto the pixels `start..stop`, in either direction; `spacing` is the distance between ticks."""

    low: float
    high: float
    start: float
    stop: float
    spacing: float

    def at(self, value: float) -> float:
        """The pixel of `value`, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Every multiple of `spacing` on the axis, lowest first."""
        first, last = math.ceil(self.low / self.spacing - _SAME), math.floor(self.high / self.spacing + _SAME)
        values = (count * self.spacing for count in range(first, last + 1))
        return tuple(Tick(self.at(value), self._label(value)) for value in values)

    def _label(self, value: float) -> str:
        # As many decimals as the spacing has, so that the labels of an axis line up.
        if 1e-3 <= max(abs(self.low), abs(self.high)) < 1e6:
            decimals = next((count for count in range(8) if math.isclose(round(self.spacing, count), self.spacing)), 8)
            return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")
        return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def data_axis(values: Iterable[float], start: float, stop: float, num_ticks: int) -> Axis:
    """An axis over finite `values` that begins and ends at a tick, with about `num_ticks` of them."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    if high - low <= _SAME * max(abs(low), abs(high)):
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    spacing = _spacing((high - low) / num_ticks)
    first, last = math.floor(low / spacing + _SAME), math.ceil(high / spacing - _SAME)
    return Axis(first * spacing, last * spacing, start, stop, spacing)


def step_axis(last: float, start: float, stop: float, num_ticks: int) -> Axis:
    """An axis of steps from 0 to exactly `last`, ticks at whole numbers."""
    spacing = _spacing(max(last, 1.0) / num_ticks)
    return Axis(0.0, max(last, 1.0), start, stop, spacing if spacing.is_integer() else max(1.0, 2 * spacing))


def _spacing(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in _ROUND if factor * power >= wanted * (1 - 1e-9))
