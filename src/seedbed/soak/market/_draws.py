"""The random numbers of the simulated market: the same for every plant of one seed, whatever its settings."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from seedbed.soak.market._regime import Regime

__all__ = ["NUM_SAMPLES", "SAMPLE_MINUTES", "Draws", "draw", "stacked"]

NUM_SAMPLES, SAMPLE_MINUTES = 60, 0.25
_MOST_ORDERS = 28
_VOLATILITY_MEMORY, _VOLATILITY_SPREAD, _VOLUME_SPREAD = 0.85, 0.25, 0.5

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of N iterations, of T samples, S = 2 sides (bid, ask) and M orders each.

    volatility_NT in bps over a minute; volume_NT a factor around 1; mid_NT the mid's path in bps; latency_NT a factor
    around 1. By order: reach_NTSM how many bps deep it would trade (-1 for no order), luck_NTSM uniform, jump_NTSM how
    many volatilities the mid then moves against us (0 for an uninformed order), noise_NTSM standard normal.
    """

    volatility_NT: FloatArray  # noqa: N815  array names carry their shape
    volume_NT: FloatArray  # noqa: N815
    mid_NT: FloatArray  # noqa: N815
    latency_NT: FloatArray  # noqa: N815
    reach_NTSM: FloatArray  # noqa: N815
    luck_NTSM: FloatArray  # noqa: N815
    jump_NTSM: FloatArray  # noqa: N815
    noise_NTSM: FloatArray  # noqa: N815


def draw(seed: int, iteration: int, regime: Regime) -> Draws:
    """The random numbers of one iteration (N = 1). Pure."""
    generator = np.random.default_rng([seed, iteration])
    one, orders = (1, NUM_SAMPLES), (1, NUM_SAMPLES, 2, _MOST_ORDERS)
    volatility = regime.volatility_bps * _persistent(generator.standard_normal(one))
    volume = np.exp(_VOLUME_SPREAD * generator.standard_normal(one) - _VOLUME_SPREAD**2 / 2)
    mid = np.cumsum(volatility * np.sqrt(SAMPLE_MINUTES) * generator.standard_normal(one), axis=1)
    latency = generator.gamma(4.0, 0.25, one)
    present = np.arange(_MOST_ORDERS) < generator.poisson(regime.orders_per_min * SAMPLE_MINUTES, orders[:3])[..., None]
    reach = generator.standard_exponential(orders) / regime.decay_per_bps
    informed = generator.random(orders) < regime.informed_share
    return Draws(
        volatility_NT=volatility,
        volume_NT=volume,
        mid_NT=mid,
        latency_NT=latency,
        reach_NTSM=np.where(present, reach, -1.0),
        luck_NTSM=generator.random(orders),
        jump_NTSM=np.where(informed, generator.standard_exponential(orders), 0.0),
        noise_NTSM=generator.standard_normal(orders),
    )


def stacked(draws: Sequence[Draws]) -> Draws:
    """Many iterations in one value, along N."""
    most = max(int((one.reach_NTSM >= 0).sum(axis=-1).max()) for one in draws)  # later places are empty in all of them
    side_by_side = {field.name: np.concatenate([getattr(one, field.name) for one in draws]) for field in fields(Draws)}
    return Draws(**{name: array[..., :most] if array.ndim == 4 else array for name, array in side_by_side.items()})


def _persistent(normal_NT: FloatArray) -> FloatArray:  # noqa: N803
    """Log-normal factors with mean near 1, each sample's logarithm an AR(1) of the one before."""
    lag = np.subtract.outer(np.arange(NUM_SAMPLES), np.arange(NUM_SAMPLES))
    weights = np.where(lag >= 0, _VOLATILITY_MEMORY ** np.maximum(lag, 0), 0.0)
    weights[:, 1:] *= np.sqrt(1 - _VOLATILITY_MEMORY**2)  # the first sample is drawn from the stationary law
    logarithm = _VOLATILITY_SPREAD * normal_NT @ weights.T
    return np.asarray(np.exp(logarithm - _VOLATILITY_SPREAD**2 / 2))
