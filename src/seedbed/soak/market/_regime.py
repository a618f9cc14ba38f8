"""How the simulated market behaves for a while, and when that changes."""

from dataclasses import dataclass

import numpy as np

__all__ = ["REGIMES", "Regime", "regime_at"]

_SHORTEST_ITERATIONS, _LONGEST_ITERATIONS = 24, 72


@dataclass(frozen=True, slots=True)
class Regime:
    """What does not depend on us. Orders reach a quote `d` bps from the mid at `orders_per_min * exp(-decay * d)`.

    `volatility_bps` is the mid's standard deviation over one minute, `orders_per_min` the flow to each side,
    `decay_per_bps` how fast it thins with distance, `informed_share` the share of it that knows where the mid goes.
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
    chance = np.random.default_rng([seed, 0])
    at, end = int(chance.integers(len(REGIMES))), 0
    while True:
        end += int(chance.integers(_SHORTEST_ITERATIONS, _LONGEST_ITERATIONS + 1))
        if iteration <= end:
            return REGIMES[at]
        at = (at + int(chance.integers(1, len(REGIMES)))) % len(REGIMES)
