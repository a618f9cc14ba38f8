"""Ranking metrics with confidence intervals that allow for similar successive batches.

AP and AUC are not means over batches. The mean of the batches' jackknife pseudo-values (Tukey, 1958) takes their place:
n * all - (n - 1) * all without the batch. The gate's block bootstrap resamples these values.

All is computed of the logarithm of the odds, and brought back: near 1 a metric can only fall, and an interval that
reaches as far up as down would leave [0, 1]. Half an event is added to both sides of the odds (Haldane, 1956).
"""

from collections.abc import Callable, Sequence

import numpy as np

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap, bounded_mean
from seedbed.temporal import RankingScores, average_precision, reciprocal_rank, roc_auc
from seedbed.temporal._arrays import Float64

__all__ = ["FEWEST_BATCHES", "metrics_with_intervals"]

FEWEST_BATCHES = 8


def metrics_with_intervals(batches: Sequence[RankingScores], seed: int) -> dict[str, Interval | float]:
    """`ap`, `auc` and `mrr` over all batches, with 95 % intervals; bare values below FEWEST_BATCHES batches.

    No interval leaves [0, 1]. Where all batches agree, it is the one of as many equal samples in [0, 1].
    """
    whole: dict[str, float] = RankingScores.joined(batches).metrics()
    if len(batches) < FEWEST_BATCHES:
        return dict(whole)
    without = {
        "ap": _without_each(average_precision, batches),
        "auc": _without_each(roc_auc, batches),
        "mrr": _mrr_without_each(batches),
    }
    num_events = sum(len(part.true) for part in batches)
    return {name: _interval(value, without[name], num_events, seed) for name, value in whole.items()}


def _interval(value: float, without: Float64, num_events: int, seed: int) -> Interval:
    num_batches = len(without)
    if np.ptp(without) == 0:
        return bounded_mean([value] * num_batches)
    all_odds, odds = _log_odds(np.array([value]), num_events)[0], _log_odds(without, num_events)
    pseudo_values = num_batches * all_odds - (num_batches - 1) * odds
    of_odds = block_bootstrap(pseudo_values, seed=seed)
    low, high = (_from_log_odds(all_odds + end - of_odds.value, num_events) for end in (of_odds.low, of_odds.high))
    return of_odds.model_copy(update={"value": value, "low": min(low, value), "high": max(high, value)})


def _log_odds(shares: Float64, num_events: int) -> Float64:
    found: Float64 = np.log(shares * num_events + 0.5) - np.log((1 - shares) * num_events + 0.5)
    return found


def _from_log_odds(odds: float, num_events: int) -> float:
    share = float(1 / (1 + np.exp(-odds)))
    return min(max((share * (num_events + 1) - 0.5) / num_events, 0.0), 1.0)


def _without_each(statistic: Callable[[Float64, Float64], float], batches: Sequence[RankingScores]) -> Float64:
    """The statistic of all batches but one, for each of them."""
    batch = np.repeat(np.arange(len(batches)), [len(part.true) for part in batches])
    scores = RankingScores.joined(batches)
    # Sorted once: without a batch the rest stays sorted, so the statistic's stable sort only merges two sorted parts.
    rank_true, rank_one = np.argsort(-scores.true), np.argsort(-scores.one)
    true, one = scores.true[rank_true], scores.one[rank_one]
    of_true, of_one = batch[rank_true], batch[rank_one]
    return np.array([statistic(true[of_true != b], one[of_one != b]) for b in range(len(batches))])


def _mrr_without_each(batches: Sequence[RankingScores]) -> Float64:
    sums = np.array([reciprocal_rank(part.true, part.many).sum() for part in batches])
    sizes = np.array([len(part.true) for part in batches])
    without: Float64 = (sums.sum() - sums) / (sizes.sum() - sizes)
    return without
