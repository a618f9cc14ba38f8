"""Metrics over all batches and over all but one: what each batch adds, for intervals and for margins.

AP and AUC are not means over batches. The mean of the batches' jackknife pseudo-values (Tukey, 1958) takes their place:
n * all - (n - 1) * all without the batch. Scores are sorted once, and what a batch has of them is taken away.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import final

import numpy as np

from seedbed.temporal import RankingScores, average_precision, reciprocal_rank, roc_auc
from seedbed.temporal._arrays import Float64, Int64

__all__ = ["Jackknife", "ap_without_each", "auc_without_each", "pseudo_values"]


@final
class Jackknife:
    """A predictor's metrics over all batches, and those without each batch; all is computed once, when it is asked."""

    def __init__(self, batches: Sequence[RankingScores]) -> None:
        self.batches = tuple(batches)
        self._without: dict[str, Float64] = {}

    @cached_property
    def whole(self) -> dict[str, float]:
        """`ap`, `auc` and `mrr` over all batches."""
        return RankingScores.joined(self.batches).metrics()

    @property
    def num_events(self) -> int:
        """How many events there are in all batches."""
        return sum(len(part.true) for part in self.batches)

    def without_each(self, metric: str) -> Float64:
        """The metric of all batches but one, float64 [batches]."""
        if metric not in self._without:
            self._without[metric] = _WITHOUT_EACH[metric](self.batches)
        return self._without[metric]

    def pseudo_values(self, metric: str) -> Float64:
        """The metric's jackknife pseudo-values, float64 [batches]."""
        return pseudo_values(self.whole[metric], self.without_each(metric))


def pseudo_values(whole: float, without: Float64) -> Float64:
    """The jackknife pseudo-values of a statistic: of all, and without each of the parts, float64 [parts]."""
    return len(without) * whole - (len(without) - 1) * without


def ap_without_each(batches: Sequence[RankingScores]) -> Float64:
    """`average_precision` of all batches but one, float64 [batches], but for rounding; two batches or more.

    At each score that a positive has, its precision is asked again with what the batch has from there up taken away.
    """
    if _has_nan(batches):
        return _one_by_one(average_precision, batches)
    joined = RankingScores.joined(batches)
    levels, counts = np.unique(-joined.true, return_counts=True)  # from the highest score down
    num_level = counts.astype(np.float64)
    true: Float64 = num_level.cumsum()
    above: Float64 = true + np.searchsorted(np.sort(-joined.one), levels, "right")
    return np.array([_ap_without(each, levels, num_level, true, above) for each in batches])


def _ap_without(out: RankingScores, levels: Float64, num_level: Float64, true: Float64, above: Float64) -> float:
    """The average precision without the scores of `out`; `true` and `above` count all scores down to each level."""
    of_true, of_one = np.searchsorted(levels, -out.true), np.searchsorted(levels, -out.one)
    precision = true - _steps(of_true, len(levels))
    precision /= np.maximum(above - _steps(np.concatenate([of_true, of_one]), len(levels)), 1.0)
    lost = precision[of_true].sum()
    precision *= num_level
    return float((precision.sum() - lost) / (true[-1] - len(out.true)))


def _steps(places: Int64, length: int) -> Float64:
    """How many of `places` are at or before each of 0, 1, ..., `length` - 1."""
    ends = np.append(np.append(0, np.sort(places)), length)
    steps: Float64 = np.repeat(np.arange(len(places) + 1, dtype=np.float64), np.diff(ends))
    return steps


def auc_without_each(batches: Sequence[RankingScores]) -> Float64:
    """`roc_auc` of all batches but one, float64 [batches], to the last bit; two batches or more.

    Pairs of a positive and a negative are counted for each batch, ties half: those of all, less those with a positive
    of the batch, less those with a negative of it, plus those with both.
    """
    if _has_nan(batches):
        return _one_by_one(roc_auc, batches)
    joined = RankingScores.joined(batches)
    with_true = _in_batches(_twice_below(joined.true, joined.one), batches)
    with_one = _in_batches(2 * len(joined.true) - _twice_below(joined.one, joined.true), batches)
    with_both = np.array([_twice_below(each.true, each.one).sum() for each in batches])
    left = len(joined.true) - np.array([len(each.true) for each in batches])
    without: Float64 = (with_true.sum() - with_true - with_one + with_both) / 2 / (left * left)
    return without


def _twice_below(scores: Float64, others: Float64) -> Int64:
    """For each score, twice the number of others below it, and once that of equal ones."""
    ordered = np.sort(others)
    below: Int64 = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return below


def _in_batches(values: Int64, batches: Sequence[RankingScores]) -> Int64:
    ends = np.cumsum([len(each.true) for each in batches])[:-1]
    return np.array([part.sum() for part in np.split(values, ends)])


def _mrr_without_each(batches: Sequence[RankingScores]) -> Float64:
    sums = np.array([reciprocal_rank(part.true, part.many).sum() for part in batches])
    sizes = np.array([len(part.true) for part in batches])
    without: Float64 = (sums.sum() - sums) / (sizes.sum() - sizes)
    return without


def _has_nan(batches: Sequence[RankingScores]) -> bool:
    return any(bool(np.isnan(each.true).any() or np.isnan(each.one).any()) for each in batches)


def _one_by_one(statistic: Callable[[Float64, Float64], float], batches: Sequence[RankingScores]) -> Float64:
    left = ([each for each in batches if each is not out] for out in batches)
    return np.array([statistic(rest.true, rest.one) for rest in map(RankingScores.joined, left)])


_WITHOUT_EACH: dict[str, Callable[[Sequence[RankingScores]], Float64]] = {
    "ap": ap_without_each,
    "auc": auc_without_each,
    "mrr": _mrr_without_each,
}
