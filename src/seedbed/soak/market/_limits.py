"""What the tuner settings mean: the limits under which the loop moves all the others."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from seedbed.change import Parameter, Registry
from seedbed.soak.market._registry import TUNER_SUBSYSTEM

__all__ = ["ITERATIONS_PER_HOUR", "limited"]

ITERATIONS_PER_HOUR = 4
_HORIZON = 2  # iterations for each move of the oscillation window: a slower swing is the market's own


def limited(registry: Registry, values: Mapping[str, float]) -> Registry:
    """The registry, every parameter outside the tuner's own subsystem limited as the live tuner values say.

    A parameter rests `cooldown_iters` iterations between changes. In one iteration it moves by at most `velocity_cap`
    of its range, in one hour by at most `max_delta_per_hour` of it. As many moves to and fro as `oscillation_window`
    says, within twice as many iterations, are an oscillation. Raises NotFound when the registry lacks one of these,
    KeyError when the values do.
    """
    for key in ("max_delta_per_hour", "cooldown_iters", "velocity_cap", "oscillation_window"):
        registry[key]
    return Registry(p if p.subsystem == TUNER_SUBSYSTEM else _limited(p, values) for p in registry)


def _limited(parameter: Parameter, values: Mapping[str, float]) -> Parameter:
    share, window = _velocity(values["velocity_cap"], values["max_delta_per_hour"])
    least = parameter.increment or 0.0  # a whole number that may not move by one may not move at all
    return replace(
        parameter,
        cooldown_steps=int(values["cooldown_iters"]),
        velocity_cap=max(share * (parameter.high - parameter.low), least),
        velocity_window_steps=window,
        oscillation_window=int(values["oscillation_window"]),
        oscillation_horizon_steps=_HORIZON * int(values["oscillation_window"]),
    )


def _velocity(by_iteration: float, by_hour: float) -> tuple[float, int]:
    """The one (share, window in iterations) that keeps both limits and still lets the smaller one be reached.

    It is the hour's share cut into the fewest equal moves that an iteration allows, each with its part of the hour.
    """
    moves = [n for n in range(1, ITERATIONS_PER_HOUR + 1) if ITERATIONS_PER_HOUR % n == 0]
    few = min((n for n in moves if by_hour / n <= by_iteration), default=inf)
    if few == inf:
        return by_iteration, 1
    return by_hour / few, ITERATIONS_PER_HOUR // int(few)
