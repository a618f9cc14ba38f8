"""The answer of a check on a series: first its samples are checked, then its statistic is compared."""

from dataclasses import replace
from math import ceil, isfinite

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._answer import Answer, advised, answer_value
from seedbed.gate._answer_quantile import answer_quantile
from seedbed.gate._answer_question import answer_constant, answer_question
from seedbed.gate._arms import Advice, Arms, Estimate, Shortage, plural
from seedbed.gate._check import Check, Method
from seedbed.gate._estimate import Question, estimate, outside_range, value_alone
from seedbed.gate._estimate_former import estimate_former
from seedbed.gate._fewest import fewest_to_show
from seedbed.gate._rules import FORMER_RULES, RULES
from seedbed.gate._series import Series
from seedbed.gate._statistics import probability
from seedbed.gate.bounds._drift import FEWEST_FOR_DRIFT, Detector, cusum, page_hinkley
from seedbed.gate.bounds._drift_power import STEP, DriftTrial, drift_threshold, lag_one_without_step, power

__all__ = ["LEAST_POWER", "answer_arms", "answer_series", "drift_trial", "threshold_of"]

_SIDES = {"drift": frozenset({"up", "down"}), "drift_up": frozenset({"up"}), "drift_down": frozenset({"down"})}
_DELTAS: dict[Detector, float] = {"page_hinkley": 0.25, "cusum": 0.5}
_DRIFT_CONFIDENCE = 0.95
_LARGEST = 1e150  # beyond that a square is infinite
_NOT_FINITE, _WHY_SO_LARGE = "are not finite numbers", "the most whose square is a number"
LEAST_POWER = 0.8
_TIMES_MORE = (1.25, 1.5, 2, 3, 4, 6, 10)


def answer_series(check: Check, series: Series, control: Series | None = None, rules: int = RULES) -> Answer:
    """The answer on a series, and on its control if the check names one, by `rules`.

    Raises InvalidInput for two arms of different lengths.
    """
    _require_equal_lengths(check, series, control)
    samples = series.without(check.warmup)
    missing = _missing(check, series, samples.size, rules)
    if missing is not None:
        return missing
    arms = Arms(samples, None if control is None else control.without(check.warmup))
    unfit = _unfit(arms, rules)
    if unfit:
        return Answer(Verdict.FAIL, f"{unfit}, which keeps no threshold", n=samples.size)
    outside = outside_range(check, arms) if rules > FORMER_RULES else None
    if outside is not None:
        return _short_of(check, arms, outside, rules)
    return _answer_drift(check, samples, rules) if check.is_drift else answer_arms(check, arms, rules=rules)


def _unfit(arms: Arms, rules: int) -> str:
    """How many samples, of both arms, no statistic can be made of, and why; empty without any."""
    both = np.concatenate([arm for arm in (arms.samples, arms.control) if arm is not None])
    num_unfit, num_not_finite = (int((~within).sum()) for within in (np.abs(both) <= _LARGEST, np.isfinite(both)))
    if rules <= FORMER_RULES:
        of_them = f"{num_unfit} of {plural(arms.samples.size, 'sample')}"
        return f"{of_them} is not a finite number" if num_unfit else ""
    of_them = f"of {plural(both.size, 'sample')}"
    not_finite = f"{num_not_finite} {of_them} {'is not a finite number' if num_not_finite == 1 else _NOT_FINITE}"
    num_large = num_unfit - num_not_finite
    large = f"{num_large} {of_them} {'is' if num_large == 1 else 'are'} beyond {_LARGEST:g} in size, {_WHY_SO_LARGE}"
    return "; ".join(text for text, number in ((not_finite, num_not_finite), (large, num_large)) if number)


def _require_equal_lengths(check: Check, series: Series, control: Series | None) -> None:
    if control is not None and len(series) != len(control):
        raise InvalidInput(
            f"check '{check.subject} {check.expected}': {plural(len(series), 'sample')} beside {len(control)} of the "
            "control; record both arms at the same iterations"
        )


def _missing(check: Check, series: Series, num_samples: int, rules: int) -> Answer | None:
    if num_samples == 0:
        left = f", and the warmup takes all {len(series)}" if len(series) else ""
        return Answer(Verdict.NO_DATA, f"the record holds no sample{left}", n=0)
    fewest = check.min_samples or 1
    if num_samples < fewest:
        have = f"{plural(num_samples, 'sample')}, {fewest} demanded"
        takes, asks = _at_least(check, fewest, num_samples, rules)
        return Answer(Verdict.INCONCLUSIVE, f"{have}{takes}", n=num_samples, asks=asks)
    return None


def _at_least(check: Check, demanded: int, num_samples: int, rules: int) -> tuple[str, str]:
    """What it takes beyond what is demanded, and what to collect."""
    if rules <= FORMER_RULES:
        return "", f"collect {demanded - num_samples} more"
    fewest = None if check.statistic == "count" else fewest_to_show(check)
    if fewest is None or fewest <= demanded:
        return "", f"collect at least {demanded - num_samples:,} more"
    return f", and it takes {fewest:,} to show it at all", f"collect at least {fewest - num_samples:,} more"


def answer_arms(check: Check, arms: Arms, *, rules: int = RULES, resamples: int = 2000) -> Answer:
    """The answer on at least one finite sample in each arm; not for drift. `resamples` is of the former rules."""
    num_samples, is_former = arms.samples.size, rules <= FORMER_RULES
    if not is_former and check.confidence is not None:
        constant = answer_constant(check, arms.samples if arms.control is None else arms.samples - arms.control)
        if constant is not None:
            return constant
    found = estimate_former(check, arms, resamples=resamples) if is_former else _estimate(check, arms)
    if isinstance(found, Shortage):
        return _short_of(check, arms, found, rules)
    if isinstance(found, Answer):
        return found
    if isinstance(found, Question):
        return answer_question(check, found, arms, check.confidence or 0.5)
    answer = answer_value(check, found.found, rules)
    return replace(answer, method=found.method, n=num_samples)


def _estimate(check: Check, arms: Arms) -> Estimate | Shortage | Question | Answer:
    share = probability(check.statistic or "")
    if share is None or check.confidence is None:
        return estimate(check, arms)
    return answer_quantile(check, arms.samples, share, check.confidence)


def _short_of(check: Check, arms: Arms, shortage: Shortage, rules: int) -> Answer:
    value = None if rules <= FORMER_RULES or check.is_drift else _value_alone(check, arms)
    answer = Answer(Verdict.INCONCLUSIVE, shortage.reason, value, n=arms.samples.size)
    if shortage.advice is not None:
        return advised(answer, shortage.advice)
    about = "at least" if shortage.is_least and rules > FORMER_RULES else "about"
    return replace(answer, asks=f"collect {about} {shortage.num_missing:,} more") if shortage.num_missing else answer


def _value_alone(check: Check, arms: Arms) -> float | None:
    found = value_alone(check, arms)
    return (
        found.found
        if isinstance(found, Estimate) and isinstance(found.found, float) and isfinite(found.found)
        else None
    )


def _answer_drift(check: Check, samples: NDArray[np.float64], rules: int) -> Answer:
    num_samples = samples.size
    if num_samples < FEWEST_FOR_DRIFT:
        reason = f"{plural(num_samples, 'sample')}, and drift needs {FEWEST_FOR_DRIFT}"
        about = "" if rules <= FORMER_RULES else "at least "
        more = f"collect {about}{FEWEST_FOR_DRIFT - num_samples} more"
        return Answer(Verdict.INCONCLUSIVE, reason, n=num_samples, asks=more)
    trial = drift_trial(check, num_samples, lag_one_without_step(samples))
    threshold = threshold_of(check, trial)
    place = _place(trial, samples, threshold)
    method = f"{trial.detector}, delta {trial.delta:g}, threshold {threshold:.4g}"
    sees = power(trial, threshold)
    if place is None and sees < LEAST_POWER:
        step = f"a step of {STEP:g} standard deviations half-way"
        blind = f"no drift seen, but {step} would be seen in only {sees:.0%} of such series"
        return advised(Answer(Verdict.INCONCLUSIVE, blind, method=method, n=num_samples), _more_for(check, trial))
    answer = answer_value(check, place is not None)
    reason = f"{answer.reason}: {place or 'no drift'} by {method}"
    return Answer(answer.verdict, reason, answer.found, method, num_samples)


def drift_trial(check: Check, num_samples: int, lag_one: float) -> DriftTrial:
    """The trial for the detector that `check` names."""
    detector: Detector = "cusum" if check.method is Method.CUSUM else "page_hinkley"
    delta = _DELTAS[detector] if check.delta is None else check.delta
    return DriftTrial(detector, _SIDES[check.statistic or "drift"], delta, num_samples, lag_one)


def threshold_of(check: Check, trial: DriftTrial) -> float:
    """The threshold that the check declares, or the one for its confidence."""
    return check.threshold or drift_threshold(trial, check.confidence or _DRIFT_CONFIDENCE)


def _more_for(check: Check, trial: DriftTrial) -> Advice:
    for times in _TIMES_MORE:
        longer = replace(trial, num_samples=ceil(times * trial.num_samples))
        if power(longer, threshold_of(check, longer)) >= LEAST_POWER:
            return Advice(f"collect about {longer.num_samples - trial.num_samples} more")
    remedy = "samples are too much alike; take them further apart" if check.threshold is None else "lower the threshold"
    return Advice(f"not even {_TIMES_MORE[-1]} times as many samples would do: {remedy}", wants_more=False)


def _place(trial: DriftTrial, samples: NDArray[np.float64], threshold: float) -> str | None:
    detect = cusum if trial.detector == "cusum" else page_hinkley
    drift = detect(samples, delta=trial.delta, threshold=threshold)
    places = {"up": drift.up_at, "down": drift.down_at}
    found = sorted((at, side) for side, at in places.items() if at is not None and side in trial.sides)
    return f"{found[0][1]}ward drift at sample {found[0][0] + 1}" if found else None
