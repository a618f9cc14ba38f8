"""What a drift check says of many series at once, with and without a step, without a simulation for each."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate._answer_series import LEAST_POWER, drift_trial, threshold_of
from seedbed.gate._check import Check
from seedbed.gate._drift_power import STEP, DriftTrial, lag_one_beside_a_step, power

__all__ = ["DriftAlarms", "drift_alarms"]

_GRID = (0.0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.95)


@final
@dataclass(frozen=True)
class DriftAlarms:
    """For each series: whether drift was found in it as it stands, and whether a step put into it was passed over.

    `sure` is whether the detector would see a step in such a series; where it would not, nothing seen is no answer.
    """

    still: NDArray[np.bool_]
    unseen: NDArray[np.bool_]
    sure: NDArray[np.bool_]


def drift_alarms(check: Check, samples: NDArray[np.float64]) -> DriftAlarms:
    """The answers of a drift check on series without drift, in rows, and on the same with a step half-way.

    Thresholds and powers are worked out at seven correlations and interpolated between them.
    """
    trials = [drift_trial(check, samples.shape[1], rho) for rho in _GRID]
    thresholds = [threshold_of(check, trial) for trial in trials]
    powers = [power(trial, threshold) for trial, threshold in zip(trials, thresholds, strict=True)]
    stepped = samples.copy()
    stepped[:, samples.shape[1] // 2 :] += -STEP if trials[0].sides == {"down"} else STEP
    still, sure = _found(trials[0], samples, thresholds, powers)
    seen, sure_of_step = _found(trials[0], stepped, thresholds, powers)
    return DriftAlarms(still=still, unseen=~seen & sure_of_step, sure=sure)


def _found(
    trial: DriftTrial, samples: NDArray[np.float64], thresholds: list[float], powers: list[float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    rho = np.array([lag_one_beside_a_step(each) for each in samples])
    found: NDArray[np.bool_] = trial.top(samples) > np.interp(rho, _GRID, thresholds)
    sure: NDArray[np.bool_] = np.interp(rho, _GRID, powers) >= LEAST_POWER
    return found, sure
