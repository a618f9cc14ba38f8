"""The trend of successive scores, and how far chance reaches: both from the parts that each score is made of.

Every evaluation looks at the same events in the same batches, so its parts are paired with those of the others: what
makes a batch hard in all of them cancels out. A score that fell shows how far scores jump between evaluations.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, fmean, stdev

__all__ = ["stall_over"]

Parts = Sequence[float]


def stall_over(evaluations: Sequence[Parts], patience: int, min_delta: float, confidence: float) -> int | None:
    """Over how many of the last evaluations the score is shown to have stalled; None while that is not shown.

    It has stalled when its least-squares trend over them, for `patience` evaluations and at the upper end of a
    one-sided interval, is at most `min_delta`. They are as few, from patience + 1, as let chance reach no further than
    `min_delta`.
    """
    z = NormalDist().inv_cdf(confidence)
    jump = _jump([fmean(parts) for parts in evaluations])
    for width in range(patience + 1, len(evaluations) + 1):
        rise, error = _rise(evaluations[-width:], patience, jump)
        if z * error <= min_delta:
            return width if rise + z * error <= min_delta else None
    return None


def _rise(evaluations: Sequence[Parts], patience: int, jump: float) -> tuple[float, float]:
    """How much the scores rise in `patience` evaluations by their trend, and the standard error of that."""
    place = [at - (len(evaluations) - 1) / 2 for at in range(len(evaluations))]
    spread = sum(at * at for at in place)
    rises = [
        patience * sum(at * part for at, part in zip(place, of_one, strict=True)) / spread
        for of_one in zip(*evaluations, strict=True)
    ]
    return fmean(rises), max(stdev(rises) / sqrt(len(rises)), patience * jump / sqrt(spread))


def _jump(scores: Sequence[float]) -> float:
    """How far a score jumps, as a standard deviation: of scores without a trend, half of the steps are falls."""
    falls = [min(0.0, later - earlier) for earlier, later in pairwise(scores)]
    return sqrt(fmean(fall * fall for fall in falls)) if falls else 0.0
