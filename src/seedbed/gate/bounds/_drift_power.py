"""The threshold of a drift detector and its power to detect a step, both by simulation."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._bootstrap import lag_one
from seedbed.gate.bounds._drift import Detector, heights
from seedbed.gate.bounds._samples import from_first, in_units
from seedbed.gate.bounds._simulated import autoregressive

__all__ = ["STEP", "DriftTrial", "drift_threshold", "lag_one_without_step", "power"]

# The step that a detector must be able to detect, half-way, in standard deviations of the series before it.
STEP = 2.0
_MOST_CORRELATED = 0.95
_MOST_VALUES = 200_000


@final
@dataclass(frozen=True)
class DriftTrial:
    """Simulated series to try a detector on: of as many samples and the same correlation, for `sides` of drift."""

    detector: Detector
    sides: frozenset[str]
    delta: float
    num_samples: int
    lag_one: float

    def top(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest evidence on these sides, for each series in rows."""
        by_side = dict(zip(("up", "down"), heights(self.detector, samples, self.delta), strict=True))
        tops: NDArray[np.float64] = np.max([by_side[side].max(axis=-1) for side in sorted(self.sides)], axis=0)
        return tops

    def series(self, seed: int) -> NDArray[np.float64]:
        """Series without drift, in rows."""
        num_series = min(1000, max(200, _MOST_VALUES // self.num_samples))
        return autoregressive(self.lag_one, self.num_samples, num_series, np.random.default_rng(seed))


def drift_threshold(trial: DriftTrial, confidence: float, *, seed: int = 0) -> float:
    """The threshold that a share `confidence` of series without drift stays below, in standard deviations."""
    return float(np.quantile(trial.top(trial.series(seed)), confidence))


def power(trial: DriftTrial, threshold: float, *, seed: int = 1) -> float:
    """The share of series with a step of STEP standard deviations half-way in which drift is detected."""
    samples = trial.series(seed)
    samples[:, trial.num_samples // 2 :] += -STEP if trial.sides == {"down"} else STEP
    return float((trial.top(samples) > threshold).mean())


def lag_one_without_step(samples: NDArray[np.float64]) -> float:
    """The correlation of samples with their predecessors once the largest single step is taken out of them.

    A step also makes samples similar to their predecessors. Counted as correlation it would raise the threshold and so
    hide itself. Removing the step lowers the correlation; (8 + 10 rho) / n is added back, chosen by simulation.
    """
    samples = in_units(samples)
    at = _largest_step(samples)
    parts = [from_first(part) for part in (samples[:at], samples[at:])]
    remaining = lag_one(np.concatenate([part - part.mean() for part in parts]))
    found = (remaining - 1 / samples.size) / (1 + 3 / samples.size)
    return min(max(found + (8 + 10 * found) / samples.size, 0.0), _MOST_CORRELATED)


def _largest_step(samples: NDArray[np.float64]) -> int:
    num_samples, edge = samples.size, max(4, samples.size // 10)
    before = np.arange(1, num_samples)
    gain = (samples - samples.mean()).cumsum()[:-1] ** 2 / (before * (num_samples - before))
    return edge + int(gain[edge - 1 : num_samples - edge].argmax())
