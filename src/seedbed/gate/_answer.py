"""The answer of a check on one value of the record."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Any, final

from seedbed.contracts import Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._check import Check, CheckOperator

__all__ = ["Answer", "answer_value", "plural"]

_HOLDS: Mapping[CheckOperator, Callable[[Any, Any], bool]] = {
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
    """A verdict with its reason, the value found, and for a series the method and the number of samples."""

    verdict: Verdict
    reason: str
    found: Interval | bool | float | str | None = None
    method: str | None = None
    n: int | None = None


def answer_value(check: Check, found: Interval | bool | float | str | None) -> Answer:
    """The answer on one value. Raises InvalidInput for a value of another type than the declared one."""
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
        return Answer(*_with_confidence(check, found, check.confidence), found)
    if _HOLDS[check.op](value, check.value):
        return Answer(Verdict.PASS, f"found {_shown(value)}", found)
    return Answer(Verdict.FAIL, f"found {_shown(value)}, expected {check.expected}", found)


def plural(number: int, noun: str) -> str:
    """`1 sample`, `2 samples`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _with_confidence(check: Check, found: Interval | bool | float | str, confidence: float) -> tuple[Verdict, str]:
    if not isinstance(found, Interval):
        return Verdict.INCONCLUSIVE, f"the record holds no confidence interval, only {_shown(found)}"
    stated = f"[{found.low:.6g}, {found.high:.6g}] at {100 * found.confidence:g}% from {found.n} samples"
    if found.confidence < confidence:
        return Verdict.INCONCLUSIVE, f"the interval {stated} is less certain than demanded"
    low, high = (_HOLDS[check.op](end, check.value) for end in (found.low, found.high))
    if low and high:
        return Verdict.PASS, f"all of {stated} is {check.op.value} {check.value:g}"
    if not low and not high:
        return Verdict.FAIL, f"none of {stated} is {check.op.value} {check.value:g}"
    more = _num_missing(found, float(check.value))
    return Verdict.INCONCLUSIVE, f"{check.value:g} lies inside {stated}: collect more samples, {more}"


def _num_missing(interval: Interval, threshold: float) -> str:
    """How many more samples would decide: an interval narrows with the square root of their number."""
    distance = abs(interval.value - threshold)
    half_width = interval.value - interval.low if threshold < interval.value else interval.high - interval.value
    if half_width > sqrt(_MOST_TIMES_MORE) * distance or distance == 0:
        return f"though not even {_MOST_TIMES_MORE} times as many would decide, so near is the value to the threshold"
    return f"about {max(1, ceil(((half_width / distance) ** 2 - 1) * interval.n)):,} if the value stays where it is"


def _shown(value: Interval | bool | float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
