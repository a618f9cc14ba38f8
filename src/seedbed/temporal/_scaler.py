"""Scales features by means and deviations of past events only."""

from dataclasses import dataclass, replace

import numpy as np

from seedbed.errors import InvalidInput
from seedbed.temporal._arrays import Float32, Float64
from seedbed.temporal._stream import EventStream

__all__ = ["Scaler", "fit_scaler"]


@dataclass(frozen=True, eq=False)
class Scaler:
    """Means and deviations, float64 [F] for features and [L] for late features; made by `fit_scaler`."""

    mean: Float64
    deviation: Float64
    late_mean: Float64
    late_deviation: Float64

    def apply(self, stream: EventStream) -> EventStream:
        """The stream with scaled features; an empty value becomes 0, the mean. Raises InvalidInput for other widths."""
        if (len(self.mean), len(self.late_mean)) != (stream.features.shape[1], stream.late.shape[1]):
            expected, found = (len(self.mean), len(self.late_mean)), (stream.features.shape[1], stream.late.shape[1])
            raise InvalidInput(f"Scaler: expected {expected} features, late features, found {found}; fit it again")
        return replace(
            stream,
            features=_scaled(stream.features, self.mean, self.deviation),
            late=_scaled(stream.late, self.late_mean, self.late_deviation),
        )


def fit_scaler(stream: EventStream, upto: int) -> Scaler:
    """Fit the scale to the first `upto` events; late features count only if they are known when the last one happens.

    A column with a single value gets deviation 1. Raises InvalidInput unless 1 <= upto <= len(stream).
    """
    if not 1 <= upto <= len(stream):
        raise InvalidInput(
            f"fit_scaler: expected upto in 1 .. {len(stream)}, found {upto}; give the number of training events"
        )
    known = stream.known_at[:upto] <= stream.t[upto - 1]
    return Scaler(*_moments(stream.features[:upto]), *_moments(stream.late[:upto][known]))


def _moments(values: Float32) -> tuple[Float64, Float64]:
    """Mean and deviation of each column over its non-empty values; 0 and 1 for a column that has none."""
    present = ~np.isnan(values)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, values, 0).sum(axis=0, dtype=np.float64) / count
    variance = (np.where(present, values - mean, 0) ** 2).sum(axis=0) / count
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)


def _scaled(values: Float32, mean: Float64, deviation: Float64) -> Float32:
    return np.nan_to_num((values - mean) / deviation, nan=0.0).astype(np.float32)
