"""Intervals of ranking metrics stay in [0, 1] and cover the truth as often as they say, also near 1."""

from statistics import NormalDist

import numpy as np
import pytest

from seedbed.contracts import Interval
from seedbed.stages._intervals import metrics_with_intervals
from seedbed.stages._jackknife import Jackknife, ap_without_each, auc_without_each
from seedbed.temporal import RankingScores, average_precision, roc_auc


def batches(distance: float, num_batches: int, generator: np.random.Generator) -> list[RankingScores]:
    """Batches of 50 events whose true scores are normal, `distance` above those of the negatives."""
    return [
        RankingScores(generator.normal(distance, 1, 50), generator.normal(size=50), generator.normal(size=(50, 5)))
        for _ in range(num_batches)
    ]


def without(parts: list[RankingScores], out: int) -> RankingScores:
    return RankingScores.joined([part for at, part in enumerate(parts) if at != out])


@pytest.mark.parametrize("seed", range(40))
def test_without_each_batch_is_what_the_statistic_of_the_others_is(seed: int) -> None:
    generator = np.random.default_rng(seed)
    decimals = int(generator.integers(-1, 3))  # -1 and 0 make nearly all scores equal
    parts = []
    for size in generator.integers(1, 9, int(generator.integers(2, 12))):
        drawn = generator.normal(size=(int(size), 7)).round(decimals)
        parts.append(RankingScores(drawn[:, 0] + int(generator.integers(2)), drawn[:, 1], drawn[:, 2:]))
    rest = [without(parts, out) for out in range(len(parts))]
    assert auc_without_each(parts).tolist() == [roc_auc(each.true, each.one) for each in rest]
    expected = [average_precision(each.true, each.one) for each in rest]
    assert ap_without_each(parts) == pytest.approx(expected, rel=1e-14, abs=0)
    found = Jackknife(parts)
    assert found.without_each("mrr") == pytest.approx([each.metrics()["mrr"] for each in rest], rel=1e-13)
    assert found.without_each("ap") is found.without_each("ap")


def test_only_without_the_batch_of_a_score_that_is_no_number_is_there_a_metric() -> None:
    parts = batches(1.0, 4, np.random.default_rng(3))
    parts[2].one[5] = np.nan
    for found in (ap_without_each(parts), auc_without_each(parts)):
        assert np.isnan(found).tolist() == [True, True, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("distance", [1.5, 3.0])
def test_an_auc_is_covered_as_often_as_promised_also_near_one(distance: float) -> None:
    truth, generator, hits = NormalDist().cdf(distance / 2**0.5), np.random.default_rng(0), 0
    for _ in range(100):
        found = metrics_with_intervals(Jackknife(batches(distance, 20, generator)), 0)["auc"]
        assert isinstance(found, Interval)
        hits += found.low <= truth <= found.high
    assert hits >= 90


def test_no_interval_leaves_zero_to_one() -> None:
    generator = np.random.default_rng(1)
    for distance in (-5.0, 0.0, 3.0, 4.0, 5.0):
        for found in metrics_with_intervals(Jackknife(batches(distance, 8, generator)), 0).values():
            assert isinstance(found, Interval)
            assert 0 <= found.low <= found.value <= found.high <= 1


def test_batches_that_all_agree_are_as_many_equal_samples_and_no_certainty() -> None:
    found = metrics_with_intervals(Jackknife(batches(50.0, 20, np.random.default_rng(2))), 0)["auc"]
    assert isinstance(found, Interval)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
