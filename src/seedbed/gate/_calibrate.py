"""Estimates how often a check is wrong on series like the one that it judged, by simulation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import CheckReport, GateReport, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._answer_series import answer_arms
from seedbed.gate._bootstrap import lag_one
from seedbed.gate._calibrate_drift import drift_alarms
from seedbed.gate._check import Check, CheckOperator, Method
from seedbed.gate._drift import FEWEST_FOR_DRIFT
from seedbed.gate._estimate import Arms
from seedbed.gate._record_values import RecordValue, record_values
from seedbed.gate._sequence import FEWEST_FOR_SEQUENCE
from seedbed.gate._series import Series
from seedbed.gate._simulated import autoregressive
from seedbed.gate._spec import GateSpec
from seedbed.gate._statistics import WITH_INTERVAL, probability

__all__ = ["Calibration", "SeriesShape", "calibrate", "calibrated"]

_FEWEST = 8
_MOST_SERIES = 400
_MOST_VALUES = 100_000
_MOST_SAMPLES = 1000
_NUM_LOOKS = 8
_RESAMPLES = 200
_MOST_CORRELATED = 0.95


@final
@dataclass(frozen=True)
class SeriesShape:
    """The properties that simulated series share with a real one.

    `num_samples`, their standard deviation `spread` in the metric's unit, and `lag_one`, the correlation of each sample
    with the one before, between -1 and 1.
    """

    num_samples: int
    spread: float = 1.0
    lag_one: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.float64]) -> "SeriesShape":
        """The shape of at least two finite samples; the correlation is limited to -0.95 to 0.95."""
        samples = np.asarray(values, dtype=np.float64)
        rho = min(max(lag_one(samples), -_MOST_CORRELATED), _MOST_CORRELATED)
        return cls(samples.size, float(samples.std()) or 1.0, rho)


@final
@dataclass(frozen=True)
class Calibration:
    """How often a check passed and failed on simulated series whose true value is exactly at its threshold.

    For a drift check: how often it passed series whose second half is two standard deviations off, and failed series
    without drift. Both are shares of `num_series`, with a standard error of at most `standard_error`.
    """

    false_pass: float
    false_fail: float
    num_series: int

    @property
    def standard_error(self) -> float:
        """The larger standard error of the two shares, at least that of a share of one series."""
        shares = [max(share, 1 / self.num_series) for share in (self.false_pass, self.false_fail)]
        return max(sqrt(share * max(1 - share, 0.0) / self.num_series) for share in shares)


def calibrate(check: Check, shape: SeriesShape, *, num_series: int | None = None, seed: int = 0) -> Calibration:
    """The rates at which `check` passes and fails on normal autoregressions of order one of this shape.

    Series of more than a thousand samples are simulated as a thousand: beyond that the rates hardly change. A
    confidence sequence is asked eight times on the way, and one pass or fail among the answers counts. By default
    there are at most 400 series, fewer for long ones, which takes well under a second. The same seed gives the same
    rates. Raises InvalidInput for a statistic that has no true value, such as a maximum, and for fewer than eight
    samples.
    """
    fewest = FEWEST_FOR_DRIFT if check.is_drift else _FEWEST
    if shape.num_samples < fewest:
        raise InvalidInput(f"calibrate: {check.subject} needs {fewest} samples, found {shape.num_samples}; gather more")
    shape = replace(shape, num_samples=min(shape.num_samples, _MOST_SAMPLES))
    num_series = num_series or min(_MOST_SERIES, max(100, _MOST_VALUES // shape.num_samples))
    generator = np.random.default_rng(seed)
    if check.is_drift:
        return _calibrate_drift(check, shape, num_series, generator)
    asked = check.model_copy(update={"value": _truth(check, shape), "warmup": 0, "min_samples": None})
    answers = [_answers(asked, arms) for arms in _arms(check, shape, num_series, generator)]
    return Calibration(_share(answers, Verdict.PASS), _share(answers, Verdict.FAIL), num_series)


def calibrated(report: GateReport, spec: GateSpec, record: Mapping[str, object]) -> GateReport:
    """`report`, made by `spec` on `record`, with the false-pass rate of each check on a series that has one."""
    values = record_values(record)
    pairs = zip(report.checks, spec.checks, strict=True)
    return report.model_copy(update={"checks": tuple(_with_rate(found, check, values) for found, check in pairs)})


def _with_rate(found: CheckReport, check: Check, values: Mapping[str, RecordValue]) -> CheckReport:
    samples = _judged(check, values)
    fewest = FEWEST_FOR_DRIFT if check.is_drift else _FEWEST
    if samples is None or samples.size < fewest or not np.isfinite(samples).all() or not _has_truth(check):
        return found
    return found.model_copy(update={"false_pass_rate": calibrate(check, SeriesShape.of(samples)).false_pass})


def _judged(check: Check, values: Mapping[str, RecordValue]) -> NDArray[np.float64] | None:
    value, control = values.get(check.metric), values.get(check.control or "")
    if check.statistic is None or not isinstance(value, Series):
        return None
    samples = value.without(check.warmup)
    if check.statistic == "difference" and isinstance(control, Series):
        return samples - control.without(check.warmup)
    return samples


def _has_truth(check: Check) -> bool:
    return check.is_drift or check.statistic in WITH_INTERVAL or probability(check.statistic or "") is not None


def _truth(check: Check, shape: SeriesShape) -> float:
    share = probability(check.statistic or "")
    if not _has_truth(check):
        raise InvalidInput(f"calibrate: {check.subject} has no true value that samples approach; calibrate a mean")
    if share is not None:
        return NormalDist(sigma=shape.spread).inv_cdf(share)
    return {"std": shape.spread, "spread_ratio": 1.0}.get(check.statistic or "", 0.0)


def _arms(check: Check, shape: SeriesShape, num_series: int, generator: np.random.Generator) -> Iterator[Arms]:
    own = shape.spread * autoregressive(shape.lag_one, shape.num_samples, num_series, generator)
    other = np.zeros_like(own)  # a difference is simulated directly, since it is unknown what its two arms share
    if check.statistic == "spread_ratio":
        other = shape.spread * autoregressive(shape.lag_one, shape.num_samples, num_series, generator)
    for samples, control in zip(own, other, strict=True):
        yield Arms(samples, None if check.control is None else control)


def _answers(check: Check, arms: Arms) -> set[Verdict]:
    num_samples, looks = arms.samples.size, [arms.samples.size]
    if check.method is Method.SEQUENCE:
        looks = sorted({int(n) for n in np.linspace(min(FEWEST_FOR_SEQUENCE, num_samples), num_samples, _NUM_LOOKS)})
    so_far = (Arms(arms.samples[:n], None if arms.control is None else arms.control[:n]) for n in looks)
    return {answer_arms(check, each, resamples=_RESAMPLES).verdict for each in so_far}


def _share(answers: list[set[Verdict]], wanted: Verdict) -> float:
    return sum(wanted in verdicts for verdicts in answers) / len(answers)


def _calibrate_drift(check: Check, shape: SeriesShape, num_series: int, generator: np.random.Generator) -> Calibration:
    samples = autoregressive(max(shape.lag_one, 0.0), shape.num_samples, num_series, generator)
    alarms = drift_alarms(check, samples)
    wants_drift = check.value is (check.op is CheckOperator.EQUAL)
    if wants_drift:
        return Calibration(float(alarms.false_alarms.mean()), float(alarms.missed.mean()), num_series)
    return Calibration(float(alarms.missed.mean()), float(alarms.false_alarms.mean()), num_series)
