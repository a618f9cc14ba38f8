"""Whether a check can hold at all: a threshold that no value within the declared range reaches is a mistake."""

from collections.abc import Iterable, Iterator
from math import inf, sqrt

from seedbed.errors import InvalidInput
from seedbed.gate._answer import apart
from seedbed.gate._check import Check, CheckOperator

__all__ = ["refuse_unreachable"]


def refuse_unreachable(checks: Iterable[Check], source: str) -> None:
    """Raise InvalidInput, naming `source` and each of them, for checks that no value within their range can keep.

    A threshold at an end of the range that the value may reach is let through, with >= and <=. Checks that were
    declared before are judged as they are, so this is for new ones alone.
    """
    lines = [f"  checks.{place}: {problem}" for place, check in enumerate(checks) for problem in _problems(check)]
    if lines:
        raise InvalidInput("\n".join([f"{source}: {len(lines)} problem(s); fix them and try again", *lines]))


def _problems(check: Check) -> Iterator[str]:
    if isinstance(check.value, bool | str) or check.op is CheckOperator.UNEQUAL:
        return
    if check.statistic == "count" and check.op is CheckOperator.EQUAL and not float(check.value).is_integer():
        yield f"{check.subject} {check.expected} can never hold: a count is a whole number; correct the threshold"
        return
    low, high = _reach(check, check.range or (-inf, inf))
    is_strict = check.op in {CheckOperator.ABOVE, CheckOperator.BELOW}
    too_low = check.value < low or (is_strict and check.value == low)
    too_high = check.value > high or (is_strict and check.value == high)
    if too_low and (check.op.is_upper_limit or not check.op.orders):
        yield _told(check, f"at least {apart(low, check.value)}")
    elif too_high and not check.op.is_upper_limit:
        yield _told(check, f"at most {apart(high, check.value)}")


def _told(check: Check, what: str) -> str:
    never = f"{check.subject} {check.expected} can never hold"
    if check.range is None:
        return f"{never}: it is {what} for any samples; correct the threshold"
    limits = ", ".join(apart(end, float(check.value)) for end in check.range)
    return f"{never}: within the declared range [{limits}] it is {what}; correct the threshold or the range"


def _reach(check: Check, limits: tuple[float, float]) -> tuple[float, float]:
    """The least and the most that the statistic of samples within `limits` can be."""
    if check.statistic == "std":
        return 0.0, (limits[1] - limits[0]) / sqrt(2)
    return (0.0, inf) if check.statistic in {"spread_ratio", "count"} else limits
