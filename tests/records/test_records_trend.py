import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import PROJECT, commit
from scipy.stats import theilslopes

from seedbed.errors import InvalidInput, NotFound
from seedbed.records import Commit, CommitLog, Store, trend
from seedbed.records.query._trend import trend_slope

METRIC = "metrics.test.ap"


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def history(store: Store, values: Sequence[float], **options: Any) -> tuple[CommitLog, Commit]:
    """One run a value, all of one comparison group; the log and its newest commit."""
    for number, value in enumerate(values):
        found = commit(store, f"r{number}", ap=value, seed=number, **options)
    return store.log(PROJECT), found


@pytest.mark.slow
@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=5, max_size=40))
def test_the_slope_and_its_interval_are_those_of_scipy(values):
    ours, theirs = trend_slope(values), theilslopes(values)
    found = (ours.per_commit, ours.low, ours.high)
    if len(set(values)) == len(values):  # ties are reckoned differently there
        assert found == pytest.approx((theirs.slope, theirs.low_slope, theirs.high_slope))
    assert ours.low <= ours.per_commit <= ours.high


def test_a_planted_slope_is_within_the_interval_as_often_as_it_says():
    rng, slope = random.Random(0), 0.3
    inside = 0
    for _ in range(400):
        found = trend_slope([slope * place + rng.gauss(0, 2) for place in range(20)])
        inside += found.low <= slope <= found.high
    assert 0.92 <= inside / 400 <= 0.99


def test_chance_alone_is_no_trend_nearly_always():
    rng = random.Random(1)
    words = [trend_slope([rng.gauss(0, 1) for _ in range(20)]).words for _ in range(400)]
    assert 0.92 <= words.count("no trend") / 400 <= 0.99


def test_one_wild_run_does_not_move_the_slope():
    values = [0.01 * place for place in range(15)]
    values[7] = 1000.0
    assert trend_slope(values).per_commit == pytest.approx(0.01)


def test_a_metric_that_rises_is_said_to_rise(store):
    log, newest = history(store, [0.5, 0.52, 0.51, 0.55, 0.56, 0.58, 0.57, 0.6])
    found = trend(log, newest, METRIC)
    assert [point.value for point in found.points] == [0.5, 0.52, 0.51, 0.55, 0.56, 0.58, 0.57, 0.6]
    assert [point.run_id for point in found.points][:2] == ["r0", "r1"]
    assert found.words.startswith("rising: +0.01")
    assert "over 8 commits" in found.words


def test_a_metric_that_falls_is_said_to_fall(store):
    slope = trend(*history(store, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), METRIC).slope
    assert slope is not None
    assert slope.words == "falling"


def test_the_smoothed_course_is_the_weighted_mean_of_what_came_so_far(store):
    found = trend(*history(store, [1.0, 2.0, 4.0]), METRIC, span=3)
    assert [point.smoothed for point in found.points] == [1.0, 1.5, 2.75]
    assert found.slope is None
    assert found.words == "3 of 5 commits that a trend needs"


def test_only_what_may_be_compared_counts_and_only_up_to_the_run_asked_for(store):
    log, newest = history(store, [0.1, 0.2, 0.3])
    commit(store, "other", ap=0.9, data="other")
    commit(store, "later", ap=0.4, seed=9)
    assert [point.value for point in trend(log, newest, METRIC).points] == [0.1, 0.2, 0.3]
    assert [point.value for point in trend(log, newest, METRIC, last=2).points] == [0.2, 0.3]


def test_commits_without_the_metric_are_passed_over(store):
    commit(store, "without", metrics={"other": 1.0})
    commit(store, "nothing", metrics={"test": {"ap": None}})
    log, newest = history(store, [0.1, 0.2])
    assert [point.run_id for point in trend(log, newest, METRIC).points] == ["r0", "r1"]


def test_a_metric_that_the_run_has_not_is_refused_with_those_that_it_has(store):
    with pytest.raises(NotFound, match=r"metrics\.test\.ap, metrics\.test\.events"):
        trend(*history(store, [0.1]), "metrics.test.auc")


@pytest.mark.parametrize("options", [{"last": 0}, {"last": 501}, {"span": 0.5}, {"span": float("inf")}])
def test_what_no_trend_can_be_over_is_refused(store, options):
    with pytest.raises(InvalidInput, match="expected"):
        trend(*history(store, [0.1]), METRIC, **options)
