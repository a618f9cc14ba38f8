"""A list of numbers as a small curve in a line of text."""

from collections.abc import Sequence

from seedbed.render.facts._history import thinned
from seedbed.render.svg._axis import Axis

__all__ = ["small_curve"]

_WIDTH, _HEIGHT, _MARGIN = 120.0, 22.0, 2.0


def small_curve(values: Sequence[float]) -> str:
    """The path of `values` in a box of 120 by 22 units; a single value and equal values are a level line."""
    low, high = min(values), max(values)
    across = Axis(0.0, float(max(1, len(values) - 1)), _MARGIN, _WIDTH - _MARGIN, 1.0)
    up = Axis(low, high, _HEIGHT - _MARGIN, _MARGIN, 1.0) if high > low else Axis(low - 1, low + 1, _HEIGHT, 0.0, 1.0)
    points = thinned(tuple((float(place), value) for place, value in enumerate(values)), int(_WIDTH))
    path = "M" + " ".join(f"{across.at(place):g},{up.at(value):g}" for place, value in points)
    return path if len(points) > 1 else f"{path}H{_WIDTH - _MARGIN:g}"
