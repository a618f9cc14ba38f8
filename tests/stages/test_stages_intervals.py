"""Intervals of ranking metrics stay in [0, 1] and cover the truth as often as they say, also near 1."""

from statistics import NormalDist

import numpy as np
import pytest

from seedbed.contracts import Interval
from seedbed.stages._intervals import metrics_with_intervals
from seedbed.temporal import RankingScores


def batches(distance: float, num_batches: int, generator: np.random.Generator) -> list[RankingScores]:
    """Batches of 50 events whose true scores are normal, `distance` above those of the negatives."""
    return [
        RankingScores(generator.normal(distance, 1, 50), generator.normal(size=50), generator.normal(size=(50, 5)))
        for _ in range(num_batches)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("distance", [1.5, 3.0])
def test_an_auc_is_covered_as_often_as_promised_also_near_one(distance: float) -> None:
    truth, generator, hits = NormalDist().cdf(distance / 2**0.5), np.random.default_rng(0), 0
    for _ in range(100):
        found = metrics_with_intervals(batches(distance, 20, generator), 0)["auc"]
        assert isinstance(found, Interval)
        hits += found.low <= truth <= found.high
    assert hits >= 90


def test_no_interval_leaves_zero_to_one() -> None:
    generator = np.random.default_rng(1)
    for distance in (-5.0, 0.0, 3.0, 4.0, 5.0):
        for found in metrics_with_intervals(batches(distance, 8, generator), 0).values():
            assert isinstance(found, Interval)
            assert 0 <= found.low <= found.value <= found.high <= 1


def test_batches_that_all_agree_are_as_many_equal_samples_and_no_certainty() -> None:
    found = metrics_with_intervals(batches(50.0, 20, np.random.default_rng(2)), 0)["auc"]
    assert isinstance(found, Interval)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
