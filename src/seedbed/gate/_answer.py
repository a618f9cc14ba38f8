"""The answer of a check on one value of the record."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite, sqrt
from typing import Any, final

from seedbed.contracts import Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._arms import Advice
from seedbed.gate._check import Check, CheckOperator
from seedbed.gate._how_many import advice_on_number, num_more_of_interval
from seedbed.gate._rules import FORMER_RULES, RULES

__all__ = ["HOLDS", "Answer", "advised", "answer_value", "apart"]

HOLDS: Mapping[CheckOperator, Callable[[Any, Any], bool]] = {
    CheckOperator.AT_LEAST: operator.ge,
    CheckOperator.AT_MOST: operator.le,
    CheckOperator.ABOVE: operator.gt,
    CheckOperator.BELOW: operator.lt,
    CheckOperator.EQUAL: operator.eq,
    CheckOperator.UNEQUAL: operator.ne,
}
_MOST_TIMES_MORE = 1000


@final
@dataclass(frozen=True)
class Answer:
    """A verdict with its reason, the value found, and for a series the method and the number of samples.

    `asks` says to collect more samples, where that is what it takes; the reason goes on with it.
    """

    verdict: Verdict
    reason: str
    found: Interval | bool | float | str | None = None
    method: str | None = None
    n: int | None = None
    asks: str = ""


def answer_value(check: Check, found: Interval | bool | float | str | None, rules: int = RULES) -> Answer:
    """The answer on one value, by `rules`. Raises InvalidInput for a value of another type than the declared one."""
    if found is None:
        return Answer(Verdict.NO_DATA, "the record holds no value")
    value = found.value if isinstance(found, Interval) else found
    if type(value) is not type(check.value):
        raise InvalidInput(
            f"check '{check.subject} {check.expected}': the record holds {value!r}, which cannot be compared with "
            f"{check.value!r}; declare a value of the same type"
        )
    if isinstance(value, float) and not isfinite(value):  # only the reason names it, since JSON cannot
        return Answer(Verdict.FAIL, f"{value} is not a finite number, which keeps no threshold")
    if check.confidence is not None and not check.is_drift:
        return _with_confidence(check, found, check.confidence, rules)
    if rules > FORMER_RULES and check.statistic is None and (left := _leaves_range(check, found)):
        return Answer(Verdict.INCONCLUSIVE, left, found)
    shown = _shown(value) if rules <= FORMER_RULES else _shown_apart(value, check.value)
    if HOLDS[check.op](value, check.value):
        return Answer(Verdict.PASS, f"found {shown}", found)
    return Answer(Verdict.FAIL, f"found {shown}, expected {check.expected}", found)


def apart(number: float, other: float) -> str:
    """`number` with six digits, or as many more as it takes to tell it from `other`."""
    if number == other:
        return f"{number:.6g}"
    digits = (digits for digits in range(6, 17) if f"{number:.{digits}g}" != f"{other:.{digits}g}")
    return f"{number:.{next(digits, 17)}g}"


def _with_confidence(check: Check, found: Interval | bool | float | str, confidence: float, rules: int) -> Answer:
    if not isinstance(found, Interval):
        return Answer(Verdict.INCONCLUSIVE, f"the record holds no confidence interval, only {_shown(found)}", found)
    low, high = (
        f"{end:.6g}" if rules <= FORMER_RULES else apart(end, float(check.value)) for end in (found.low, found.high)
    )
    stated = f"[{low}, {high}] at {100 * found.confidence:g}% from {found.n} samples"
    if rules > FORMER_RULES and (objection := _objection(check, found)):
        return Answer(Verdict.INCONCLUSIVE, objection, found)
    if found.confidence < confidence:
        less = f"the interval {stated} is less certain than demanded"
        at = "" if rules <= FORMER_RULES else f"; record one at {100 * confidence:g}%, or demand less confidence"
        return Answer(Verdict.INCONCLUSIVE, f"{less}{at}", found)
    ends = [HOLDS[check.op](end, check.value) for end in (found.low, found.high)]
    if all(ends):
        return Answer(Verdict.PASS, f"all of {stated} is {check.op.value} {check.value:g}", found)
    if not any(ends):
        return Answer(Verdict.FAIL, f"none of {stated} is {check.op.value} {check.value:g}", found)
    inside = f"{check.value:g} lies inside {stated}"
    if rules <= FORMER_RULES:
        return Answer(Verdict.INCONCLUSIVE, inside, found, asks=_remedy_formerly(found, float(check.value)))
    advice = _remedy(check, found)
    return advised(Answer(Verdict.INCONCLUSIVE, inside, found), advice)


def advised(answer: Answer, advice: Advice) -> Answer:
    """The answer with an advice: what asks for more samples is kept apart from the reason."""
    if advice.wants_more:
        return replace(answer, asks=advice.text)
    return replace(answer, reason=f"{answer.reason}: {advice.text}")


def _objection(check: Check, found: Interval) -> str:
    """Why an interval cannot be what it is said to be; empty without a reason."""
    if found.low == found.high:
        return (
            f"the interval is {found.low:.6g} alone, with no width, which {found.n} samples cannot show; record one "
            "that holds for rare events too, such as by seedbed.gate.bounded_mean"
        )
    return _leaves_range(check, found)


def _leaves_range(check: Check, found: Interval | bool | float | str) -> str:
    """Says where a recorded value or interval lies outside the declared range; empty where it does not."""
    if check.range is None or isinstance(found, bool | str):
        return ""
    ends = (found.low, found.value, found.high) if isinstance(found, Interval) else (found,)
    if check.range[0] <= min(ends) and max(ends) <= check.range[1]:
        return ""
    limits = f"[{check.range[0]:g}, {check.range[1]:g}]"
    if isinstance(found, Interval):
        shown = f"[{found.low:.6g}, {found.high:.6g}]"
        return (
            f"the interval {shown} leaves the declared range {limits}, so it was made for other values; record it anew"
        )
    return f"{found:.6g} lies outside the declared range {limits}: the value or the range is wrong; correct it"


def _remedy(check: Check, found: Interval) -> Advice:
    """What to do where the threshold lies inside the interval that was recorded."""
    if found.value == check.value:
        return Advice("the value found is the threshold itself; move the threshold, or collect more samples")
    return advice_on_number(num_more_of_interval(found, float(check.value), check.range))


def _remedy_formerly(interval: Interval, threshold: float) -> str:
    """As the former rules said it, by which an interval narrows with the square root of the number of samples."""
    distance = abs(interval.value - threshold)
    half_width = interval.value - interval.low if threshold < interval.value else interval.high - interval.value
    if half_width > sqrt(_MOST_TIMES_MORE) * distance or distance == 0:
        near = f"not even {_MOST_TIMES_MORE} times as many would decide, so near is the value to the threshold"
        return f"collect more samples, though {near}"
    missing = max(1, ceil(((half_width / distance) ** 2 - 1) * interval.n))
    return f"collect more samples, about {missing:,} if the value stays where it is"


def _shown_apart(value: bool | float | str, expected: bool | float | str) -> str:
    if isinstance(value, float) and isinstance(expected, float):
        return apart(value, expected)
    return _shown(value)


def _shown(value: Interval | bool | float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
