"""Whether a check can hold at all: a threshold that no value within the declared range reaches is a mistake."""

from collections.abc import Iterable, Iterator
from math import inf, sqrt

from seedbed.errors import InvalidInput
from seedbed.gate._check import Check, CheckOperator

__all__ = ["refuse_unreachable"]


def refuse_unreachable(checks: Iterable[Check], source: str) -> None:
    """Raise InvalidInput, naming `source` and each of them, for checks that no value within their range can keep.

    A threshold at an end of the range is let through. Checks that were declared before are judged as they are, so this
    is for new ones alone.
    """
    lines = [f"  checks.{place}: {problem}" for place, check in enumerate(checks) for problem in _problems(check)]
    if lines:
        raise InvalidInput("\n".join([f"{source}: {len(lines)} problem(s); fix them and try again", *lines]))


def _problems(check: Check) -> Iterator[str]:
    if check.range is None or isinstance(check.value, bool | str):
        return
    low, high = _reach(check, check.range)
    if check.op is CheckOperator.UNEQUAL:
        return
    too_low = check.value < low and (check.op.is_upper_limit or not check.op.orders)
    too_high = check.value > high and not check.op.is_upper_limit
    if too_low or too_high:
        limits = f"the declared range [{check.range[0]:g}, {check.range[1]:g}]"
        most = f"at least {low:g}" if too_low else f"at most {high:.6g}"
        yield (
            f"{check.subject} {check.expected} can never hold: within {limits} it is {most}; correct the threshold or "
            "the range"
        )


def _reach(check: Check, limits: tuple[float, float]) -> tuple[float, float]:
    """The least and the most that the statistic of samples within `limits` can be."""
    if check.statistic == "std":
        return 0.0, (limits[1] - limits[0]) / sqrt(2)
    return (0.0, inf) if check.statistic in {"spread_ratio", "count"} else limits
