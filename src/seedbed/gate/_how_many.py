"""How many more samples would decide, if what they show stays as it is: by the very rule that decides."""

from collections.abc import Callable
from math import ceil, inf, isclose, log, sqrt

import numpy as np

from seedbed.contracts import Interval
from seedbed.gate._arms import Advice
from seedbed.gate.bounds._bounded import BoundedMean, Range
from seedbed.gate.bounds._share import largest_share_refuted, refutes

__all__ = ["advice_on_number", "num_more_of_interval", "num_more_of_mean"]

_MOST_TIMES_MORE = 1000
_MOST_TRIED, _MANY = 50_000, 2_000
_NEAR, _EXACT = 1.2, 4
_MOST_UNEQUAL, _WIDE = 1.25, 20.0
_DIGITS = 1e-6


def advice_on_number(num_more: float | None, why_unknown: str = "") -> Advice:
    """What to do where about `num_more` would decide: infinite beyond a thousand times as many, None if unknown."""
    if num_more is None:
        return Advice("collect more samples" + (f"; how many is not known, since {why_unknown}" if why_unknown else ""))
    if num_more == inf:
        near = f"unless the value moves, {_MOST_TIMES_MORE} times as many samples would not decide"
        return Advice(f"{near}, so near is it to the threshold; move the threshold", wants_more=False)
    return Advice(f"collect more samples, about {ceil(num_more):,} if the value stays where it is")


def num_more_of_mean(mean: BoundedMean, at: float, alpha: float, *, above: bool) -> float | None:
    """About how many more samples, like those that there are, would show `mean` to be above `at`, or below.

    Infinite where a thousand times as many would not. None where they say nothing of that: where they lie on the other
    side, or do not vary at all.
    """
    if mean.found == at or bool(mean.found > at) is not above or np.ptp(mean.samples) == 0:
        return None
    num_samples = mean.samples.size
    if mean.is_share_at_the_end:
        bottom, top = mean.range
        found, claim = ((each - bottom) / (top - bottom) for each in (mean.found, at))
        share, claim = (found, claim) if above else (1 - found, 1 - claim)
        return _num_more_of_share(share, claim, num_samples, num_samples / mean.num_alike, alpha)
    return _num_more_by_bets(mean, at, alpha, above=above)


def _num_more_of_share(share: float, claim: float, num_samples: int, worth: float, alpha: float) -> float:
    """As many more as `share` takes to be shown to lie above `claim`, where `num_samples` are worth `worth`."""

    def decides(number: int) -> bool:
        counted = worth * number / num_samples
        return claim < 0 or refutes(share * counted, counted, claim, alpha)

    most = _MOST_TIMES_MORE * num_samples
    return _first(decides, num_samples, most) - num_samples if decides(most) else inf


def _first(decides: Callable[[int], bool], undecided: int, deciding: int) -> int:
    while deciding - undecided > 1:
        middle = (undecided + deciding) // 2
        undecided, deciding = (undecided, middle) if decides(middle) else (middle, deciding)
    return deciding


def _num_more_by_bets(mean: BoundedMean, at: float, alpha: float, *, above: bool) -> float | None:
    """The samples are taken several times over; between few times, a bound is taken to move by a power of them."""
    num_samples, distance = mean.samples.size, abs(mean.found - at)
    most = min(_MOST_TIMES_MORE, max(2, _MOST_TRIED // num_samples))

    def decides(times: int) -> bool:
        repeated = mean.repeated(times)
        return repeated.is_above(at, alpha) if above else repeated.is_below(at, alpha)

    def width(times: int) -> float:
        return abs(mean.found - mean.repeated(times).end(alpha, above=above))

    low, high = 1, 2
    while not decides(high) and high < most:
        low, high = high, min(2 * high, most)
    if not decides(high):  # of many, a bound narrows with the root of their number
        times = high * _power(width(high) / distance, 2)
        is_known = high * num_samples >= _MANY * mean.num_alike
        return (num_samples * (times - 1) if times <= _MOST_TIMES_MORE else inf) if is_known else None
    while high > _NEAR * low and high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    if low >= _EXACT:
        return num_samples * (sqrt(low * high) - 1)
    wide, narrow = width(low), width(high)
    power = log(high / low) / log(wide / narrow) if wide > narrow > 0 else 1.0
    times = low * _power(wide / distance, power)
    return max(1.0, num_samples * (min(max(times, low), high) - 1))


def _power(ratio: float, exponent: float) -> float:
    with np.errstate(over="ignore"):  # infinite beyond all floats, where ** raises
        return float(np.power(ratio, exponent))


def num_more_of_interval(interval: Interval, threshold: float, limits: Range | None) -> float | None:
    """About how many more samples would take `threshold` out of a recorded interval; infinite and None as above.

    An exact interval for a share, of `limits` or 0 and 1, is told by its ends. Another is taken to narrow with the root
    of the number of samples, if its two sides are about equal, and wide beside the range over the number of samples:
    a bound that holds for rare events narrows faster until then. Of any other none is known.
    """
    if interval.value == threshold:
        return None
    low, found, high = interval.low, interval.value, interval.high
    below, above = found - low, high - found
    bottom, top = limits or (0.0, 1.0)
    worth = _worth_as_share(interval, (bottom, top))
    if worth is not None:
        share, claim = ((each - bottom) / (top - bottom) for each in (found, threshold))
        share, claim = (share, claim) if found > threshold else (1 - share, 1 - claim)
        return _num_more_of_share(share, claim, interval.n, worth, (1 - interval.confidence) / 2)
    is_within, is_even = bottom <= low and high <= top, max(below, above) <= _MOST_UNEQUAL * min(below, above)
    if not (is_within and is_even and interval.n * min(below, above) >= _WIDE * (top - bottom)):
        return None
    times = _power((below if threshold < found else above) / (found - threshold), 2)
    return interval.n * (times - 1) if times <= _MOST_TIMES_MORE else inf


def _worth_as_share(interval: Interval, limits: Range) -> float | None:
    """How many independent samples a share would have with just these bounds; None where there are none such."""
    alpha, (bottom, top) = (1 - interval.confidence) / 2, limits
    low, share, high = ((each - bottom) / (top - bottom) for each in (interval.low, interval.value, interval.high))
    if not 0 <= low <= share <= high <= 1:
        return None
    few, many = 0.0, float(interval.n)
    while many - few > _DIGITS * many:  # the more they are worth, the nearer is the bound
        middle = (few + many) / 2
        is_near = (
            low <= largest_share_refuted(share * middle, middle, alpha)
            if share > 0.5
            else (1 - high <= largest_share_refuted((1 - share) * middle, middle, alpha))
        )
        few, many = (few, middle) if is_near else (middle, many)
    ends = largest_share_refuted(share * many, many, alpha), 1 - largest_share_refuted((1 - share) * many, many, alpha)
    near = 10 * _DIGITS
    is_share = isclose(ends[0], low, rel_tol=near, abs_tol=near) and isclose(ends[1], high, rel_tol=near, abs_tol=near)
    return many if is_share else None
