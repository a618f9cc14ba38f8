"""The regimes of the simulated market, and when they change."""

from dataclasses import dataclass

import numpy as np

__all__ = ["REGIMES", "Regime", "regime_at"]

_SHORTEST_ITERATIONS, _LONGEST_ITERATIONS = 24, 72


@dataclass(frozen=True, slots=True)
class Regime:
    """A state of the market. Orders reach a quote `d` bps from the mid at the rate `orders_per_min * exp(-decay * d)`.

    `volatility_bps` is the mid's standard deviation over one minute, `orders_per_min` the orders to each side,
    `decay_per_bps` how fast they decrease with distance, `informed_share` the share that knows where the mid goes.
    """

    name: str
    volatility_bps: float
    orders_per_min: float
    decay_per_bps: float
    informed_share: float


REGIMES: tuple[Regime, ...] = (
    Regime("calm", 3.0, 20.0, 0.28, 0.15),
    Regime("busy", 4.0, 36.0, 0.24, 0.18),
    Regime("volatile", 6.0, 28.0, 0.16, 0.22),
    Regime("informed", 4.5, 22.0, 0.22, 0.32),
)


def regime_at(seed: int, iteration: int) -> Regime:
    """The regime of iteration `iteration`, from 1, in the market of `seed`; it changes after 24 to 72 iterations."""
    generator = np.random.default_rng([seed, 0])
    at, end = int(generator.integers(len(REGIMES))), 0
    while True:
        end += int(generator.integers(_SHORTEST_ITERATIONS, _LONGEST_ITERATIONS + 1))
        if iteration <= end:
            return REGIMES[at]
        at = (at + int(generator.integers(1, len(REGIMES)))) % len(REGIMES)
