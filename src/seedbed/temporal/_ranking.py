"""Metrics of how well scores rank the true link: average precision, area under the ROC curve, reciprocal rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from seedbed.temporal._arrays import Float64, Int64

__all__ = ["RankingScores", "average_precision", "reciprocal_rank", "roc_auc"]


def _totals_at_thresholds(positive: Float64, negative: Float64) -> tuple[Float64, Float64]:
    """The true and the false positives at or above each distinct score, from the highest score down."""
    score = np.concatenate([positive, negative])
    order = np.argsort(-score, kind="stable")
    hit = (order < len(positive)).cumsum()
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = hit[last_of_tie].astype(np.float64)
    return true, last_of_tie + 1 - true


def average_precision(positive: Float64, negative: Float64) -> float:
    """The sum over thresholds of (recall step) * precision; equal scores count together. positive [P], negative [N].

    NaN when any score is NaN.
    """
    if np.isnan(positive).any() or np.isnan(negative).any():
        return float("nan")
    true, false = _totals_at_thresholds(positive, negative)
    precision = true / (true + false)
    return float(np.sum(np.diff(true, prepend=0.0) * precision) / len(positive))


def roc_auc(positive: Float64, negative: Float64) -> float:
    """The chance that a positive scores above a negative, ties count half. positive [P], negative [N].

    NaN when any score is NaN.
    """
    if np.isnan(positive).any() or np.isnan(negative).any():
        return float("nan")
    true, false = _totals_at_thresholds(positive, negative)
    area = np.trapezoid(np.append(0.0, true), np.append(0.0, false))
    return float(area / (len(positive) * len(negative)))


def reciprocal_rank(positive: Float64, negative: Float64) -> Float64:
    """1 / rank of each positive [B] among its own negatives [B, M]; a tie gets the middle of its ranks.

    NaN for an event that has a NaN among its scores.
    """
    above = (negative > positive[:, None]).sum(axis=1)
    level = (negative == positive[:, None]).sum(axis=1)
    unordered = np.isnan(positive) | np.isnan(negative).any(axis=1)
    rank: Float64 = np.where(unordered, np.nan, 1.0 + above + 0.5 * level)
    return 1.0 / rank


@final
@dataclass(frozen=True, slots=True)
class RankingScores:
    """Scores of B events: the true destination [B], one negative each [B], M negatives each [B, M]."""

    true: Float64
    one: Float64
    many: Float64

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The scores of successive batches, joined."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("true", "one", "many")))

    def take(self, event: Int64) -> Self:
        """The scores of the events at these indices, [B'], which may repeat."""
        return type(self)(self.true[event], self.one[event], self.many[event])

    def metrics(self) -> dict[str, float]:
        """`ap` and `auc` against the one negative, `mrr` against the M negatives."""
        return {
            "ap": average_precision(self.true, self.one),
            "auc": roc_auc(self.true, self.one),
            "mrr": float(reciprocal_rank(self.true, self.many).mean()),
        }
