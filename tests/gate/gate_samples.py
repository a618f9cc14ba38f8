"""Series that the gate's tests share."""

from collections.abc import Iterable

import numpy as np

from seedbed.contracts import CheckReport, Verdict
from seedbed.gate import judge, parse_gate
from seedbed.gate.bounds._simulated import autoregressive


def one_series(lag_one: float = 0.0, num_samples: int = 240, *, seed: int = 0, mean: float = 0.0) -> np.ndarray:
    """A series of standard deviation 1 around `mean`."""
    return autoregressive(lag_one, num_samples, 1, np.random.default_rng(seed))[0] + mean


def report_on(check: object, record: dict, known: Iterable[str] = ()) -> CheckReport:
    """The report on one check."""
    return judge(parse_gate({"checks": [check]}), record, known=known).checks[0]


def verdict_on(check: object, record: dict) -> Verdict:
    """The verdict on one check."""
    return report_on(check, record).verdict
