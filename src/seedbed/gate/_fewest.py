"""With how few samples a check can pass at all, whatever they show."""

from math import floor

from seedbed.errors import InvalidInput
from seedbed.gate._answer import HOLDS
from seedbed.gate._arms import FEWEST_FOR_RANKS
from seedbed.gate._check import Check, Method
from seedbed.gate._estimate import alpha_of
from seedbed.gate._statistics import SPREADS, WITH_INTERVAL, probability
from seedbed.gate.bounds._drift import FEWEST_FOR_DRIFT
from seedbed.gate.bounds._share import fewest_to_refute

__all__ = ["fewest_samples", "fewest_to_show", "is_number_known"]


def fewest_samples(check: Check) -> int | None:
    """The fewest samples, its warmup included, with which a check on a series can pass if all of them are ideal.

    299 for `mean(missed) < 0.01 in [0, 1] @ 95%`. None where no number of samples is enough: for a mean or a spread
    without a range, and for a threshold that lies outside the range on the wrong side. None too where no such number is
    known: for a spread and for `method: sequence`, where it depends on how the samples follow each other. A series that
    is the threshold itself throughout, which some demands accept, counts for nothing here. Raises InvalidInput for a
    check on a single value.
    """
    if check.statistic is None:
        raise InvalidInput(f"fewest_samples: {check.subject} is one value; ask for a check on a series, such as a mean")
    if check.statistic == "count":
        return _fewest_to_count(check)
    fewest = fewest_to_show(check)
    return None if fewest is None else check.warmup + max(fewest, check.min_samples or 1)


def is_number_known(check: Check) -> bool:
    """Whether the number of samples that a check takes does not depend on how they follow each other."""
    return check.confidence is None or not (check.statistic in SPREADS or check.method is Method.SEQUENCE)


def _fewest_to_count(check: Check) -> int | None:
    fewest, value = check.min_samples or 1, float(check.value)
    near = (fewest, fewest + 1, max(fewest, floor(value)), max(fewest, floor(value) + 1))
    found = min((number for number in near if HOLDS[check.op](float(number), value)), default=None)
    return None if found is None else check.warmup + found


def fewest_to_show(check: Check) -> int | None:
    """As `fewest_samples`, of a check on anything but a count, without its warmup and whatever it demands besides."""
    share = probability(check.statistic or "")
    if check.is_drift:
        return FEWEST_FOR_DRIFT
    if check.confidence is None:
        return 2 if check.statistic in SPREADS else 1
    if share is not None:
        bounded = share if check.op.is_upper_limit else 1 - share
        return max(FEWEST_FOR_RANKS, fewest_to_refute(bounded, alpha_of(check.confidence)))
    if check.range is None or not is_number_known(check) or check.statistic not in WITH_INTERVAL:
        return None
    return _fewest_within(check, check.range, alpha_of(check.confidence))


def _fewest_within(check: Check, limits: tuple[float, float], alpha: float) -> int | None:
    share = _threshold_as_share(check, limits)
    claim = 1 - share if check.op.is_upper_limit else share
    if claim >= 1:
        return None
    return 1 if claim <= 0 else fewest_to_refute(claim, alpha)


def _threshold_as_share(check: Check, limits: tuple[float, float]) -> float:
    """Where the threshold lies between the least that the samples can be, 0, and the most, 1."""
    return (float(check.value) - limits[0]) / (limits[1] - limits[0])
