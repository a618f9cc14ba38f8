"""Statistics of samples, on arrays alone: bounds of means, shares, spreads and quantiles, dependence, and drift."""

from seedbed.gate.bounds._bootstrap import block_bootstrap
from seedbed.gate.bounds._bounded import bounded_mean
from seedbed.gate.bounds._drift import Drift, cusum, page_hinkley
from seedbed.gate.bounds._quantile import block_quantile
from seedbed.gate.bounds._sequence import confidence_sequence

__all__ = [
    "Drift",
    "block_bootstrap",
    "block_quantile",
    "bounded_mean",
    "confidence_sequence",
    "cusum",
    "page_hinkley",
]
