"""The answer on a mean or a spread whose range is declared."""

from collections.abc import Iterator
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval, Verdict
from seedbed.gate._answer import HOLDS, Answer, advised, apart
from seedbed.gate._arms import Advice, Arms, plural, repetition, worth_about
from seedbed.gate._check import Check, CheckOperator
from seedbed.gate._estimate import Question, alpha_of
from seedbed.gate._fewest import fewest_to_show, is_number_known
from seedbed.gate._how_many import advice_on_number, num_more_of_mean
from seedbed.gate._statistics import SPREADS
from seedbed.gate.bounds._share import fewest_to_refute

__all__ = ["answer_constant", "answer_question"]

_Samples = NDArray[np.float64]
_NOT_STRICT = frozenset({CheckOperator.AT_LEAST, CheckOperator.AT_MOST})


def answer_question(check: Check, question: Question, arms: Arms, confidence: float) -> Answer:
    """The answer: one bound decides, at the confidence demanded, unless the value found contradicts it."""
    value, alpha, num_samples = float(check.value), alpha_of(confidence), arms.samples.size
    ends = question.ends(alpha)
    interval = _interval(question, ends, num_samples, alpha)
    if all(HOLDS[check.op](bound, value) for bound in question.bounds):
        certain = f"no value within the range could make it anything but {check.op.value} {value:g}"
        return Answer(Verdict.PASS, certain, interval, question.method, num_samples)
    below = question.found < value and question.is_below(value, alpha)
    above = question.found > value and question.is_above(value, alpha)
    if below or above:
        holds = below
        bound = min(ends[1], value) if holds else max(ends[0], value)
        side = "below" if holds else "above"
        verdict = Verdict.PASS if holds is (check.op.is_upper_limit) else Verdict.FAIL
        shown = f"found {apart(question.found, value)}, {side} {_rounded(bound, value, holds)}"
        reason = f"{shown} at {100 * (1 - alpha):g}% from {_worth(check, question, num_samples)}"
        return Answer(verdict, reason, interval, question.method, num_samples)
    return _undecided(check, question, ends, interval, arms)


def _interval(question: Question, ends: tuple[float, float], num_samples: int, alpha: float) -> Interval | float:
    """The two bounds as one interval, which holds at twice the level; the value alone where a bound is missing."""
    confidence = 1 - 2 * alpha
    if ends[1] == inf or confidence <= 0 or num_samples < 2:
        return question.found
    low, high = min(ends[0], question.found), max(ends[1], question.found)
    return Interval(value=question.found, low=low, high=high, n=num_samples, confidence=round(confidence, 12))


def _rounded(bound: float, value: float, below: bool) -> str:
    """The bound, never rounded to the wrong side of the threshold."""
    text = apart(bound, value)
    wrong = float(text) > value if below else float(text) < value
    return f"{value:.6g}" if wrong else text


def _undecided(
    check: Check, question: Question, ends: tuple[float, float], found: Interval | float, arms: Arms
) -> Answer:
    num_samples = arms.samples.size
    value, certain = float(check.value), f"{100 * (1 - alpha_of(check.confidence or 0.5)):g}%"
    low, high = min(ends[0], value), max(ends[1], value)
    shown = f"{value:g} lies inside [{low:.6g}, {high:.6g}], each end at {certain}"
    if high == inf:
        least = f"at least {apart(low, value)} at {certain}, and nothing bounds it from above"
        shown = f"found {apart(question.found, value)}, {least}"
    reason = f"{shown} from {_worth(check, question, num_samples)}"
    undecided = Answer(Verdict.INCONCLUSIVE, reason, found, question.method, num_samples)
    return advised(undecided, _remedy(check, question, arms))


def _worth(check: Check, question: Question, num_samples: int) -> str:
    """The number of samples, and of independent ones that say as much, where dependence makes them fewer."""
    num_alike = question.about(float(check.value))[0].num_alike
    stated = plural(num_samples, "sample")
    return stated if num_alike <= 1 else f"{stated}, {worth_about(num_samples / num_alike)}"


def _remedy(check: Check, question: Question, arms: Arms) -> Advice:
    fewest, value, num_samples = fewest_to_show(check), float(check.value), arms.samples.size
    if fewest is None and is_number_known(check):
        none = f"no samples can show {check.op.value} {value:g} within the declared range; move the threshold"
        return Advice(none, wants_more=False)
    mean, at = question.asked(value, above=question.found > value)
    repeated = next(filter(None, map(repetition, _counted(check, mean.samples, arms))), None)
    if repeated is not None and question.found != value:
        return repeated
    alpha = alpha_of(check.confidence or 0.5)
    estimated = num_more_of_mean(mean, at, alpha, above=question.found > value)
    least = ceil((fewest or 0) * mean.num_alike) - num_samples
    if least > (estimated or 0):
        about = "" if mean.num_alike <= 1 else "about "
        shown = f"it takes {about}{num_samples + least:,} samples to show it at all"
        return Advice(f"{shown}: collect at least {about}{least:,} more{_unless_it_moves(question, value)}")
    switches = mean.num_switches_missing
    if switches:
        moves = plural(switches, "more move")
        slow = f"they may be one run of a slow series until they made {moves} across their mean"
        return Advice(f"{slow}; collect more samples")
    if question.found == value:
        itself = "no number of samples decides while the value found is the threshold itself; move the threshold"
        return Advice(itself, wants_more=False)
    varying = arms.samples if arms.control is None else arms.samples - arms.control
    return advice_on_number(estimated, "" if np.ptp(varying) else "these do not vary")


def _counted(check: Check, asked: _Samples, arms: Arms) -> Iterator[_Samples]:
    """The samples whose dependence says how many independent ones there are: of a spread, also those of the arms."""
    yield asked
    if check.statistic in SPREADS:
        yield from (arm for arm in (arms.samples, arms.control) if arm is not None)


def _unless_it_moves(question: Question, value: float) -> str:
    return ", which decide nothing while the value found is the threshold itself" if question.found == value else ""


def answer_constant(check: Check, samples: _Samples) -> Answer | None:
    """A pass where every one of enough samples is the threshold itself, which a demand that is not strict allows.

    Where a range is declared, its bounds decide instead. Without one, nothing bounds how much a rare other value
    weighs; enough samples only show how rare it is, and the reason says that. Whole numbers are left out: series in
    which something rare may happen are made of them. None where this is no such constant.
    """
    value = float(check.value)
    if check.op not in _NOT_STRICT or value.is_integer() or not bool((samples == value).all()):
        return None
    if check.statistic not in {"mean", "difference"} or check.range is not None:
        return None
    alpha = alpha_of(check.confidence or 0.5)
    fewest = fewest_to_refute(1 - alpha, alpha)
    shown = f"every one of {plural(samples.size, 'sample')} is {value:g}"
    if samples.size < fewest:
        more = f"collect at least {fewest - samples.size:,} more"
        rare = f"it takes {fewest:,} to show that other values make up less than {100 * alpha:g}% of the time"
        return Answer(Verdict.INCONCLUSIVE, shown, value, n=samples.size, asks=f"{rare}; {more}")
    rare = f"other values make up less than {100 * alpha:.4g}% of the time, at {100 * (1 - alpha):.4g}%"
    reason = f"{shown} itself, which {check.op.value} allows: {rare}, and are assumed to weigh nothing"
    return Answer(Verdict.PASS, reason, value, "constant", samples.size)
