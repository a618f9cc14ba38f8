"""Ranking metrics with confidence intervals that allow for similar successive batches.

The gate's block bootstrap resamples the jackknife pseudo-values of the batches. All is computed of the logarithm of the
odds, and brought back: near 1 a metric can only fall, and an interval that reaches as far up as down would leave
[0, 1]. Half an event is added to both sides of the odds (Haldane, 1956).
"""

import numpy as np

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap, bounded_mean
from seedbed.stages._jackknife import Jackknife, ap_without_each, pseudo_values
from seedbed.temporal import RankingScores, average_precision
from seedbed.temporal._arrays import Float64

__all__ = ["FEWEST_BATCHES", "ROUNDING", "ap_parts", "metrics_with_intervals"]

FEWEST_BATCHES = 8
_MOST_PARTS = 20
ROUNDING = 1e-13  # what differs by no more is equal


def metrics_with_intervals(found: Jackknife, seed: int) -> dict[str, Interval | float]:
    """`ap`, `auc` and `mrr` over all batches, with 95 % intervals; bare values below FEWEST_BATCHES batches.

    No interval leaves [0, 1]. Where all batches agree, it is the one of as many equal samples in [0, 1].
    """
    if len(found.batches) < FEWEST_BATCHES:
        return dict(found.whole)
    return {
        name: _interval(value, found.without_each(name), found.num_events, seed) for name, value in found.whole.items()
    }


def ap_parts(scores: RankingScores) -> tuple[float, ...]:
    """The AP's pseudo-values over 20 successive parts of the events, as many for fewer; () for a single event."""
    num_parts = min(_MOST_PARTS, len(scores.true))
    if num_parts < 2:
        return ()
    parts = [scores.take(events) for events in np.array_split(np.arange(len(scores.true)), num_parts)]
    whole = average_precision(scores.true, scores.one)
    return tuple(pseudo_values(whole, ap_without_each(parts)).tolist())


def _interval(value: float, without: Float64, num_events: int, seed: int) -> Interval:
    if np.ptp(without) <= ROUNDING:
        return bounded_mean([value] * len(without))
    all_odds = float(_log_odds(np.array([value]), num_events)[0])
    of_odds = block_bootstrap(pseudo_values(all_odds, _log_odds(without, num_events)), seed=seed)
    low, high = (_from_log_odds(all_odds + end - of_odds.value, num_events) for end in (of_odds.low, of_odds.high))
    return of_odds.model_copy(update={"value": value, "low": min(low, value), "high": max(high, value)})


def _log_odds(shares: Float64, num_events: int) -> Float64:
    found: Float64 = np.log(shares * num_events + 0.5) - np.log((1 - shares) * num_events + 0.5)
    return found


def _from_log_odds(odds: float, num_events: int) -> float:
    share = float(1 / (1 + np.exp(-odds)))
    return min(max((share * (num_events + 1) - 0.5) / num_events, 0.0), 1.0)
