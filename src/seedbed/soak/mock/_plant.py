"""The mock plant: a few of the market's settings, KPIs as smooth functions of them, and noise."""

from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.change import Registry
from seedbed.errors import InvalidInput
from seedbed.soak._plant import Measurement
from seedbed.soak.market._registry import MARKET_INITIAL, TUNER_SUBSYSTEM, market_registry

__all__ = ["MOCK_KPIS", "MOCK_OPTIMUM", "MockPlant", "mock_registry"]

_NUM_SAMPLES, _MEMORY = 60, 0.6

MOCK_OPTIMUM: Mapping[str, float] = {
    "base_spread_bps": 14.0,
    "risk_limit_ratio": 0.2,
    "replace_rate_per_min": 120.0,
    "concurrency_limit": 6.0,
    "tail_age_ms": 1200.0,
}
"""The settings with the highest expected `edge_bps_per_hour`, for every seed."""

_WEIGHTS: Mapping[str, float] = {
    "base_spread_bps": 60.0,
    "risk_limit_ratio": 30.0,
    "replace_rate_per_min": 20.0,
    "concurrency_limit": 20.0,
    "tail_age_ms": 15.0,
}
_BEST, _NOISE = 30.0, 0.08


def mock_registry() -> Registry:
    """The mock's settings: five of the market's, and those of the subsystem `tuner`."""
    return Registry(p for p in market_registry() if p.subsystem == TUNER_SUBSYSTEM or p.key in MOCK_OPTIMUM)


@final
class MockPlant:
    """A `Plant` for tests of the loop: every KPI is a smooth function of the settings, times AR(1) noise.

    The objective falls with the square of each setting's distance from `MOCK_OPTIMUM`, as a fraction of its range. The
    noise of iteration i is the same for every plant of one seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._registry = seed, mock_registry()
        self._initial = {key: MARKET_INITIAL[key] for key in self._registry.keys()}  # noqa: SIM118  not a mapping
        self._held = dict(self._initial)
        lag = np.subtract.outer(np.arange(_NUM_SAMPLES), np.arange(_NUM_SAMPLES))
        self._ar1 = np.where(lag >= 0, _MEMORY ** np.maximum(lag, 0), 0.0)
        self._ar1[:, 1:] *= np.sqrt(1 - _MEMORY**2)

    @property
    def registry(self) -> Registry:
        """All its settings."""
        return self._registry

    @property
    def initial(self) -> Mapping[str, float]:
        """The first value of every setting, by key."""
        return dict(self._initial)

    def take(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Run with these values from the next measurement on. Raises InvalidInput and keeps the old ones."""
        self._held = self._registry.validate_all(values)
        return dict(self._held)

    def measure(self, iteration: int) -> Measurement:
        """Run iteration `iteration`, counted from 1, with the values held. Raises InvalidInput for one below 1."""
        if iteration < 1:
            raise InvalidInput(f"mock: iteration {iteration}, expected 1 or more")
        means = _expected_kpis(self._registry, self._held)
        normal = np.random.default_rng([self._seed, iteration]).standard_normal((_NUM_SAMPLES, len(means)))
        factors: NDArray[np.float64] = np.exp(_NOISE * (self._ar1 @ normal))
        samples = {kpi: tuple((mean * factors[:, at]).tolist()) for at, (kpi, mean) in enumerate(means.items())}
        return Measurement(used=dict(self._held), samples=samples)


def _expected_kpis(registry: Registry, held: Mapping[str, float]) -> dict[str, float]:
    away = {key: (held[key] - best) / (registry[key].high - registry[key].low) for key, best in MOCK_OPTIMUM.items()}
    edge = _BEST - sum(weight * away[key] ** 2 for key, weight in _WEIGHTS.items())
    load = held["replace_rate_per_min"] / 240 + 200 / held["tail_age_ms"]
    return {
        "edge_bps_per_hour": edge,
        "net_bps": edge / 8,
        "fill_rate": float(np.exp(-held["base_spread_bps"] / 14)),
        "adverse_bps": 2.0 + 60 / (10 + held["replace_rate_per_min"]) + held["tail_age_ms"] / 3000,
        "latency_ms": 60.0 + 300 * load / held["concurrency_limit"] + 6 * held["concurrency_limit"],
        "order_age_ms": 0.6 * held["tail_age_ms"],
        "risk_ratio": 0.1 / held["risk_limit_ratio"],
    }


MOCK_KPIS: tuple[str, ...] = tuple(_expected_kpis(mock_registry(), MOCK_OPTIMUM))
"""The KPIs that the mock measures."""
