"""Ranking metrics with confidence intervals that allow for similar successive batches.

AP and AUC are not means over batches. The mean of the batches' jackknife pseudo-values (Tukey, 1958) takes their place:
n * all - (n - 1) * all without the batch. The gate's block bootstrap resamples these values.

All is computed of the logarithm of the odds, and brought back: near 1 a metric can only fall, and an interval that
reaches as far up as down would leave [0, 1]. Half an event is added to both sides of the odds (Haldane, 1956).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap, bounded_mean
from seedbed.temporal import RankingScores, average_precision, reciprocal_rank, roc_auc
from seedbed.temporal._arrays import Float64

__all__ = ["FEWEST_BATCHES", "ap_parts", "metrics_with_intervals", "pseudo_values"]

FEWEST_BATCHES = 8
_MOST_PARTS = 20


def metrics_with_intervals(batches: Sequence[RankingScores], seed: int) -> dict[str, Interval | float]:
    """`ap`, `auc` and `mrr` over all batches, with 95 % intervals; bare values below FEWEST_BATCHES batches.

    No interval leaves [0, 1]. Where all batches agree, it is the one of as many equal samples in [0, 1].
    """
    whole: dict[str, float] = RankingScores.joined(batches).metrics()
    if len(batches) < FEWEST_BATCHES:
        return dict(whole)
    without = _without_each(batches)
    num_events = sum(len(part.true) for part in batches)
    return {name: _interval(value, without[name], num_events, seed) for name, value in whole.items()}


def pseudo_values(batches: Sequence[RankingScores], whole: Mapping[str, float]) -> dict[str, Float64]:
    """Jackknife pseudo-values of `ap`, `auc` and `mrr`, float64 [batches] each; `whole` holds the metrics of all."""
    return {name: _pseudo_values(whole[name], without) for name, without in _without_each(batches).items()}


def ap_parts(scores: RankingScores) -> tuple[float, ...]:
    """The AP's pseudo-values over 20 successive parts of the events, as many for fewer; () for a single event."""
    num_parts = min(_MOST_PARTS, len(scores.true))
    if num_parts < 2:
        return ()
    parts = [scores.take(events) for events in np.array_split(np.arange(len(scores.true)), num_parts)]
    whole = average_precision(scores.true, scores.one)
    return tuple(_pseudo_values(whole, _statistic_without_each(average_precision, parts)).tolist())


def _interval(value: float, without: Float64, num_events: int, seed: int) -> Interval:
    if np.ptp(without) == 0:
        return bounded_mean([value] * len(without))
    all_odds = float(_log_odds(np.array([value]), num_events)[0])
    of_odds = block_bootstrap(_pseudo_values(all_odds, _log_odds(without, num_events)), seed=seed)
    low, high = (_from_log_odds(all_odds + end - of_odds.value, num_events) for end in (of_odds.low, of_odds.high))
    return of_odds.model_copy(update={"value": value, "low": min(low, value), "high": max(high, value)})


def _log_odds(shares: Float64, num_events: int) -> Float64:
    found: Float64 = np.log(shares * num_events + 0.5) - np.log((1 - shares) * num_events + 0.5)
    return found


def _from_log_odds(odds: float, num_events: int) -> float:
    share = float(1 / (1 + np.exp(-odds)))
    return min(max((share * (num_events + 1) - 0.5) / num_events, 0.0), 1.0)


def _pseudo_values(whole: float, without: Float64) -> Float64:
    return len(without) * whole - (len(without) - 1) * without


def _without_each(batches: Sequence[RankingScores]) -> dict[str, Float64]:
    """Each metric of all batches but one, float64 [batches]."""
    return {
        "ap": _statistic_without_each(average_precision, batches),
        "auc": _statistic_without_each(roc_auc, batches),
        "mrr": _mrr_without_each(batches),
    }


def _statistic_without_each(
    statistic: Callable[[Float64, Float64], float], batches: Sequence[RankingScores]
) -> Float64:
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
