"""How fast our quotes follow the market: the load of replaces, the queue for a worker, the age of orders."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["QuoteTiming", "erlang_c", "quote_timing"]

_NUM_QUOTES = 24
_SERVED_PER_SECOND, _CONTENTION, _COHERENCE = 14.0, 0.05, 0.008
_BURSTS, _BURST_MS = 30.0, 40.0
_FULLEST = 0.97
_VENUE_PER_SECOND = 80.0
_REENTRY_MS, _PRIORITY_MS, _PRIORITY_LOST = 250.0, 350.0, 0.6
_CROWDING_PER_BPS = 0.08

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuoteTiming:
    """The timing of our quotes by sample, NT: latency of a replace, how long a quote is wrong, and the age of orders.

    `rejects` is the share of messages refused. `presence` is the share of incoming orders that can trade with ours: not
    while our order is removed for its age, and rarely while it is young and far back in the queue.
    """

    latency_ms: FloatArray
    staleness_ms: FloatArray
    order_age_ms: FloatArray
    rejects: FloatArray
    presence: FloatArray


def quote_timing(values: Mapping[str, float], volatility_NT: FloatArray) -> QuoteTiming:  # noqa: N803
    """The timing that follows from the engine settings and the mid's volatility, in bps over a minute."""
    rate, interval_ms = values["replace_rate_per_min"], values["min_interval_ms"]
    wanted = (volatility_NT / values["tick_size"]) ** 2  # a random walk crosses a grid line this often in a minute
    replaced = 1 / (1 / rate + 1 / wanted + interval_ms / 60_000)
    renewed_ms = 60_000 / (replaced + 60_000 / values["tail_age_ms"])
    removed = np.exp(-values["max_age_ms"] / renewed_ms)  # the share of orders that reach their greatest age
    life_ms = renewed_ms * (1 - removed)
    latency_ms, rejects = _queue(_NUM_QUOTES * 1000 / life_ms * (1 + removed), values)  # to remove and to place again
    staleness_ms = 30_000 / rate * wanted / (wanted + rate) + interval_ms / 2 + latency_ms / (1 - rejects)
    age_ms = 3 * renewed_ms * (1 - np.exp(-values["max_age_ms"] / (3 * renewed_ms)))
    present = life_ms / (life_ms + removed * (_REENTRY_MS + latency_ms))
    in_front = 1 - _PRIORITY_LOST * np.exp(-life_ms / _PRIORITY_MS)
    crowd = 1 + _CROWDING_PER_BPS * values["tick_size"]  # on a coarser grid more orders share one price
    return QuoteTiming(latency_ms, staleness_ms, age_ms, rejects, present * in_front / crowd)


def erlang_c(offered: FloatArray, workers: int) -> FloatArray:
    """The probability of waiting in an M/M/c queue (Erlang 1917) with `offered` load, below `workers`, in workers."""
    lost = np.ones_like(offered)
    for number in range(1, workers + 1):
        lost = offered * lost / (number + offered * lost)
    return np.asarray(workers * lost / (workers - offered * (1 - lost)))


def _queue(sent_per_second: FloatArray, values: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Mean latency in ms and share rejected: more workers share more, but contend (Gunther's scalability law)."""
    workers = int(values["concurrency_limit"])
    slowdown = 1 + _CONTENTION * (workers - 1) + _COHERENCE * workers * (workers - 1)
    served = _SERVED_PER_SECOND / slowdown
    admitted = np.minimum(sent_per_second, _FULLEST * workers * served)
    waiting = erlang_c(admitted / served, workers) / (workers * served - admitted)
    burstiness = 1 + _BURSTS / 2 * np.exp(-values["min_interval_ms"] / _BURST_MS)  # Kingman's (1 + c_a^2) / 2
    throttled = 1 / (1 + (admitted / _VENUE_PER_SECOND) ** 4)
    latency_ms = 1000 * (1 / served + burstiness * waiting)
    return latency_ms, 1 - throttled * admitted / sent_per_second
