"""The best settings of the simulated market, found from its own expected KPIs."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seedbed.change import Number, Parameter
from seedbed.change.parameters import nearest_on_grid
from seedbed.soak.market._draws import Draws, draw, stacked
from seedbed.soak.market._market import simulate
from seedbed.soak.market._regime import Regime
from seedbed.soak.market._registry import MARKET_INITIAL, TUNER_SUBSYSTEM, market_registry

__all__ = ["expected", "long_run", "optimum"]

_SEED, _NUM_ITERATIONS = 2**31 - 1, 96
_COARSE_POINTS = 9
_FINER = (0.08, 0.08, 0.04, 0.04, 0.02, 0.02)
_SPREAD = "base_spread_bps"


def long_run(regime: Regime, seed: int = _SEED, num_iterations: int = _NUM_ITERATIONS) -> Draws:
    """The random numbers of many iterations of one regime, for the expected KPIs."""
    return stacked([draw(seed, iteration, regime) for iteration in range(1, num_iterations + 1)])


def expected(values: Mapping[str, float], draws: Draws) -> dict[str, float]:
    """The mean of every KPI over these draws, without missing samples; NaN for a KPI without any."""
    return {kpi: _mean(found) for kpi, found in simulate(values, draws).items()}


def optimum(regime: Regime, num_iterations: int = _NUM_ITERATIONS) -> dict[str, float]:
    """The settings with the highest expected `edge_bps_per_hour` in that regime; tuner settings are not moved.

    Deterministic: one key after the other, first over its whole range, then in smaller and smaller steps, always with
    the same draws. The search is local after the first pass; tests compare it with brute force.
    """
    draws = long_run(regime, num_iterations=num_iterations)
    keys = [parameter for parameter in market_registry() if parameter.subsystem != TUNER_SUBSYSTEM]
    values = dict(MARKET_INITIAL)
    for parameter in keys:
        whole = np.linspace(parameter.low, parameter.high, _COARSE_POINTS)
        values = _best(draws, [values, *(_with(values, parameter, at) for at in whole)])
    for share in _FINER:
        for parameter in keys:
            values = _best(draws, [values, *_around(values, parameter, share)])
    return values


def _around(values: dict[str, float], parameter: Parameter, share: float) -> Iterator[dict[str, float]]:
    """One step of that parameter up or down, alone and with a step of the spread, on which most others depend."""
    spread = market_registry()[_SPREAD]
    reach = share * (parameter.high - parameter.low)
    if parameter.number is not Number.FLOAT:
        reach = max(reach, 1.0)
    for sign, other in product((-1, 1), (0, -1, 1)):
        beside = _with(values, spread, values[_SPREAD] + other * share * (spread.high - spread.low) / 2)
        yield _with(beside, parameter, values[parameter.key] + sign * reach)


def _with(values: dict[str, float], parameter: Parameter, value: float) -> dict[str, float]:
    return {**values, parameter.key: nearest_on_grid(parameter, float(value))}


def _best(draws: Draws, candidates: Iterable[dict[str, float]]) -> dict[str, float]:
    return max(candidates, key=lambda values: float(simulate(values, draws)["edge_bps_per_hour"].mean()))


def _mean(found: NDArray[np.float64]) -> float:
    measured = found[np.isfinite(found)]
    return float(measured.mean()) if measured.size else float("nan")
