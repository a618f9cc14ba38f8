"""Whether a metric changed by more than chance, measured by its replicates.

Replicates are earlier runs of one configuration that differ only in their seed and in what follows from it, one for
each seed. A run that repeats a seed is none: what differs at one seed is at most the noise between seeds. Given k of
them, a further run of the same configuration lies within mean +- t * s * sqrt(1 + 1/k) in 95 of 100 cases, where t is
Student's 97.5 % point for k - 1 degrees of freedom (the prediction interval for one future observation; Hahn & Meeker,
Statistical Intervals, 1991). A run outside differs by more than its seed explains.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seedbed.records.snapshot._snapshot import NOT_ENOUGH_REPLICATES

__all__ = [
    "BEYOND_NUMBERS",
    "EXCEEDS",
    "MOST_REPLICATES",
    "PERCENT_BEYOND",
    "REPLICATES_NEEDED",
    "WITHIN",
    "Noise",
    "noise_of",
]

REPLICATES_NEEDED = 4
MOST_REPLICATES = 12
PERCENT_BEYOND = 5  # of further replicates, by chance
# Student's t, 97.5 %, for 3 to 11 degrees of freedom.
_STUDENT = (3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010)
EXCEEDS, WITHIN = "exceeds noise", "within noise"
BEYOND_NUMBERS = "more than a number can hold"
_LAST_BITS = 4 * sys.float_info.epsilon  # of a value: as much as the order of a sum changes


@dataclass(frozen=True)
class Noise:
    """A new value compared with its replicates: it is `z` standard deviations of prediction away from their mean.

    `exceeds` is None when there are too few replicates.
    """

    z: float | None
    exceeds: bool | None
    words: str


_TOO_FEW = [
    Noise(None, None, f"{NOT_ENOUGH_REPLICATES}: {count} of {REPLICATES_NEEDED}") for count in range(REPLICATES_NEEDED)
]


def noise_of(replicates: Sequence[float], current: float, num_repeats: int = 0) -> Noise:
    """How far `current` is from `replicates`, one for each seed, of which the last MOST_REPLICATES are used.

    `num_repeats` further runs repeat a seed, which the words say.
    """
    found = _noise_of(replicates, current)
    return replace(found, words=f"{found.words}; {_repeats_text(num_repeats)}") if num_repeats else found


def _repeats_text(count: int) -> str:
    return "1 more run repeats a seed" if count == 1 else f"{count} more runs repeat a seed"


def _noise_of(replicates: Sequence[float], current: float) -> Noise:
    known = [value for value in replicates[-MOST_REPLICATES:] if math.isfinite(value)]
    if len(known) < REPLICATES_NEEDED:
        return _TOO_FEW[len(known)]
    # In units of the largest value, and from the least one on, squares neither overflow nor underflow nor lose digits.
    unit = math.frexp(max(map(abs, known)))[1]
    values, new = [math.ldexp(value, -unit) for value in known], _in_units(current, unit)
    least, most = min(values), max(values)
    rounding = _LAST_BITS * max(map(abs, values))
    if most - least <= rounding:
        same = least - rounding <= new <= most + rounding
        return Noise(None, not same, f"{WITHIN if same else EXCEEDS}: {len(known)} replicates agree exactly")
    mean, spread = _mean_and_spread([value - least for value in values])
    z = (new - least - mean) / spread
    exceeds = abs(z) > _STUDENT[len(known) - REPLICATES_NEEDED]
    return Noise(z, exceeds, f"{EXCEEDS if exceeds else WITHIN} of {len(known)} replicates")


def _in_units(value: float, unit: int) -> float:
    """The value in units of two to the power `unit`; infinite where that is too many."""
    try:
        return math.ldexp(value, -unit)
    except OverflowError:
        return math.copysign(math.inf, value)


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and the standard deviation of prediction of one more value; `statistics` takes fifty times as long."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance * (1 + 1 / len(values)))
