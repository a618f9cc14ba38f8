"""Features on one scale, learnt from the past only."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput
from seedbed.temporal._stream import EventStream

__all__ = ["Scaler", "fit_scaler"]


@dataclass(frozen=True, eq=False)
class Scaler:
    """Means and deviations, float64 [F] for features and [L] for late features; made by `fit_scaler`."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    late_mean: NDArray[np.float64]
    late_deviation: NDArray[np.float64]

    def apply(self, stream: EventStream) -> EventStream:
        """The stream with scaled features; an empty value becomes 0, the mean. Raises InvalidInput on other widths."""
        if (len(self.mean), len(self.late_mean)) != (stream.features.shape[1], stream.late.shape[1]):
            expected, found = (len(self.mean), len(self.late_mean)), (stream.features.shape[1], stream.late.shape[1])
            raise InvalidInput(f"Scaler: expected {expected} features, late features, found {found}; fit it again")
        return replace(
            stream,
            features=_scaled(stream.features, self.mean, self.deviation),
            late=_scaled(stream.late, self.late_mean, self.late_deviation),
        )


def fit_scaler(stream: EventStream, upto: int) -> Scaler:
    """Learn the scale from the first `upto` events, and of their late features only from those known by the last one.

    A column with a single value gets deviation 1. Raises InvalidInput unless 1 <= upto <= len(stream).
    """
    if not 1 <= upto <= len(stream):
        raise InvalidInput(
            f"fit_scaler: expected upto in 1 .. {len(stream)}, found {upto}; name the last training event"
        )
    known = stream.known_at[:upto] <= stream.t[upto - 1]
    return Scaler(*_moments(stream.features[:upto]), *_moments(stream.late[:upto][known]))


def _moments(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each column over its non-empty values; 0 and 1 for a column without any."""
    present = ~np.isnan(values)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, values, 0).sum(axis=0, dtype=np.float64) / count
    variance = (np.where(present, values - mean, 0) ** 2).sum(axis=0) / count
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)


def _scaled(
    values: NDArray[np.float32], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float32]:
    return np.nan_to_num((values - mean) / deviation, nan=0.0).astype(np.float32)
