"""Parameters of every kind, and proposed changes for their guards, for the tests of `change`."""

from dataclasses import dataclass
from itertools import pairwise
from math import nextafter
from typing import Any

from hypothesis import strategies as st

from seedbed.change import Conditions, Move, Number, Parameter, ProposedChange
from seedbed.errors import InvalidInput

SUBSYSTEMS = ("optimizer", "quotes", "risk")
numbers = st.floats(-1e3, 1e3)
steps = st.integers(0, 1000)
decimals = st.integers(-1000, 1000).map(lambda each: each / 10)


@dataclass(frozen=True)
class Grid:
    low: float
    high: float
    increment: float | None
    number: Number


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    number = draw(st.sampled_from(Number))
    if number is Number.BOOL:
        return Grid(0, 1, 1, number)
    if number is Number.INT:
        first, last = sorted((draw(st.integers(-100, 100)), draw(st.integers(-100, 100))))
        return Grid(first, last, draw(st.sampled_from([1, 5])), number)
    drawn = (draw(decimals | numbers) for _ in range(2))
    low, high = sorted(0.0 if abs(each) < 1e-6 else each for each in drawn)  # one zero, none like it
    return Grid(low, high, draw(st.sampled_from([None, 0.1, 0.25, 1 / 3, 0.001, 7.0])), number)


@st.composite
def parameters(draw: st.DrawFn, key: str = "optimizer.lr") -> Parameter:
    """Any parameter; half of them have no velocity cap, half no oscillation window."""
    grid = draw(grids())
    least = grid.increment or 1e-3
    return Parameter(
        key,
        "1",
        grid.low,
        grid.high,
        cooldown_steps=draw(st.sampled_from([0, 0, 10, 500])),
        number=grid.number,
        increment=grid.increment,
        velocity_cap=draw(st.none() | st.integers(1, 50).map(lambda each: least * each)),
        velocity_window_steps=draw(st.sampled_from([1, 50, 1000])),
        oscillation_window=draw(st.sampled_from([0, 3, 4])),
        subsystem=draw(st.sampled_from(SUBSYSTEMS)),
    )


def values(parameter: Parameter) -> st.SearchStrategy[float]:
    """Values on the grid, within rounding of it, anywhere, and beyond the bounds."""
    step = parameter.increment or 0.1
    most = int((parameter.high - parameter.low) / step) + 2
    points = st.integers(-2, min(most, 10_000)).map(lambda each: parameter.low + each * step)
    nudged = st.builds(nextafter, points, st.sampled_from([-1e9, 1e9]))
    within = st.floats(parameter.low, parameter.high)
    return points | nudged | within | numbers


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    reasons = st.dictionaries(st.sampled_from([*SUBSYSTEMS, "*"]), st.just("so it was seen"), max_size=1)
    frozen, unhealthy, drifted = draw(st.tuples(reasons, reasons, reasons) | st.just(({}, {}, {})))
    return Conditions(frozen, unhealthy, drifted)


@st.composite
def proposed_changes(draw: st.DrawFn, key: str = "optimizer.lr") -> ProposedChange:
    """A proposed change with up to five earlier moves, each from where the one before it ended."""
    declared = draw(parameters(key))
    at = sorted(draw(st.lists(steps, min_size=1, max_size=6)))
    course = draw(st.lists(values(declared), min_size=len(at) + 1, max_size=len(at) + 1))
    moves = [Move(step, before, after) for step, (before, after) in zip(at, pairwise(course), strict=True)]
    return ProposedChange(declared, moves[-1], tuple(moves[:-1]), draw(conditions()))


def with_limits(parameter: Parameter, **limits: Any) -> Parameter | None:
    """The parameter with other limits; None where they contradict one another."""
    fields: dict[str, Any] = {name: getattr(parameter, name) for name in parameter.__slots__}
    try:
        return Parameter(**(fields | limits))
    except InvalidInput:
        return None
