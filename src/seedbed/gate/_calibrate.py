"""Estimates how often a check is wrong on series like the one that it judged, by resampling that series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import CheckReport, GateReport, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._answer_series import answer_arms
from seedbed.gate._arms import Arms, Shortage
from seedbed.gate._calibrate_drift import drift_alarms
from seedbed.gate._check import Check, CheckOperator, Method
from seedbed.gate._estimate import Question, alpha_of, question_of
from seedbed.gate._record_values import RecordValue, asked_of, record_values
from seedbed.gate._rules import FORMER_RULES, RULES
from seedbed.gate._series import Series
from seedbed.gate._spec import GateSpec
from seedbed.gate._statistics import WITH_INTERVAL, probability
from seedbed.gate.bounds._bootstrap import lag_one
from seedbed.gate.bounds._bounded import BoundedMean
from seedbed.gate.bounds._bounded_rows import rows_refuting
from seedbed.gate.bounds._drift import FEWEST_FOR_DRIFT
from seedbed.gate.bounds._resample import at_mean, at_quantile
from seedbed.gate.bounds._samples import from_first
from seedbed.gate.bounds._simulated import autoregressive

__all__ = ["Calibration", "calibrate", "calibrated"]

_Samples = NDArray[np.float64]
_FEWEST = 8
_MOST_SERIES = 400
_MOST_VALUES = 100_000
_MOST_SAMPLES = 1000
_NUM_LOOKS = 8
_RESAMPLES = 200
_MOST_CORRELATED = 0.95


@final
@dataclass(frozen=True)
class Calibration:
    """How often a check passed and failed on resampled series whose true value is exactly at its threshold.

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


def calibrate(
    check: Check,
    series: Series,
    control: Series | None = None,
    *,
    num_series: int | None = None,
    seed: int = 0,
    rules: int = RULES,
) -> Calibration:
    """The rates at which `check` passes and fails on series of the shape of `series`, at its threshold.

    Blocks of the series are drawn again and again, in such shares that the true value is the threshold; a second time,
    where a range is declared, with the far end of the range among them, which is what a series in which nothing rare
    happened may have missed. The larger rates count. For a spread, the squares of the deviations are drawn, not the
    samples, and count as alike as the series did that was judged: an approximation. For drift, normal autoregressions
    take the place of blocks, which would hold the drift. Series of more than a thousand samples are drawn with a
    thousand. A sequence is asked eight times on the way, and one pass or fail among the answers counts. By default
    there are at most 400 series, fewer for long ones. The same seed gives the same rates. Raises InvalidInput for a
    statistic that has no true value, such as a maximum, for fewer than eight finite samples, and where the check has no
    answer: for a mean or a spread with confidence and without a range, for samples outside the range, and for a
    threshold that no series can vary around.
    """
    samples = _judged(check, series, control)
    fewest = FEWEST_FOR_DRIFT if check.is_drift else _FEWEST
    if samples.size < fewest or not np.isfinite(samples).all():
        raise InvalidInput(
            f"calibrate: {check.subject} needs {fewest} finite samples, found {samples.size}; gather more"
        )
    if not _has_truth(check):
        raise InvalidInput(f"calibrate: {check.subject} has no true value that samples approach; calibrate a mean")
    num_samples = min(samples.size, _MOST_SAMPLES)
    num_series = num_series or min(_MOST_SERIES, max(100, _MOST_VALUES // num_samples))
    generator = np.random.default_rng(seed)
    if check.is_drift:
        return _calibrate_drift(check, samples, (num_series, num_samples), generator)
    if rules > FORMER_RULES and check.confidence is not None and probability(check.statistic or "") is None:
        arms = Arms(series.without(check.warmup), None if control is None else control.without(check.warmup))
        return _calibrate_bounded(check, arms, (num_series, num_samples), seed)
    return _calibrate_by_answers(check, samples, (num_series, num_samples), generator, rules)


def calibrated(report: GateReport, spec: GateSpec, record: Mapping[str, object]) -> GateReport:
    """`report`, made by `spec` on `record`, with the false-pass rate of each check on a series that has one.

    The rules are those that the report was made by. A check that has no answer on such series has no rate.
    """
    rules = FORMER_RULES if report.rules is None else report.rules
    values = record_values(record, asked_of(spec))
    pairs = zip(report.checks, spec.checks, strict=True)
    return report.model_copy(
        update={"checks": tuple(_with_rate(found, check, values, rules) for found, check in pairs)}
    )


def _with_rate(found: CheckReport, check: Check, values: Mapping[str, RecordValue], rules: int) -> CheckReport:
    series, control = values.get(check.metric), values.get(check.control or "")
    if check.statistic is None or not isinstance(series, Series) or not _has_truth(check):
        return found
    if check.statistic == "spread_ratio" and rules <= FORMER_RULES:
        return found
    try:
        rates = calibrate(check, series, control if isinstance(control, Series) else None, rules=rules)
    except InvalidInput:
        return found
    return found.model_copy(update={"false_pass_rate": rates.false_pass})


def _judged(check: Check, series: Series, control: Series | None) -> _Samples:
    samples = series.without(check.warmup)
    if check.statistic == "difference" and control is not None:
        difference: _Samples = samples - control.without(check.warmup)
        return difference
    return samples


def _has_truth(check: Check) -> bool:
    return check.is_drift or check.statistic in WITH_INTERVAL or probability(check.statistic or "") is not None


def _calibrate_bounded(check: Check, arms: Arms, shape: tuple[int, int], seed: int) -> Calibration:
    question = question_of(check, arms)
    if isinstance(question, Shortage):
        raise InvalidInput(
            f"calibrate: {check.subject} {check.expected} has no answer, right or wrong: {question.reason}"
        )
    below, above = (_share_refuted(check, question, shape, seed, above=above) for above in (False, True))
    passes, fails = (below, above) if check.op.is_upper_limit else (above, below)
    return Calibration(passes, fails, shape[0])


def _share_refuted(check: Check, question: Question, shape: tuple[int, int], seed: int, *, above: bool) -> float:
    """How often series at the threshold are taken for ones above it, or below it."""
    mean, at = question.asked(float(check.value), above=above)
    share = (at - mean.range[0]) / (mean.range[1] - mean.range[0])
    if not 0 < share < 1:
        raise InvalidInput(
            f"calibrate: no series within the declared range varies around the threshold of {check.subject} "
            f"{check.expected}; calibrate a threshold inside the range"
        )
    alpha, shares = alpha_of(check.confidence or 0.5), [0.0]
    for rows in at_mean(mean.scaled, share, shape, np.random.default_rng(seed)):
        refuted = _ever_refuted(mean, rows, share, alpha) if above else _ever_refuted(mean, 1 - rows, 1 - share, alpha)
        shares.append(float(refuted.mean()))
    return max(shares)


def _ever_refuted(judged: BoundedMean, rows: _Samples, mean: float, alpha: float) -> NDArray[np.bool_]:
    """Whether each series is refuted at any look by the rule that `judged` was."""
    looks = [rows.shape[1]]
    if judged.any_look:
        looks = sorted({int(n) for n in np.linspace(min(_FEWEST, rows.shape[1]), rows.shape[1], _NUM_LOOKS)})
    found = [
        rows_refuting(rows[:, :n], mean, alpha, any_look=judged.any_look, least_alike=judged.least_alike) for n in looks
    ]
    refuted: NDArray[np.bool_] = np.any(found, axis=0)
    return refuted


def _calibrate_by_answers(
    check: Check, samples: _Samples, shape: tuple[int, int], generator: np.random.Generator, rules: int
) -> Calibration:
    """For quantiles, and for statistics without confidence: the series is moved so that it lies at the threshold."""
    asked = check.model_copy(update={"warmup": 0, "min_samples": None, "range": None})
    answers = [
        _answers(asked, Arms(each, None if check.control is None else np.zeros_like(each)), rules)
        for each in _moved(check, samples, shape, generator)
    ]
    return Calibration(_share(answers, Verdict.PASS), _share(answers, Verdict.FAIL), shape[0])


def _moved(
    check: Check, samples: _Samples, shape: tuple[int, int], generator: np.random.Generator
) -> Iterator[_Samples]:
    samples, share, value = from_first(samples), probability(check.statistic or ""), float(check.value)
    if share is not None:
        return at_quantile(samples, share, value, shape, generator)
    if check.statistic in {"mean", "difference"}:
        return at_quantile(samples - samples.mean() + value, None, value, shape, generator)
    scale = value / (float(samples.std(ddof=1)) or 1.0)
    return at_quantile(scale * samples, None, value, shape, generator)


def _answers(check: Check, arms: Arms, rules: int) -> set[Verdict]:
    num_samples, looks = arms.samples.size, [arms.samples.size]
    if check.method is Method.SEQUENCE:
        looks = sorted({int(n) for n in np.linspace(min(16, num_samples), num_samples, _NUM_LOOKS)})
    so_far = (Arms(arms.samples[:n], None if arms.control is None else arms.control[:n]) for n in looks)
    return {answer_arms(check, each, rules=rules, resamples=_RESAMPLES).verdict for each in so_far}


def _share(answers: list[set[Verdict]], wanted: Verdict) -> float:
    return sum(wanted in verdicts for verdicts in answers) / len(answers)


def _calibrate_drift(
    check: Check, samples: _Samples, shape: tuple[int, int], generator: np.random.Generator
) -> Calibration:
    rho = min(max(lag_one(from_first(samples)), 0.0), _MOST_CORRELATED)
    alarms = drift_alarms(check, autoregressive(rho, shape[1], shape[0], generator))
    wants_drift = check.value is (check.op is CheckOperator.EQUAL)
    if wants_drift:
        return Calibration(float(alarms.false_alarms.mean()), float(alarms.missed.mean()), shape[0])
    return Calibration(float(alarms.missed.mean()), float(alarms.false_alarms.mean()), shape[0])
