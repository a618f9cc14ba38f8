"""The simulated market as a Gymnasium environment (needs the extra `soak`)."""

from typing import Any, SupportsFloat, final

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from seedbed.change.parameters import nearest_on_grid
from seedbed.soak.market._market import MARKET_KPIS
from seedbed.soak.market._plant import MarketPlant
from seedbed.soak.market._registry import TUNER_SUBSYSTEM

__all__ = ["MarketEnv"]

FloatArray = NDArray[np.float64]

_FAR = 1e6  # far beyond every KPI


@final
class MarketEnv(gymnasium.Env[FloatArray, FloatArray]):
    """The market as an environment: one step is one iteration of `MarketPlant`. It says nothing about real profit.

    An action is a number in -1..1 for every setting that is not the tuner's, in the registry's order: its position
    between its bounds. An observation is the mean of every KPI, in the order of `MARKET_KPIS`, 0 for one without
    samples. The reward is the mean `edge_bps_per_hour`. It is truncated after `iterations` steps. `info` has the
    market's `seed` and the `iteration`: a `MarketPlant` of that seed measures the same.
    """

    def __init__(self, iterations: int = 96) -> None:
        self._plant = MarketPlant(0)
        self._parameters = [p for p in self._plant.registry if p.subsystem != TUNER_SUBSYSTEM]
        self._iterations, self._iteration, self._seed = iterations, 0, 0
        self.action_space = Box(-1.0, 1.0, (len(self._parameters),), np.float64)
        self.observation_space = Box(-_FAR, _FAR, (len(MARKET_KPIS),), np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start another market, or that of `seed`. The first observation is of its initial settings."""
        super().reset(seed=seed, options=options)
        self._seed = int(self.np_random.integers(2**31))
        self._plant, self._iteration = MarketPlant(self._seed), 0
        return self._observe(), self._info()

    def step(self, action: FloatArray) -> tuple[FloatArray, SupportsFloat, bool, bool, dict[str, Any]]:
        """Run the next iteration with the settings of the action."""
        values = dict(self._plant.initial)
        for position, parameter in zip(action, self._parameters, strict=True):
            wanted = parameter.low + (float(position) + 1) / 2 * (parameter.high - parameter.low)
            values[parameter.key] = nearest_on_grid(parameter, wanted)
        self._plant.take(values)
        observed = self._observe()
        edge = float(observed[list(MARKET_KPIS).index("edge_bps_per_hour")])
        return observed, edge, False, self._iteration >= self._iterations, self._info()

    def _observe(self) -> FloatArray:
        self._iteration += 1
        samples = self._plant.measure(self._iteration).samples
        return np.array([np.mean(samples[kpi]) if samples[kpi] else 0.0 for kpi in MARKET_KPIS])

    def _info(self) -> dict[str, Any]:
        return {"seed": self._seed, "iteration": self._iteration}
