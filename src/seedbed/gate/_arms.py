"""What is estimated from the samples of a check, or why it cannot be; the statistics that both rules share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.gate._check import Check
from seedbed.gate._statistics import SPREADS, probability
from seedbed.gate.bounds._dependence import repeats_every

__all__ = [
    "FEWEST_FOR_RANKS",
    "Advice",
    "Arithmetic",
    "Arms",
    "Estimate",
    "Shortage",
    "plural",
    "repetition",
    "too_few",
    "without_confidence",
    "worth_about",
]

_Samples = NDArray[np.float64]
FEWEST_FOR_RANKS = 8
_FEWEST_THAT_VARY = 2


@final
@dataclass(frozen=True)
class Arms:
    """The samples of a metric after its warmup, and those of its control, if any, pair by pair."""

    samples: _Samples
    control: _Samples | None = None


@final
@dataclass(frozen=True)
class Estimate:
    """An estimate: an interval, or a number without one, and the method."""

    found: Interval | float
    method: str | None


@final
@dataclass(frozen=True)
class Advice:
    """What to do where the samples do not decide, and whether it is to collect more of them."""

    text: str
    wants_more: bool = True


@final
@dataclass(frozen=True)
class Shortage:
    """Why there is no estimate, and about how many more samples are needed; 0 where samples alone would not do.

    With `is_least`, so many are needed in any case, and maybe more. `advice` takes the place of a number.
    """

    reason: str
    num_missing: int
    is_least: bool = False
    advice: Advice | None = None


@final
@dataclass(frozen=True)
class Arithmetic:
    """How statistics are computed; `ratio` is that of two standard deviations, None for one that is none."""

    mean: Callable[[_Samples], float]
    std: Callable[[_Samples], float]
    ratio: Callable[[_Samples, _Samples], float | None]
    quantile: Callable[[_Samples, float], float]

    def of_one(self, statistic: str, samples: _Samples) -> float:
        """A statistic of at least one sample, or of two for a standard deviation."""
        share = probability(statistic)
        if share is not None:
            return self.quantile(samples, share)
        points: Mapping[str, Callable[[_Samples], Any]] = {
            "mean": self.mean,
            "std": self.std,
            "min": np.min,
            "max": np.max,
            "last": lambda samples: samples[-1],
            "count": np.size,
        }
        return float(points[statistic](samples))


def plural(number: int, noun: str) -> str:
    """`1 sample`, `2 samples`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def worth_about(number: float) -> str:
    """How many independent samples some dependent ones are worth: `worth about 8 independent ones`."""
    counted = max(1, round(number))
    return f"worth about {counted:,} independent {'one' if counted == 1 else 'ones'}"


def too_few(num_samples: int, fewest: int, method: str) -> Shortage:
    """The shortage of a method that needs `fewest`."""
    return Shortage(
        f"{plural(num_samples, 'sample')}, and {method} needs {fewest}", fewest - num_samples, is_least=True
    )


def repetition(samples: _Samples) -> Advice | None:
    """What to do about samples that repeat themselves: no number of further ones is promised. None for any others."""
    period = repeats_every(samples)
    if not period:
        return None
    says = f"they repeat themselves every {period} samples, and a repetition shows little that is new"
    return Advice(f"{says}; collect more at times out of step with it, or over many more repetitions")


def without_confidence(check: Check, arms: Arms, by: Arithmetic) -> Estimate | Shortage:
    """The statistic alone, of at least one finite sample in each arm. Not for drift."""
    num_samples, statistic = arms.samples.size, check.statistic or ""
    if statistic in SPREADS and num_samples < _FEWEST_THAT_VARY:
        return too_few(num_samples, _FEWEST_THAT_VARY, f"a {statistic}")
    if arms.control is None:
        return Estimate(by.of_one(statistic, arms.samples), None)
    if statistic == "difference":
        return Estimate(by.mean(arms.samples - arms.control), None)
    ratio = by.ratio(arms.samples, arms.control)
    return Shortage("neither arm varies at all, and 0 of 0 is no ratio", 0) if ratio is None else Estimate(ratio, None)
