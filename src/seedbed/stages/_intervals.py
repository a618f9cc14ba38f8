"""Ranking metrics with confidence intervals that allow for similar successive batches.

AP and AUC are not means over batches. The mean of the batches' jackknife pseudo-values (Tukey, 1958) takes their place:
n * all - (n - 1) * all without the batch. The gate's block bootstrap resamples these values.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap
from seedbed.temporal import RankingScores, average_precision, reciprocal_rank, roc_auc
from seedbed.temporal._arrays import Float64

__all__ = ["FEWEST_BATCHES", "ap_parts", "metrics_with_intervals", "pseudo_values"]

FEWEST_BATCHES = 8
_MOST_PARTS = 20


def metrics_with_intervals(batches: Sequence[RankingScores], seed: int) -> dict[str, Interval | float]:
    """`ap`, `auc` and `mrr` over all batches, with 95 % intervals; bare values below FEWEST_BATCHES batches."""
    whole: dict[str, float] = RankingScores.joined(batches).metrics()
    if len(batches) < FEWEST_BATCHES:
        return dict(whole)
    pseudo = pseudo_values(batches, whole)
    return {name: _interval(value, pseudo[name], seed) for name, value in whole.items()}


def pseudo_values(batches: Sequence[RankingScores], whole: Mapping[str, float]) -> dict[str, Float64]:
    """Jackknife pseudo-values of `ap`, `auc` and `mrr`, float64 [batches] each; `whole` holds the metrics of all."""
    return {
        "ap": _pseudo_values(average_precision, batches, whole["ap"]),
        "auc": _pseudo_values(roc_auc, batches, whole["auc"]),
        "mrr": _pseudo_values_of_mrr(batches, whole["mrr"]),
    }


def ap_parts(scores: RankingScores) -> tuple[float, ...]:
    """The AP's pseudo-values over 20 successive parts of the events, as many for fewer; () for a single event."""
    num_parts = min(_MOST_PARTS, len(scores.true))
    if num_parts < 2:
        return ()
    parts = [scores.take(events) for events in np.array_split(np.arange(len(scores.true)), num_parts)]
    whole = average_precision(scores.true, scores.one)
    return tuple(_pseudo_values(average_precision, parts, whole).tolist())


def _interval(value: float, pseudo_values: Float64, seed: int) -> Interval:
    interval = block_bootstrap(pseudo_values, seed=seed)
    return interval.model_copy(update={"value": value})


def _pseudo_values(
    statistic: Callable[[Float64, Float64], float], batches: Sequence[RankingScores], whole: float
) -> Float64:
    batch = np.repeat(np.arange(len(batches)), [len(part.true) for part in batches])
    scores = RankingScores.joined(batches)
    # Sorted once: without a batch the rest stays sorted, so the statistic's stable sort only merges two sorted parts.
    rank_true, rank_one = np.argsort(-scores.true), np.argsort(-scores.one)
    true, one = scores.true[rank_true], scores.one[rank_one]
    of_true, of_one = batch[rank_true], batch[rank_one]
    without = [statistic(true[of_true != b], one[of_one != b]) for b in range(len(batches))]
    return len(batches) * whole - (len(batches) - 1) * np.array(without)


def _pseudo_values_of_mrr(batches: Sequence[RankingScores], whole: float) -> Float64:
    sums = np.array([reciprocal_rank(part.true, part.many).sum() for part in batches])
    sizes = np.array([len(part.true) for part in batches])
    without: Float64 = (sums.sum() - sums) / (sizes.sum() - sizes)
    return len(batches) * whole - (len(batches) - 1) * without
