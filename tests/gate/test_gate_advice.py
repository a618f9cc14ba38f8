"""What a check that is not decided asks for: so many more samples as its own rule takes, or no number."""

import re
from math import comb
from time import process_time

import numpy as np
import pytest
from gate_samples import report_on, verdict_on
from hypothesis import given
from hypothesis import strategies as st

from seedbed.contracts import Interval, Verdict
from seedbed.gate import Series, block_bootstrap, bounded_mean
from seedbed.gate._how_many import num_more_of_mean
from seedbed.gate._spec import declared_gate
from seedbed.gate.bounds._bounded import BoundedMean
from seedbed.gate.bounds._dependence import _exact_period, repeats_every
from seedbed.gate.bounds._simulated import autoregressive


def check_of(text: str):
    return declared_gate({"checks": [text]}, source="the test").checks[0]


def spread_ones(num_samples: int, *places: int) -> Series:
    return Series([float(place in places) for place in range(num_samples)])


def fewest_by_chance(ones: int, share: float) -> int:
    """Of how many samples at least so few ones have a chance of at most 5 % at this share."""
    return next(n for n in range(ones, 9999) if chance_of_at_most(ones, n, share) <= 0.05)


def chance_of_at_most(ones: int, num_samples: int, share: float) -> float:
    return sum(comb(num_samples, k) * share**k * (1 - share) ** (num_samples - k) for k in range(ones + 1))


def test_the_fewest_samples_are_called_the_fewest() -> None:
    check, thirty = "mean(k) < 0.01 in [0, 1] @ 95%", spread_ones(30, 11)
    assert fewest_by_chance(0, 0.01) == 299
    assert report_on(check, {"k": thirty}).reason.endswith(
        "it takes 299 samples to show it at all: collect at least 269 more"
    )
    # With the one that was seen, and nothing but zeros after it, it takes more than the fewest.
    takes = fewest_by_chance(1, 0.01)
    assert takes > 299
    assert verdict_on(check, {"k": spread_ones(takes - 1, 11)}) is Verdict.INCONCLUSIVE
    assert verdict_on(check, {"k": spread_ones(takes, 11)}) is Verdict.PASS


def test_what_the_spread_of_the_samples_asks_for_is_said_where_it_is_more_than_the_fewest() -> None:
    report = report_on("mean(k) < 0.02 in [0, 1] @ 95%", {"k": spread_ones(96, 9, 31, 58, 88)})
    said = re.search(r"collect more samples, about (\d+) if the value stays where it is$", report.reason)
    assert said is not None
    assert fewest_by_chance(0, 0.02) - 96 == 53 < int(said[1])
    # Of 5 or more ones the chance is at most 5 % at a share of 0.02 as long as there are at most so many samples.
    most = {ones: fewest_samples_reaching(ones, 0.02) - 1 for ones in (5, 6, 7, 8)}
    by_rule = [24 * ones for ones in most if 24 * ones <= most[ones]]  # one in 24 are ones, as of 96
    assert by_rule[0] - 24 - 96 < int(said[1]) <= by_rule[0] - 96


def fewest_samples_reaching(ones: int, share: float) -> int:
    """Of how many samples at least so many ones have a chance above 5 % at this share."""
    return next(n for n in range(ones, 9999) if 1 - chance_of_at_most(ones - 1, n, share) > 0.05)


@pytest.mark.parametrize("check", ["mean(k) < 0.04 in [0, 1] @ 95%", "mean(k) >= 0.04 in [0, 1] @ 95%"])
def test_where_the_value_found_is_the_threshold_no_samples_are_asked_for(check: str) -> None:
    report = report_on(check, {"k": spread_ones(100, 9, 31, 58, 88)})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reason.endswith(
        "no number of samples decides while the value found is the threshold itself; move the threshold"
    )


@pytest.mark.parametrize("num_samples", [4, 5, 8, 30])
@pytest.mark.parametrize("threshold", [0.5, 1.0, 3.0, 50.0])
@pytest.mark.parametrize("op", ["<", ">"])
def test_a_ratio_without_an_upper_bound_is_answered_too(num_samples: int, threshold: float, op: str) -> None:
    own, other = np.random.default_rng(num_samples).random((2, num_samples))
    report = report_on(f"spread_ratio(k, c) {op} {threshold} in [0, 1] @ 95%", {"k": Series(own), "c": Series(other)})
    if report.verdict is Verdict.INCONCLUSIVE and "lies inside" not in report.reason:
        assert re.search("^found .*, at least .* at 95%, and nothing bounds it from above from", report.reason)
        assert re.search(r": collect more samples(, about [\d,]+ if the value stays where it is)?$", report.reason)


@pytest.mark.parametrize(("threshold", "verdict"), [(0.5, Verdict.FAIL), (2.0, Verdict.PASS)])
def test_so_many_more_samples_as_are_estimated_for_a_ratio_without_an_upper_bound_decide(
    threshold: float, verdict: Verdict
) -> None:
    check = f"spread_ratio(k, c) < {threshold} in [0, 1] @ 95%"
    own, other = np.random.default_rng(30).random((2, 1000))  # of one spread, whose ratio is 1
    for number in range(20, 60):
        report = report_on(check, {"k": Series(own[:number]), "c": Series(other[:number])})
        found = re.search(r"nothing bounds it from above .* about (\d+) if", report.reason)
        if found:
            enough = number + 2 * int(found[1])
            assert verdict_on(check, {"k": Series(own[:enough]), "c": Series(other[:enough])}) is verdict
            return
    raise AssertionError("no number of samples was estimated")


def test_two_arms_that_are_one_are_on_the_threshold_of_one_whatever_their_number() -> None:
    arm = Series(np.random.default_rng(0).random(6))
    reason = report_on("spread_ratio(k, c) < 1 in [0, 1] @ 95%", {"k": arm, "c": arm}).reason
    assert "no number of samples decides" in reason


@pytest.mark.parametrize(
    ("check", "few", "many", "verdict"),
    [
        # The bound is a sample: that of 100 samples is the threshold itself, that of 8 lies beyond it.
        ("median(k) <= 0 @ 95%", [0, 1, 0, 0, 1, 0, 1, 0], [0] * 70 + [1] * 30, Verdict.PASS),
        ("median(k) >= 1 @ 95%", [1, 0, 1, 1, 0, 1, 0, 1, 1], [1] * 70 + [0] * 30, Verdict.PASS),
        ("p90(k) < 1 @ 95%", [0] * 54 + [1] * 6, [0] * 140 + [1] * 60, Verdict.FAIL),
    ],
)
def test_a_quantile_that_is_the_threshold_itself_is_decided_by_more_samples(
    check: str, few: list[int], many: list[int], verdict: Verdict
) -> None:
    mixed = np.random.default_rng(0).permutation
    undecided = report_on(check, {"k": Series(mixed(np.array(few, dtype=float)))})
    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert undecided.reason.endswith("samples: collect more samples")
    decided = report_on(check, {"k": Series(mixed(np.array(many, dtype=float)))})
    at = float(check.split()[2])
    side = "at most" if "<=" in check else "at least"
    assert (decided.verdict, decided.reason) == (
        verdict,
        f"found {at:g}, {side} {at:g} at 95% from {len(many)} samples",
    )


@pytest.mark.parametrize(("check", "share"), [("p95(k) < 300 @ 95%", 0.95), ("p99.9(k) < 300 @ 95%", 0.999)])
@pytest.mark.parametrize("num_samples", [1, 5, 20])
def test_too_few_samples_for_a_quantile_are_told_from_what_it_takes(check: str, share: float, num_samples: int) -> None:
    takes = next(n for n in range(1, 9999) if share**n <= 0.05)
    samples = np.random.default_rng(4).normal(200, 5, num_samples)
    reason = report_on(check, {"k": Series(samples)}).reason
    assert f"which takes {takes:,}: collect at least {takes - num_samples:,} more" in reason


def test_a_quantile_of_dependent_samples_says_what_they_are_worth() -> None:
    alike = autoregressive(0.9, 59, 1, np.random.default_rng(1))[0]
    reason = report_on("p95(k) < 3 @ 95%", {"k": Series(alike)}).reason
    said = re.match(
        r"59 samples, worth about (\d+) independent ones, do not bound .* takes 59 of those: collect", reason
    )
    assert said is not None
    assert int(said[1]) < 30


def scores(right: int, number: int) -> Interval:
    """The recorded interval of so many right answers, the wrong ones far apart."""
    answers = np.ones(number)
    answers[np.linspace(1, number - 2, number - right).astype(int)] = 0.0
    return bounded_mean(answers)


def chance_of_at_least(ones: int, number: int, share: float) -> float:
    return 1 - chance_of_at_most(ones - 1, number, share)


@pytest.mark.parametrize(
    ("right", "number", "threshold"), [(3, 3, 0.99), (10, 10, 0.99), (3, 3, 0.7), (10, 10, 0.9), (19, 20, 0.8)]
)
def test_a_recorded_share_asks_for_as_many_more_as_its_exact_interval_takes(
    right: int, number: int, threshold: float
) -> None:
    """Each end of an interval of 95 % holds at 2.5 %; the share stays as it is at whole times its number of samples."""
    step = 1 if right == number else number
    takes = next(
        n
        for n in range(number, 99 * number + 999, step)
        if chance_of_at_least(round(right * n / number), n, threshold) <= 0.025
    )
    reason = report_on(f"accuracy >= {threshold} @ 95%", {"accuracy": scores(right, number)}).reason
    said = re.search(r"about ([\d,]+) if the value stays where it is$", reason)
    assert said is not None
    assert takes - number - step < int(said[1].replace(",", "")) <= takes - number


def test_nineteen_of_twenty_take_more_to_be_shown_to_be_below_a_threshold_near_one() -> None:
    takes = next(n for n in range(20, 999) if chance_of_at_most(round(0.95 * n), n, 0.99) <= 0.025)
    reason = report_on("accuracy >= 0.99 @ 95%", {"accuracy": scores(19, 20)}).reason
    said = re.search(r"about (\d+) if", reason)
    assert said is not None
    assert (takes - 20) / 2 <= int(said[1]) <= 2 * (takes - 20)


def test_a_recorded_interval_promises_a_number_only_where_it_narrows_by_a_known_law() -> None:
    narrow = np.random.default_rng(0).normal(0.5, 0.05, 60)
    held = bounded_mean(narrow)  # whose width is that of few samples within the range, so it will narrow faster
    assert report_on("x > 0.49 @ 95%", {"x": held}).reason.endswith(": collect more samples")
    samples = np.random.default_rng(1).random(2000)
    root = block_bootstrap(samples)
    at = root.value - (root.value - root.low) / 2  # half of the width takes four times as many
    said = re.search(r"about ([\d,]+) if", report_on(f"x > {at!r} @ 95%", {"x": root}).reason)
    assert said is not None
    assert int(said[1].replace(",", "")) == pytest.approx(6000, abs=2)
    reason = report_on(f"x > {root.value!r} @ 95%", {"x": root}).reason
    assert reason.endswith("the value found is the threshold itself; move the threshold, or collect more samples")


@pytest.mark.slow
@pytest.mark.parametrize("any_look", [False, True])
@pytest.mark.parametrize(
    ("draw", "first"),
    [
        (lambda g, n: 0.2 + 0.6 * g.random(n), 20),
        (lambda g, n: g.beta(60, 5.2, n), 12),
        (lambda g, n: g.beta(60, 5.2, n), 60),
        (lambda g, n: np.clip(g.normal(0.5, 0.05, n), 0, 1), 60),
    ],
)
def test_so_many_more_samples_as_are_said_decide_within_a_factor_of_two(draw, first: int, any_look: bool) -> None:
    """Drawn again from the same samples, and moved so that the mean stays where it was, they decide, or do not."""
    drawn = (draw(np.random.default_rng(seed), first) for seed in range(99))
    samples = next(each for each in drawn if BoundedMean(each, (0.0, 1.0)).num_alike == 1)
    value = float(samples.mean() - 0.2 * samples.std())
    mean = BoundedMean(samples, (0.0, 1.0), any_look)
    assert not mean.is_above(value, 0.05)
    said = num_more_of_mean(mean, value, 0.05, above=True)
    assert said is not None
    decided = []
    for number in (first + said / 2, first + 2 * said):
        rows = [np.random.default_rng(seed).choice(samples, int(number)) for seed in range(30)]
        moved = [np.clip(row + (samples.mean() - row.mean()), 0, 1) for row in rows]
        asked = [BoundedMean(row, (0.0, 1.0), any_look) for row in moved]
        free = [each.is_above(value, 0.05) for each in asked if each.num_alike == 1]  # chance makes some look dependent
        assert len(free) >= 10
        decided.append(np.mean(free))
    assert decided[0] <= 0.1
    assert decided[1] >= 0.9


@pytest.mark.slow
def test_a_spread_takes_as_many_as_it_is_said_to() -> None:
    samples = np.random.default_rng(0).normal(100, 10, 12_000)
    report = report_on("std(k) < 12 in [0, 200] @ 95%", {"k": Series(samples[:300])})
    said = re.search(r"about ([\d,]+) if the value stays where it is$", report.reason)
    assert said is not None
    more = int(said[1].replace(",", ""))
    assert verdict_on("std(k) < 12 in [0, 200] @ 95%", {"k": Series(samples[: 300 + 2 * more])}) is Verdict.PASS
    assert verdict_on("std(k) < 12 in [0, 200] @ 95%", {"k": Series(samples[: 300 + more // 2])}) is not Verdict.PASS


@pytest.mark.parametrize("num_samples", [12, 20, 24, 48, 400, 1000])
def test_no_number_is_promised_where_a_pattern_repeats_itself_before_it_shows_as_a_season(num_samples: int) -> None:
    patterns = [[0, 1, 0.5, 0.7], *np.random.default_rng(0).random((9, 4)).tolist()]
    for pattern in patterns:
        samples, middle = np.resize(pattern, num_samples), float(np.mean(pattern))
        for check in (f"mean(k) < {middle + 0.02} in [0, 1] @ 95%", f"mean(k) > {middle - 0.02} in [0, 1] @ 95%"):
            reason = report_on(check, {"k": Series(samples)}).reason
            assert "they repeat themselves every 4 samples" in reason
            assert "about" not in reason.partition("repeat")[2]


def test_a_pattern_that_came_often_enough_takes_as_many_samples_as_it_is_said_to() -> None:
    check, pattern = "mean(k) < 0.6 in [0, 1] @ 95%", [0, 1, 0.5, 0.7]
    said = re.search(r"about ([\d,]+) if", report_on(check, {"k": Series(np.resize(pattern, 1200))}).reason)
    assert said is not None
    more = int(said[1].replace(",", ""))
    assert verdict_on(check, {"k": Series(np.resize(pattern, 1200 + 2 * more))}) is Verdict.PASS
    assert verdict_on(check, {"k": Series(np.resize(pattern, 1200 + more // 2))}) is Verdict.INCONCLUSIVE


def test_a_series_without_an_exact_repetition_has_none() -> None:
    assert repeats_every(np.array([0.0, 1.0] * 6)) == 2
    assert repeats_every(np.array([0.0, 1.0] * 6 + [1.0])) == 0
    assert repeats_every(np.full(50, 0.3)) == 0
    assert repeats_every(np.random.default_rng(0).random(50)) == 0


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 30), st.integers(0, 1))
def test_an_exact_repetition_is_the_shortest_shift_that_changes_nothing(
    pattern: list[int], num: int, num_other: int
) -> None:
    samples = np.array([*np.resize(pattern, num), *[3] * num_other], dtype=np.float64)
    shifts = range(1, num // 3 + 1)
    expected = next((k for k in shifts if all(samples[k:] == samples[: len(samples) - k])), 0)
    assert _exact_period(samples) == (expected if len({*samples.tolist()}) > 1 else 0)


def test_an_exact_repetition_is_looked_for_in_time_that_grows_with_the_samples_alone() -> None:
    num = 1_000_000
    nearly = np.zeros(num)
    nearly[num // 2] = 1.0  # every shift fails, and only in the middle
    begun = process_time()
    assert _exact_period(nearly) == 0
    assert _exact_period(np.resize([0.0, 0.0, 1.0], num)) == 3
    assert process_time() - begun < 10


def test_of_samples_that_do_not_vary_it_is_said_why_no_number_is_known():
    report = report_on("mean(x) < 0.71 in [0, 1] @ 95%", {"x": Series([0.7] * 40)})
    assert report.reason.endswith(": collect more samples; how many is not known, since these do not vary")
