"""The statistics that a check may ask of a series, by name."""

import re
from difflib import get_close_matches

__all__ = [
    "DRIFTS",
    "MOST_CERTAIN",
    "PAIRED",
    "SPREADS",
    "WITH_INTERVAL",
    "is_statistic",
    "probability",
    "statistic_named",
]

DRIFTS = frozenset({"drift", "drift_up", "drift_down"})
PAIRED = frozenset({"difference", "spread_ratio"})
SPREADS = frozenset({"std", "spread_ratio"})
MOST_CERTAIN = 1 - 1e-12
"""The largest confidence: what it leaves of 1 is a number beside 1."""

_POINTS = frozenset({"mean", "median", "min", "max", "std", "last", "count"})
# There is no interval for an extreme, the last sample or a count.
WITH_INTERVAL = frozenset({"mean", "median", "std"}) | PAIRED
_RAREST = 1e-12
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


def is_statistic(name: str) -> bool:
    """Whether `name` is a statistic: mean, median, min, max, std, last, count, p95 and so on, drift, or of two arms."""
    return name in _POINTS or name in DRIFTS or name in PAIRED or probability(name) is not None


def statistic_named(name: str) -> str:
    """`name` if it is a statistic. Raises ValueError with the nearest names."""
    if is_statistic(name):
        return name
    if number := _PERCENTILE.fullmatch(name):
        instead = {0.0: "; the least value is min", 100.0: "; the largest value is max"}.get(float(number[1]), "")
        raise ValueError(
            f"no statistic is named {name!r}: a quantile lies above p0 and below p100{instead or ', by 1e-10 or more'}"
        )
    known = sorted({*_POINTS, *DRIFTS, *PAIRED})
    near = get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)} and quantiles such as p95"
    raise ValueError(f"no statistic is named {name!r}: {hint}")


def probability(name: str) -> float | None:
    """The probability of a quantile: 0.95 for `p95`, 0.5 for `median`; None for other names."""
    if name == "median":
        return 0.5
    match = _QUANTILE.fullmatch(name)
    share = float(match[1]) / 100 if match else 0.0
    return share if _RAREST <= share <= 1 - _RAREST else None
