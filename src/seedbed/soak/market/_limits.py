"""Applies the settings of the subsystem `tuner`: they limit how all other settings may change."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from seedbed.change import Parameter, Registry
from seedbed.soak.market._registry import TUNER_SUBSYSTEM

__all__ = ["ITERATIONS_PER_HOUR", "limited"]

ITERATIONS_PER_HOUR = 4
_HORIZON = 2  # iterations for each move of the oscillation window: a slower swing comes from the market


def limited(registry: Registry, values: Mapping[str, float]) -> Registry:
    """The registry with the limits that the live tuner values set for every parameter outside the subsystem `tuner`.

    A parameter waits `cooldown_iters` iterations between changes. It moves by at most `velocity_cap` of its range in
    one iteration, and by at most `max_delta_per_hour` of its range in one hour. `oscillation_window` moves back and
    forth, within twice as many iterations, count as an oscillation. Raises NotFound when the registry lacks one of
    these, KeyError when the values do.
    """
    for key in ("max_delta_per_hour", "cooldown_iters", "velocity_cap", "oscillation_window"):
        registry[key]
    return Registry(p if p.subsystem == TUNER_SUBSYSTEM else _limited(p, values) for p in registry)


def _limited(parameter: Parameter, values: Mapping[str, float]) -> Parameter:
    share, window = _velocity(values["velocity_cap"], values["max_delta_per_hour"])
    least = parameter.increment or 0.0  # a whole number must be able to move by one, or it could not move at all
    return replace(
        parameter,
        cooldown_steps=int(values["cooldown_iters"]),
        velocity_cap=max(share * (parameter.high - parameter.low), least),
        velocity_window_steps=window,
        oscillation_window=int(values["oscillation_window"]),
        oscillation_horizon_steps=_HORIZON * int(values["oscillation_window"]),
    )


def _velocity(by_iteration: float, by_hour: float) -> tuple[float, int]:
    """The (share, window in iterations) that keeps both limits and still lets the smaller one be reached.

    It divides the hour's share into the fewest equal moves that one iteration allows, each with its part of the hour.
    """
    moves = [n for n in range(1, ITERATIONS_PER_HOUR + 1) if ITERATIONS_PER_HOUR % n == 0]
    few = min((n for n in moves if by_hour / n <= by_iteration), default=inf)
    if few == inf:
        return by_iteration, 1
    return by_hour / few, ITERATIONS_PER_HOUR // int(few)
