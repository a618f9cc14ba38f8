"""The answers of a drift check on many series at once, with and without a step."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate._answer_series import LEAST_POWER, drift_trial, threshold_of
from seedbed.gate._check import Check
from seedbed.gate.bounds._drift_power import STEP, DriftTrial, lag_one_without_step, power

__all__ = ["DriftAlarms", "drift_alarms"]

_GRID = (0.0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.95)


@final
@dataclass(frozen=True)
class DriftAlarms:
    """For each series: whether drift was found without a step, and whether an added step was missed.

    `has_power` says whether the detector would find a step in such a series. Where it would not, finding no drift is
    inconclusive.
    """

    false_alarms: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    has_power: NDArray[np.bool_]


def drift_alarms(check: Check, samples: NDArray[np.float64]) -> DriftAlarms:
    """The answers of a drift check on series without drift, in rows, and on the same with a step half-way.

    Thresholds and powers are computed at seven correlations and interpolated between them.
    """
    trials = [drift_trial(check, samples.shape[1], rho) for rho in _GRID]
    thresholds = [threshold_of(check, trial) for trial in trials]
    powers = [power(trial, threshold) for trial, threshold in zip(trials, thresholds, strict=True)]
    stepped = samples.copy()
    stepped[:, samples.shape[1] // 2 :] += -STEP if trials[0].sides == {"down"} else STEP
    false_alarms, has_power = _found(trials[0], samples, thresholds, powers)
    detected, has_power_with_step = _found(trials[0], stepped, thresholds, powers)
    return DriftAlarms(false_alarms=false_alarms, missed=~detected & has_power_with_step, has_power=has_power)


def _found(
    trial: DriftTrial, samples: NDArray[np.float64], thresholds: list[float], powers: list[float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    rho = np.array([lag_one_without_step(each) for each in samples])
    found: NDArray[np.bool_] = trial.top(samples) > np.interp(rho, _GRID, thresholds)
    has_power: NDArray[np.bool_] = np.interp(rho, _GRID, powers) >= LEAST_POWER
    return found, has_power
