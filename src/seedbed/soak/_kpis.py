"""The statistics of one iteration's samples, which rules, tuners and summaries read."""

from collections.abc import Mapping
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from seedbed.soak._plant import Measurement

__all__ = ["STATISTICS", "kpis"]

STATISTICS: tuple[str, ...] = ("mean", "p95", "low", "high")
"""The statistics that `kpis` gives of every KPI: `<kpi>_mean`, and so on."""

_BATCHES, _STUDENT_T = 6, 2.571  # the 97.5 % quantile of Student's t with 5 degrees of freedom


def kpis(measurement: Measurement) -> Mapping[str, float]:
    """Mean, 95 % quantile and 95 % interval of the mean of every KPI that has samples; pure.

    `low` and `high` come from batch means (Conway 1963; Law and Kelton), since successive samples are not independent:
    six consecutive batches, Student's t. They are left out with fewer than two samples a batch, and all four without
    any sample.
    """
    found: dict[str, float] = {}
    for kpi, samples in measurement.samples.items():
        values = np.array([sample for sample in samples if isfinite(sample)])
        found |= {f"{kpi}_{statistic}": value for statistic, value in _statistics(values).items()}
    return found


def _statistics(values: NDArray[np.float64]) -> dict[str, float]:
    if not values.size:
        return {}
    middle = float(values.mean())
    found = {"mean": middle, "p95": float(np.quantile(values, 0.95))}
    if values.size < 2 * _BATCHES:
        return found
    batches = np.array([batch.mean() for batch in np.array_split(values, _BATCHES)])
    reach = _STUDENT_T * float(batches.std(ddof=1)) / _BATCHES**0.5
    return {**found, "low": middle - reach, "high": middle + reach}
