"""How well scores rank the true link: average precision, area under the ROC curve, mean reciprocal rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import numpy.typing as npt

__all__ = ["RankingScores", "average_precision", "reciprocal_rank", "roc_auc"]

Floats = npt.NDArray[np.float64]


def _totals_at_thresholds(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """True and false positives when everything at or above each distinct score is accepted, from the highest down."""
    score = np.concatenate([positive, negative])
    order = np.argsort(-score, kind="stable")
    hit = (order < len(positive)).cumsum()
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = hit[last_of_tie].astype(np.float64)
    return true, last_of_tie + 1 - true


def average_precision(positive: Floats, negative: Floats) -> float:
    """Sum over thresholds of (recall step) * precision, tied scores accepted together. positive [P], negative [N].

    NaN when any score is: what has no order has no rank.
    """
    if np.isnan(positive).any() or np.isnan(negative).any():
        return float("nan")
    true, false = _totals_at_thresholds(positive, negative)
    precision = true / (true + false)
    return float(np.sum(np.diff(true, prepend=0.0) * precision) / len(positive))


def roc_auc(positive: Floats, negative: Floats) -> float:
    """The chance that a positive outranks a negative, a tie counting half. positive [P], negative [N]. NaN as above."""
    if np.isnan(positive).any() or np.isnan(negative).any():
        return float("nan")
    true, false = _totals_at_thresholds(positive, negative)
    area = np.trapezoid(np.append(0.0, true), np.append(0.0, false))
    return float(area / (len(positive) * len(negative)))


def reciprocal_rank(positive: Floats, negative: Floats) -> Floats:
    """1 / rank of each positive [B] among its own negatives [B, M]; a tie takes the middle of the ranks it spans.

    NaN for an event with a NaN among its scores.
    """
    above = (negative > positive[:, None]).sum(axis=1)
    level = (negative == positive[:, None]).sum(axis=1)
    unordered = np.isnan(positive) | np.isnan(negative).any(axis=1)
    rank: Floats = np.where(unordered, np.nan, 1.0 + above + 0.5 * level)
    return 1.0 / rank


@final
@dataclass(frozen=True, slots=True)
class RankingScores:
    """Scores of B events: the true destination [B], one negative each [B], M negatives each [B, M]."""

    true: Floats
    one: Floats
    many: Floats

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The scores of successive batches as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("true", "one", "many")))

    def take(self, event: npt.NDArray[np.int64]) -> Self:
        """The scores of the events at these places, [B'], which may repeat."""
        return type(self)(self.true[event], self.one[event], self.many[event])

    def metrics(self) -> dict[str, float]:
        """`ap` and `auc` against the one negative, `mrr` against the M."""
        return {
            "ap": average_precision(self.true, self.one),
            "auc": roc_auc(self.true, self.one),
            "mrr": float(reciprocal_rank(self.true, self.many).mean()),
        }
