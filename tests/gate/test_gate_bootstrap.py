"""The block bootstrap's intervals cover the true mean nearly as often as they say, on samples that are correlated."""

import numpy as np
import pytest

from seedbed.errors import InvalidInput
from seedbed.gate import block_bootstrap


def ar1(rho: float, num_samples: int, generator: np.random.Generator) -> np.ndarray:
    """A stationary AR(1) series of mean 0."""
    noise = generator.normal(size=num_samples)
    noise[0] /= np.sqrt(1 - rho**2)
    series = np.empty(num_samples)
    series[0] = noise[0]
    for i in range(1, num_samples):
        series[i] = rho * series[i - 1] + noise[i]
    return series


def coverage(rho: float, num_samples: int, *, shuffled: bool = False) -> float:
    generator, hits, trials = np.random.default_rng(7), 0, 300
    for trial in range(trials):
        series = ar1(rho, num_samples, generator)
        interval = block_bootstrap(generator.permutation(series) if shuffled else series, resamples=500, seed=trial)
        hits += interval.low <= 0 <= interval.high
    return hits / trials


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "num_samples", "at_least"),
    [(0.0, 30, 0.92), (0.0, 300, 0.92), (0.3, 100, 0.90), (0.6, 100, 0.89), (0.6, 300, 0.91), (0.8, 300, 0.89)],
)
def test_a_95_percent_interval_covers_the_mean_of_an_autoregression(
    rho: float, num_samples: int, at_least: float
) -> None:
    assert at_least <= coverage(rho, num_samples) <= 0.99


@pytest.mark.slow
def test_forgetting_the_order_of_the_samples_would_cover_far_too_little() -> None:
    assert coverage(0.6, 300, shuffled=True) < 0.75


def test_the_same_seed_gives_the_same_interval_and_another_nearly_the_same() -> None:
    series = ar1(0.5, 200, np.random.default_rng(0)) + 3
    first, again, other = (block_bootstrap(series, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.low < first.value < first.high
    assert first.value == series.mean()
    assert (first.n, first.confidence) == (200, 0.95)
    assert other.high - other.low == pytest.approx(first.high - first.low, rel=0.15)


def test_many_samples_are_resampled_in_parts_that_fit_into_memory() -> None:
    series = ar1(0.0, 6000, np.random.default_rng(3))
    interval = block_bootstrap(series, resamples=400)
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(6000), rel=0.15)
    assert interval == block_bootstrap(series, resamples=400)


def test_more_confidence_makes_a_wider_interval_and_constant_samples_none() -> None:
    series = ar1(0.5, 200, np.random.default_rng(0))
    narrow, wide = (block_bootstrap(series, confidence=confidence) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    constant = block_bootstrap([0.5] * 10)
    assert (constant.low, constant.value, constant.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("values", [[0.1] * 7, [0.1] * 9 + [float("nan")], [[0.1] * 9]])
def test_samples_that_show_nothing_are_refused(values: list) -> None:
    with pytest.raises(InvalidInput, match="at least 8 finite samples"):
        block_bootstrap(values)
