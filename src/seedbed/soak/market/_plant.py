"""The plant that is a simulated market."""

from collections.abc import Mapping
from typing import final

import numpy as np

from seedbed.change import Registry
from seedbed.errors import InvalidInput
from seedbed.soak._plant import Measurement
from seedbed.soak.market._draws import draw
from seedbed.soak.market._market import simulate
from seedbed.soak.market._regime import regime_at
from seedbed.soak.market._registry import MARKET_INITIAL, market_registry

__all__ = ["MarketPlant"]


@final
class MarketPlant:
    """A `Plant`: the market of `seed`. An iteration is 60 samples of 15 simulated seconds. A toy; see `simulate`.

    All plants of one seed have the same random numbers in iteration i, whatever their settings and earlier iterations.
    """

    def __init__(self, seed: int, initial: Mapping[str, float] = MARKET_INITIAL) -> None:
        self._seed, self._registry = seed, market_registry()
        self._initial = self._registry.validate_all(initial)
        self._held = dict(self._initial)

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
            raise InvalidInput(f"market: iteration {iteration}, expected 1 or more")
        samples = simulate(self._held, draw(self._seed, iteration, regime_at(self._seed, iteration)))
        return Measurement(
            used=dict(self._held),
            samples={kpi: tuple(found[np.isfinite(found)].tolist()) for kpi, found in samples.items()},
        )
