"""A check's answer on what the record holds for it."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Any, final

from seedbed.contracts import Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._check import Check, Op

__all__ = ["Answer", "answer_value", "plural"]

_HOLDS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.AT_LEAST: operator.ge,
    Op.AT_MOST: operator.le,
    Op.ABOVE: operator.gt,
    Op.BELOW: operator.lt,
    Op.EQUAL: operator.eq,
    Op.UNEQUAL: operator.ne,
}
_MOST_TIMES_MORE = 1000


@final
@dataclass(frozen=True)
class Answer:
    """A verdict and its reason, what was found, and for a series how and from how many samples."""

    verdict: Verdict
    reason: str
    found: Interval | bool | float | str | None = None
    method: str | None = None
    n: int | None = None


def answer_value(check: Check, found: Interval | bool | float | str | None) -> Answer:
    """The answer on one value. Raises InvalidInput for one that cannot be compared with what is declared."""
    if found is None:
        return Answer(Verdict.NO_DATA, "the record holds no value")
    value = found.value if isinstance(found, Interval) else found
    if type(value) is not type(check.value):
        raise InvalidInput(
            f"check '{check.subject} {check.expected}': the record holds {value!r}, which cannot be compared with "
            f"{check.value!r}; declare a value of the same type"
        )
    if isinstance(value, float) and not isfinite(value):  # the reason names it; JSON could not
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
    """An interval narrows with the root of the number of samples: how many until its end meets the threshold?"""
    distance = abs(interval.value - threshold)
    reach = interval.value - interval.low if threshold < interval.value else interval.high - interval.value
    if reach > sqrt(_MOST_TIMES_MORE) * distance or distance == 0:
        return f"though not even {_MOST_TIMES_MORE} times as many would decide, so near is the value to the threshold"
    return f"about {max(1, ceil(((reach / distance) ** 2 - 1) * interval.n)):,} if the value stays where it is"


def _shown(value: Interval | bool | float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
