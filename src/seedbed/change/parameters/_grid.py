"""The values that a parameter may take, compared exactly although floats round.

A number is read as its shortest decimal, as people write it: 0.8 - 0.7 is 0.1 here. On a grid, a value that differs
from a point only by rounding is that point, so that 0.1 + 0.2 is 0.3 and not beyond a bound of 0.3.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, nextafter

from seedbed.change.parameters._parameter import Parameter

__all__ = ["allowed", "decimal", "exact", "farthest", "nearest_on_grid", "neighbours", "on_grid"]


def exact(parameter: Parameter, value: float) -> Fraction:
    """The exact number that `value` means: the grid point that equals it up to rounding, else its shortest decimal."""
    point = _point(parameter, value)
    return decimal(value) if point is None else point


def on_grid(parameter: Parameter, value: float) -> float:
    """The grid point that equals `value` up to rounding, else `value` itself."""
    if parameter.increment is None:
        return value
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return value if point is None else point[1]


def allowed(parameter: Parameter, value: float) -> float | None:
    """`value` as the parameter may take it, within bounds and on the grid if there is one; None if it may not."""
    if parameter.increment is None:
        return value if parameter.low <= value <= parameter.high else None
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return None if point is None else point[1]


def nearest_on_grid(parameter: Parameter, value: float) -> float:
    """The value nearest to `value` within the bounds, and on the grid where there is one."""
    within = min(max(value, parameter.low), parameter.high)
    if parameter.increment is None:
        return within
    low, high, increment = (decimal(each) for each in (parameter.low, parameter.high, parameter.increment))
    steps = min(round((decimal(within) - low) / increment), floor((high - low) / increment))
    return float(low + steps * increment)


def neighbours(parameter: Parameter, value: float) -> tuple[float, ...]:
    """The grid points next to a value that is off the grid, within bounds; none for a value on the grid."""
    if parameter.increment is None or _point(parameter, value) is not None:
        return ()
    low, increment = decimal(parameter.low), decimal(parameter.increment)
    below = low + floor((decimal(value) - low) / increment) * increment
    return tuple(float(each) for each in (below, below + increment) if low <= each <= decimal(parameter.high))


def farthest(parameter: Parameter, before: float, limit: Fraction) -> float:
    """The value farthest from `before` that is not beyond `limit`; `before` itself where there is no other.

    Where there is a grid, it is a grid point within the bounds.
    """
    here = exact(parameter, before)
    if limit == here:
        return before
    if parameter.increment is None:
        value = float(limit)
        beyond = decimal(value) > limit if limit > here else decimal(value) < limit
        return nextafter(value, before) if beyond else value
    low, high, increment = (decimal(each) for each in (parameter.low, parameter.high, parameter.increment))
    if limit > here:
        point = low + floor((min(limit, high) - low) / increment) * increment
    else:
        point = low + ceil((max(limit, low) - low) / increment) * increment
    between = min(here, limit) <= point <= max(here, limit) and point != here
    return float(point) if between and low <= point <= high else before


def _point(parameter: Parameter, value: float) -> Fraction | None:
    """The grid point within bounds that equals `value` up to rounding; None when there is none."""
    if parameter.increment is None:
        return None
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return None if point is None else point[0]


# Exact arithmetic takes microseconds a number, and a settings file is read several times for each change.
@lru_cache(maxsize=4096)
def _grid_point(low: float, high: float, increment: float, value: float) -> tuple[Fraction, float] | None:
    """The grid point that equals `value` up to rounding: exact, and as a float.

    The tolerance is the rounding of float32, since some live objects keep their settings in float32. It is never so
    large that a value could equal two points.
    """
    number, first, last, step = (decimal(each) for each in (value, low, high, increment))
    point = first + round((number - first) / step) * step
    rounding = min(step / 1000, max(abs(first), abs(last)) / 2**23)
    return (point, float(point)) if abs(number - point) <= rounding and first <= point <= last else None


@lru_cache(maxsize=4096)
def decimal(value: float) -> Fraction:
    """The shortest decimal that rounds to this float."""
    return Fraction(repr(float(value)))
