"""The objective that the model tuner raises, less penalties for broken constraints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.soak.tuners._tuner import Observation

__all__ = ["Constraint", "Objective", "scores"]

_PRIOR_VARIANCE_RATIO = 4.0


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on a KPI. The penalty is `weight` times the excess over `limit`, as a fraction of `limit`."""

    kpi: str
    limit: float
    weight: float

    def penalty(self, seen: Observation) -> float:
        """The penalty in the objective's unit; 0 for a KPI that was not measured."""
        return self.weight * max(0.0, seen.kpis.get(self.kpi, 0.0) / self.limit - 1)


@dataclass(frozen=True, slots=True)
class Objective:
    """The KPI to raise, less the penalties of the constraints."""

    kpi: str = "edge_bps_per_hour_mean"
    constraints: tuple[Constraint, ...] = ()


def scores(objective: Objective, history: Sequence[Observation]) -> NDArray[np.float64]:
    """One number for each observation, in order; NaN where the KPI was not measured. Pure.

    With a control arm, the score is the difference from it. The part of the difference that still rises and falls with
    the control's own KPI (an active market lifts both arms, and the better settings more) is removed by a regression
    whose slope is shrunk towards 0.
    """
    raw = np.array([seen.kpis.get(objective.kpi, np.nan) for seen in history])
    control = np.array([seen.control.get(objective.kpi, np.nan) for seen in history])
    penalty = np.array([sum(each.penalty(seen) for each in objective.constraints) for seen in history])
    if not np.isfinite(control).all():
        return np.asarray(raw - penalty)
    difference = raw - control
    known = np.isfinite(difference)
    if known.sum() < 4:
        return np.asarray(difference - penalty)
    around = control - control[known].mean()
    spread = float(around[known] @ around[known])
    noise = _PRIOR_VARIANCE_RATIO * float(np.var(around[known]))
    slope = float(around[known] @ (difference - difference[known].mean())[known]) / (spread + noise + 1e-12)
    return np.asarray(difference - slope * around - penalty)
