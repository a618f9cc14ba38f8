"""Drift detectors: Page-Hinkley's test and the two-sided CUSUM, in standard deviations of the series."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._samples import Samples, finite_samples, in_units

__all__ = ["FEWEST_FOR_DRIFT", "Detector", "Drift", "cusum", "heights", "page_hinkley"]

FEWEST_FOR_DRIFT = 24
_REFERENCE_SHARE = 0.25
_MOST = 3.0

Detector = Literal["page_hinkley", "cusum"]


@final
@dataclass(frozen=True)
class Drift:
    """The highest evidence for an upward and a downward drift, and the sample at which each exceeded `threshold`.

    Both are in standard deviations of the series. Samples count from 0; None means no drift in that direction.
    """

    threshold: float
    up: float
    down: float
    up_at: int | None
    down_at: int | None


def page_hinkley(values: Samples, *, delta: float, threshold: float) -> Drift:
    """Page-Hinkley's test (Page, 1954; Hinkley, 1971): the rise of the sum of deviations from the mean so far.

    `delta` is subtracted from each deviation, so that smaller drifts are ignored; it and `threshold` are in standard
    deviations of the series. Raises InvalidInput for fewer than 24 finite samples.
    """
    return _drift("page_hinkley", values, delta, threshold)


def cusum(values: Samples, *, delta: float, threshold: float) -> Drift:
    """The two-sided CUSUM (Page, 1954) against the mean of the first quarter of the samples, at least eight.

    `delta` is the slack, usually half of the shift that matters; it and `threshold` are in standard deviations of the
    series. Raises InvalidInput for fewer than 24 finite samples.
    """
    return _drift("cusum", values, delta, threshold)


def heights(
    detector: Detector, samples: NDArray[np.float64], delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The evidence for upward and for downward drift after each sample, of one series or of series in rows.

    One sample counts for at most three standard deviations, since an outlier is no drift. The evidence of the CUSUM is
    0 over its reference samples.
    """
    samples = in_units(samples)
    scale = samples.std(axis=-1, keepdims=True)
    deviations = np.clip(_deviations(detector, samples) / np.where(scale > 0, scale, 1.0), -_MOST, _MOST)
    return _height(deviations - delta), _height(-deviations - delta)


def _drift(detector: Detector, values: Samples, delta: float, threshold: float) -> Drift:
    samples = finite_samples(values, fewest=FEWEST_FOR_DRIFT, needed_by=detector)
    up, down = heights(detector, samples, delta)
    return Drift(
        threshold=threshold,
        up=float(up.max()),
        down=float(down.max()),
        up_at=_first_above(up, threshold),
        down_at=_first_above(down, threshold),
    )


def _deviations(detector: Detector, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    num_samples = samples.shape[-1]
    if detector == "page_hinkley":
        so_far: NDArray[np.float64] = samples.cumsum(axis=-1) / np.arange(1, num_samples + 1)
        return samples - so_far
    reference = max(8, int(_REFERENCE_SHARE * num_samples))
    deviations: NDArray[np.float64] = samples - samples[..., :reference].mean(axis=-1, keepdims=True)
    deviations[..., :reference] = 0.0
    return deviations


def _height(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = steps.cumsum(axis=-1)
    lowest = np.minimum(np.minimum.accumulate(sums, axis=-1), 0.0)
    height: NDArray[np.float64] = sums - lowest
    return height


def _first_above(height: NDArray[np.float64], threshold: float) -> int | None:
    above = np.flatnonzero(height > threshold)
    return int(above[0]) if above.size else None
