"""The values that a parameter may take, told apart exactly although floats round.

A number is read as the shortest decimal that stands for it, as people write it: 0.8 - 0.7 is 0.1 here. On a grid, a
value within rounding of a point is that point, so that 0.1 + 0.2 is 0.3 and does not lie beyond a bound of 0.3.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, nextafter

from seedbed.change.parameters._parameter import Parameter

__all__ = ["allowed", "decimal", "exact", "farthest", "nearest_on_grid", "neighbours", "on_grid"]


def exact(parameter: Parameter, value: float) -> Fraction:
    """The number that `value` stands for: the grid point it is within rounding of, else its shortest decimal."""
    point = _point(parameter, value)
    return decimal(value) if point is None else point


def on_grid(parameter: Parameter, value: float) -> float:
    """`value`, or the grid point that it is within rounding of."""
    if parameter.increment is None:
        return value
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return value if point is None else point[1]


def allowed(parameter: Parameter, value: float) -> float | None:
    """The value within bounds, and on the grid where there is one, that `value` is; None when it is none."""
    if parameter.increment is None:
        return value if parameter.low <= value <= parameter.high else None
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return None if point is None else point[1]


def nearest_on_grid(parameter: Parameter, value: float) -> float:
    """The value within the bounds, and on the grid where there is one, that lies nearest to `value`."""
    within = min(max(value, parameter.low), parameter.high)
    if parameter.increment is None:
        return within
    low, high, increment = (decimal(each) for each in (parameter.low, parameter.high, parameter.increment))
    steps = min(round((decimal(within) - low) / increment), floor((high - low) / increment))
    return float(low + steps * increment)


def neighbours(parameter: Parameter, value: float) -> tuple[float, ...]:
    """The grid points within bounds on both sides of a value that lies off the grid; none for one that lies on it."""
    if parameter.increment is None or _point(parameter, value) is not None:
        return ()
    low, increment = decimal(parameter.low), decimal(parameter.increment)
    below = low + floor((decimal(value) - low) / increment) * increment
    return tuple(float(each) for each in (below, below + increment) if low <= each <= decimal(parameter.high))


def farthest(parameter: Parameter, before: float, limit: Fraction) -> float:
    """The value farthest from `before` that does not lie beyond `limit`; `before` where there is no other.

    Where there is a grid, it is one of its points within the bounds.
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
    """The grid point within bounds that `value` is, as far as rounding can tell."""
    if parameter.increment is None:
        return None
    point = _grid_point(parameter.low, parameter.high, parameter.increment, value)
    return None if point is None else point[0]


# Exact arithmetic takes microseconds a number, and a settings file is read several times for each change.
@lru_cache(maxsize=4096)
def _grid_point(low: float, high: float, increment: float, value: float) -> tuple[Fraction, float] | None:
    """The point, exact and as a float.

    Rounding is that of float32, which some live objects keep their settings in, but never so much that a value could
    be near two points.
    """
    number, first, last, step = (decimal(each) for each in (value, low, high, increment))
    point = first + round((number - first) / step) * step
    rounding = min(step / 1000, max(abs(first), abs(last)) / 2**23)
    return (point, float(point)) if abs(number - point) <= rounding and first <= point <= last else None


@lru_cache(maxsize=4096)
def decimal(value: float) -> Fraction:
    """The shortest decimal that stands for a float."""
    return Fraction(repr(float(value)))
