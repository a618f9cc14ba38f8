"""Notices a stream in which so many events share one time that little is seen of what came just before."""

import numpy as np

from seedbed.temporal._arrays import Int64

__all__ = ["heavy_ties"]

_OTHERS = 10
_SHARE = 0.5  # of the events


def heavy_ties(t: Int64) -> str | None:
    """What to say of times [N], in any order, if more than half of the events share theirs with 10 or more others."""
    times, counts = np.unique(t, return_counts=True)
    tied = int(counts[counts > _OTHERS].sum())
    if tied <= _SHARE * len(t):
        return None
    different = f"{len(times):,} different time{'' if len(times) == 1 else 's'}"
    return (
        f"{tied:,} of {len(t):,} events share their time with {_OTHERS} or more others ({different} in all), "
        "and events at one time do not see each other: give finer times if there are any"
    )
