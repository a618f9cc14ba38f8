"""Rare events and skew: what fifty zeros do not show, what three hundred do, and what no number of samples shows."""

from math import comb

import numpy as np
import pytest
from gate_samples import report_on, verdict_on

from seedbed.contracts import Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec, Series, block_bootstrap, bounded_mean, fewest_samples, judge, parse_gate
from seedbed.gate._answer_series import answer_series
from seedbed.gate._check import Method
from seedbed.gate._spec import declared_gate
from seedbed.gate.bounds._bounded import BoundedMean
from seedbed.gate.bounds._bounded_rows import rows_refuting
from seedbed.gate.bounds._share import chance_of_at_least, largest_share_refuted

# The lower end of the 99 % interval of a share is above 5 % from here on for 2,000 series, and from 7 % on for 1,000.
MOST_WRONG = 0.064


def check_of(text: str):
    return declared_gate({"checks": [text]}, source="the test").checks[0]


def test_fifty_zeros_show_no_rate_below_a_hundredth_and_299_do() -> None:
    check = "mean(k) < 0.01 in [0, 1] @ 95%"
    few = report_on(check, {"k": Series([0.0] * 50)})
    assert few.verdict is Verdict.INCONCLUSIVE
    assert "it takes 299 samples to show it at all: collect at least 249 more" in few.reason
    assert verdict_on(check, {"k": Series([0.0] * 298)}) is Verdict.INCONCLUSIVE
    assert verdict_on(check, {"k": Series([0.0] * 299)}) is Verdict.PASS
    assert fewest_samples(check_of(check)) == 299
    assert 0.99**299 < 0.05 < 0.99**298


@pytest.mark.parametrize("ones", [[0.0] * 50, [1.0] * 50, [0.0] * 40 + [1.0] * 10, [-99.0] + [1.0] * 300, [7.5] * 300])
def test_without_a_range_no_number_of_samples_bounds_a_mean_or_a_spread(ones: list[float]) -> None:
    for check in ("mean(k) < 0.01 @ 95%", "mean(k) > 0 @ 95%", "std(k) < 0.001 @ 95%", "difference(k, c) < 1 @ 95%"):
        report = report_on(check, {"k": Series(ones), "c": Series([0.0] * len(ones))})
        assert report.verdict is Verdict.INCONCLUSIVE
        assert "declare their range" in report.reason
    assert "median(k)" in report_on("mean(k) > 0 @ 95%", {"k": Series(ones)}).reason


@pytest.mark.parametrize(
    ("check", "samples", "verdict"),
    [
        ("mean(k) >= 0.1 @ 95%", [0.1] * 77, Verdict.PASS),
        ("mean(k) <= 0.1 @ 95%", [0.1] * 77, Verdict.PASS),
        ("mean(k) >= 0.1 in [0, 1] @ 95%", [0.1] * 77, Verdict.INCONCLUSIVE),
        ("mean(k) >= 0.1 in [0.6, 1] @ 95%", [0.1] * 77, Verdict.INCONCLUSIVE),
        ("mean(k) <= 0.1 @ 95%", [0.1] * 58, Verdict.INCONCLUSIVE),
        ("mean(k) <= 0.1 @ 95%", [0.1] * 59, Verdict.PASS),
        ("mean(k) <= 0.1 @ 99%", [0.1] * 458, Verdict.INCONCLUSIVE),
        ("mean(k) <= 0.1 @ 99%", [0.1] * 459, Verdict.PASS),
        ("difference(k, c) >= 0.5 @ 95%", [0.5] * 58, Verdict.INCONCLUSIVE),
        ("difference(k, c) >= 0.5 @ 95%", [0.5] * 59, Verdict.PASS),
        ("mean(k) > 0.1 @ 95%", [0.1] * 77, Verdict.INCONCLUSIVE),
        ("mean(k) <= 0 @ 95%", [0.0] * 50, Verdict.INCONCLUSIVE),
        ("mean(k) >= 1 in [0, 1] @ 95%", [1.0] * 50, Verdict.INCONCLUSIVE),
        ("mean(k) <= 0.1 in [0.1, 1] @ 95%", [0.1] * 50, Verdict.INCONCLUSIVE),
        ("mean(k) >= 0.1 in [0.1, 1] @ 95%", [0.1] * 50, Verdict.PASS),
        ("mean(k) >= 0.1", [0.1] * 77, Verdict.PASS),
        ("mean(k) >= 0.1", [0.1] * 3, Verdict.PASS),
    ],
)
def test_a_constant_at_the_threshold_passes_without_a_range_where_enough_samples_show_other_values_to_be_rare(
    check: str, samples: list[float], verdict: Verdict
) -> None:
    assert verdict_on(check, {"k": Series(samples), "c": Series([0.0] * len(samples))}) is verdict
    assert 0.95**59 < 0.05 < 0.95**58
    assert 0.99**459 < 0.01 < 0.99**458


def test_a_constant_that_passes_says_what_is_assumed() -> None:
    reason = report_on("mean(k) >= 0.1 @ 95%", {"k": Series([0.1] * 77)}).reason
    assert "every one of 77 samples is 0.1" in reason
    assert "other values make up less than 5% of the time, at 95%, and are assumed to weigh nothing" in reason


def test_nearly_constant_samples_whose_true_mean_is_below_the_threshold_pass_no_range() -> None:
    rows = np.where(np.random.default_rng(3).random((100, 50)) < 0.01, 0.0, 0.5)
    assert (rows == 0.5).all(axis=1).mean() > 0.5
    check = "mean(k) >= 0.5 in [0, 1] @ 95%"
    assert np.mean([verdict_on(check, {"k": Series(row)}) is Verdict.PASS for row in rows]) <= 0.05


@pytest.mark.parametrize(
    "check",
    ["mean(k) >= 0.7 in [0, 1]", "max(k) >= 0.7 in [0, 1]", "median(k) >= 0.2 in [0, 1] @ 95%", "std(k) < 9 in [0, 1]"],
)
def test_samples_outside_the_range_pass_nothing_with_confidence_or_without(check: str) -> None:
    report = report_on(check, {"k": Series([*np.random.default_rng(0).uniform(0.8, 0.9, 40), 5.0])})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "1 of 41 samples lie outside the declared range [0, 1], such as 5" in report.reason
    assert (
        verdict_on(check, {"k": Series([*np.random.default_rng(0).uniform(0.8, 0.9, 40), 1.0])})
        is not Verdict.INCONCLUSIVE
    )


def test_a_value_outside_the_range_passes_nothing_without_confidence() -> None:
    interval = {"value": 0.79, "low": 0.75, "high": 0.95, "n": 10, "confidence": 0.95}
    for value in (0.9, interval):
        report = report_on("k >= 0.7 in [0, 0.8]", {"k": value})
        assert report.verdict is Verdict.INCONCLUSIVE
        assert "the declared range [0, 0.8]" in report.reason
    assert verdict_on("k >= 0.7 in [0, 0.8]", {"k": 0.75}) is Verdict.PASS
    assert verdict_on("k >= 0.7 in [0, 0.8]", {"k": 0.6}) is Verdict.FAIL


def test_samples_outside_the_declared_range_are_named_and_never_pass() -> None:
    report = report_on("mean(k) < 0.9 in [0, 1] @ 95%", {"k": Series([0.1] * 400 + [1.5])})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "1 of 401 samples lie outside the declared range [0, 1], such as 1.5" in report.reason


def test_found_and_threshold_are_told_apart_in_print() -> None:
    assert report_on("k >= 0.1", {"k": 0.0999999999}).reason == "found 0.0999999999, expected >= 0.1"
    nearly = report_on("mean(k) >= 0.1", {"k": [0.1, 0.0999999998]})
    assert nearly.reason == "found 0.0999999999, expected >= 0.1"


def test_an_interval_of_no_width_is_no_evidence() -> None:
    naive = block_bootstrap([0.0] * 50).model_dump()
    report = report_on("missed < 0.01 @ 95%", {"missed": naive})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "bounded_mean" in report.reason
    honest = bounded_mean([0.0] * 50)
    assert honest.high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert verdict_on("missed < 0.01 @ 95%", {"missed": honest.model_dump()}) is Verdict.INCONCLUSIVE


def test_an_interval_that_leaves_the_declared_range_is_no_evidence() -> None:
    beyond = {"value": 0.942, "low": 0.857, "high": 1.017, "n": 20, "confidence": 0.95}
    assert verdict_on("ap >= 0.8 @ 95%", {"ap": beyond}) is Verdict.PASS
    assert "leaves the declared range" in report_on("ap >= 0.8 in [0, 1] @ 95%", {"ap": beyond}).reason


@pytest.mark.parametrize(("ones", "num_samples"), [(1, 10), (5, 100), (97, 100), (30, 60), (2, 1000)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_bound_of_a_share_is_the_one_whose_binomial_tail_is_alpha(
    ones: int, num_samples: int, alpha: float
) -> None:
    bound = largest_share_refuted(ones, num_samples, alpha)
    terms = range(ones, num_samples + 1)
    tail = sum(comb(num_samples, k) * bound**k * (1 - bound) ** (num_samples - k) for k in terms)
    assert tail == pytest.approx(alpha, rel=1e-9)
    assert chance_of_at_least(ones, num_samples, bound) == pytest.approx(tail, rel=1e-9)
    assert (chance_of_at_least(ones, num_samples, 0.0), chance_of_at_least(ones, num_samples, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("check", "fewest"),
    [
        ("mean(k) < 0.01 in [0, 1] @ 95%", 299),
        ("mean(k) > 0.99 @ 95% in [0, 1]", 299),
        ("mean(k) < 1 in [0, 100] @ 99%", 459),
        ("mean(k) > 0.5 in [0, 1] @ 95%", 5),
        ("mean(k) < 2 in [0, 1] @ 95%", 1),
        ("mean(k) > 1 in [0, 1] @ 95%", None),
        ("mean(k) > 0.5 @ 95%", None),
        ("p95(k) < 1 @ 95%", 59),
        ("drift(k) == false", 24),
        ("mean(k) > 0.5", 1),
        ("std(k) < 0.5", 2),
    ],
)
def test_how_few_samples_can_pass_is_known_before_any_is_taken(check: str, fewest: int | None) -> None:
    assert fewest_samples(check_of(check)) == fewest


def ideal(check, num_samples: int) -> dict:
    """The samples, and those of a control, that speak most for `check`: all at one end."""
    low, high = check.range or (-1e6, 1e6)
    level = Series([low if check.op.value in {"<", "<="} else high] * num_samples)
    return {"k": level, "c": Series([0.0] * num_samples)} if check.statistic == "difference" else {"k": level}


@pytest.mark.parametrize("check", ["std(k) < 0.4 in [0, 1] @ 95%", "spread_ratio(k, c) < 3 in [0, 1] @ 95%"])
def test_no_number_is_claimed_where_it_depends_on_how_samples_follow_each_other(check: str) -> None:
    assert fewest_samples(check_of(check)) is None
    looked = check_of("mean(k) < 0.5 in [0, 1] @ 95%").model_copy(update={"method": Method.SEQUENCE})
    assert fewest_samples(looked) is None


@pytest.mark.parametrize("confidence", [0.4, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(
    "check",
    [
        *(
            f"{of} {op} {at} in [0, 1]"
            for of in ("mean(k)", "difference(k, c)")
            for op in "<>"
            for at in (0.02, 0.5, 0.97)
        ),
        *("mean(k) < 1 in [0, 1]", "mean(k) <= 1 in [0, 1]", "mean(k) > 0 in [0, 1]", "mean(k) > -3 in [0, 1]"),
        *("mean(k) >= 1 in [0, 1]", "mean(k) > 1 in [0, 1]", "mean(k) < 0 in [0, 1]", "mean(k) <= 0 in [0, 1]"),
        *(f"{of}(k) {op} 3" for of in ("median", "p95", "p5", "p99.5") for op in ("<", ">=")),
    ],
)
def test_so_few_samples_pass_if_they_are_ideal_and_one_less_never(check: str, confidence: float) -> None:
    asked = check_of(f"{check} @ {100 * confidence:g}%")
    fewest = fewest_samples(asked)
    if fewest is None:
        assert answer_series(asked, *ideal(asked, 4000).values()).verdict is not Verdict.PASS
        return
    assert answer_series(asked, *ideal(asked, fewest).values()).verdict is Verdict.PASS
    if fewest > 1:
        fewer = fewest - 1
        assert answer_series(asked, *ideal(asked, fewer).values()).verdict is not Verdict.PASS


@pytest.mark.parametrize(
    "check", ["std(k) < 0.5", "mean(k) < 9", "median(k) < 9", "spread_ratio(k, c) < 9", "max(k) < 9"]
)
def test_without_confidence_a_statistic_needs_as_many_samples_as_it_is_made_of(check: str) -> None:
    asked = check_of(check)
    fewest = fewest_samples(asked)
    passed = []
    for number in range(1, 4):
        record = {"k": Series([0.5] * number), "c": Series([0.0, 1.0, 0.0][:number])}
        passed.append(verdict_on(check, record) is Verdict.PASS)
    assert passed.index(True) + 1 == fewest


@pytest.mark.parametrize(
    "check",
    [
        *(f"count(k) {op} {at}" for op in ("<=", ">", ">=", "!=") for at in (0, 1, 4, 4.5)),
        *(f"count(k) < {at}" for at in (1, 4, 4.5)),  # and none is below 0
        *(f"count(k) == {at}" for at in (0, 1, 4)),  # and none is 4.5
    ],
)
def test_a_count_needs_what_it_counts(check: str) -> None:
    passed = [number for number in range(1, 9) if verdict_on(check, {"k": Series([0.0] * number)}) is Verdict.PASS]
    assert fewest_samples(check_of(check)) == (passed[0] if passed else None)


def test_a_check_on_one_value_takes_no_samples() -> None:
    with pytest.raises(InvalidInput, match="is one value"):
        fewest_samples(check_of("ap > 0.5"))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("mean(k) < 1 in [1, 0] @ 95%", "from the least value to the largest"),
        ("mean(k) < 1 in [-1e308, 1e308] @ 95%", "its width is finite"),
        ("mean(k) < 1 in [0, 1] @ 95% in [0, 1]", "the range is given twice"),
        ("mode == a in [0, 1]", "a range is for a number"),
    ],
)
def test_a_range_that_is_none_is_refused(written: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_gate({"checks": [written]})


@pytest.mark.parametrize("at", [" @ 95%", ""])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mean(k) >= 7 in [0, 1]", "within the declared range [0, 1] it is at most 1"),
        ("mean(k) > 1.5 in [0, 1]", "within the declared range [0, 1] it is at most 1"),
        ("mean(k) < -0.25 in [0, 1]", "within the declared range [0, 1] it is at least 0"),
        ("p95(k) <= 2 in [3, 4]", "within the declared range [3, 4] it is at least 3"),
        ("difference(k, c) > 2 in [-1, 1]", "within the declared range [-1, 1] it is at most 1"),
        ("ap >= 7 in [0, 1]", "within the declared range [0, 1] it is at most 1"),
        # Two samples at both ends have the largest standard deviation: 3 / sqrt(2).
        ("std(k) > 2.2 in [5, 8]", "within the declared range [5, 8] it is at most 2.12132"),
        ("std(k) < -1 in [5, 8]", "within the declared range [5, 8] it is at least 0"),
        ("spread_ratio(k, c) < -1 in [5, 8]", "within the declared range [5, 8] it is at least 0"),
        # What is at most 1 is never above it.
        *((f"{each} > 1 in [0, 1]", "within the declared range [0, 1] it is at most 1") for each in ("mean(k)", "ap")),
        *(
            (f"{each} < 0 in [0, 1]", "within the declared range [0, 1] it is at least 0")
            for each in ("p5(k)", "std(k)")
        ),
        ("mean(k) <= 1.0000001 in [1.0000002, 2]", "within the declared range [1.0000002, 2] it is at least 1.0000002"),
    ],
)
def test_a_threshold_beyond_the_range_on_the_side_that_no_value_keeps_is_refused(
    written: str, said: str, at: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_gate({"checks": ["a == 1", f"{written}{at}"]}, source="gate.yaml")
    assert f"checks.1: {written}{at} can never hold: {said}; correct the threshold or the range" in str(caught.value)
    assert "gate.yaml: 1 problem(s)" in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        *("mean(k) >= 1 in [0, 1]", "mean(k) <= 0 in [0, 1]", "mean(k) == 1 in [0, 1]", "mean(k) > 0 in [0, 1]"),
        *("mean(k) < 7 in [0, 1]", "mean(k) > -7 in [0, 1]", "mean(k) != 7 in [0, 1]", "count(k) >= 48 in [0, 1]"),
        *("std(k) < 3 in [5, 8]", "std(k) > 2.12 in [5, 8]", "spread_ratio(k, c) > 20 in [0, 1]"),
    ],
)
def test_a_threshold_that_some_value_keeps_or_that_is_an_end_of_the_range_is_let_through(written: str) -> None:
    assert parse_gate({"checks": [written]})


@pytest.mark.parametrize("written", ["std(k) < 0", "spread_ratio(k, c) < -1", "count(k) < 0"])
def test_what_is_never_negative_is_not_asked_to_be_so_without_a_range_either(written: str) -> None:
    with pytest.raises(InvalidInput, match="can never hold: it is at least 0 for any samples; correct the threshold"):
        parse_gate({"checks": [written]})


def test_a_value_equal_to_what_the_range_leaves_out_is_refused() -> None:
    for value in (-1, 2):
        with pytest.raises(InvalidInput, match="can never hold"):
            parse_gate({"checks": [f"mode == {value} in [0, 1]"]})


def test_a_check_that_was_declared_before_is_judged_and_fails_though_it_can_never_hold() -> None:
    declared = {"checks": ["mean(k) >= 7 in [0, 1] @ 95%"]}
    spec = declared_gate(declared, source="the record")
    assert judge(spec, {"k": Series([0.0, 1.0] * 200)}).verdict is Verdict.FAIL
    assert spec == GateSpec.model_validate(declared)


def test_a_range_is_written_before_or_after_the_confidence_or_as_a_field_and_left_out_where_there_is_none() -> None:
    field = {"metric": "k", "statistic": "mean", "op": "<", "value": 0.01, "confidence": 0.95, "range": [0, 1]}
    first, second, third = parse_gate(
        {"checks": ["mean(k) < 0.01 in [0, 1] @ 95%", "mean(k) < 0.01 @ 95% in [0,1]", field]}
    ).checks
    assert first == second == third
    assert first.model_dump(mode="json")["range"] == [0, 1]
    assert "range" not in check_of("mean(k) < 0.01 @ 95%").model_dump(mode="json")


def test_bounds_of_a_mean_stay_within_the_range_and_outside_of_it_nothing_is_bounded() -> None:
    interval = bounded_mean([98.0, 99.0, 100.0, 100.0] * 5, 0, 100)
    assert 0 <= interval.low < interval.value < interval.high <= 100
    with pytest.raises(InvalidInput, match="found 1 outside it, such as 2"):
        bounded_mean([0.5, 2.0])
    with pytest.raises(InvalidInput, match="expected low below high"):
        bounded_mean([0.5, 0.5], 1, 1)


def test_a_reason_says_what_dependent_samples_are_worth() -> None:
    alike = np.repeat(np.random.default_rng(0).random(60), 8)
    question = BoundedMean(alike, (0.0, 1.0))
    worth = f"from 480 samples, worth about {round(480 / question.num_alike)} independent ones"
    assert question.num_alike > 4
    for check in ("mean(k) < 0.9 in [0, 1] @ 95%", "mean(k) < 0.51 in [0, 1] @ 95%"):
        assert worth in report_on(check, {"k": Series(alike)}).reason
    free = np.random.default_rng(0).random(480)
    assert "worth" not in report_on("mean(k) < 0.9 in [0, 1] @ 95%", {"k": Series(free)}).reason


@pytest.mark.parametrize("any_look", [False, True])
@pytest.mark.parametrize("num_samples", [1, 3, 8, 40, 120])
def test_many_series_are_refuted_as_each_alone_is(num_samples: int, any_look: bool) -> None:
    generator = np.random.default_rng(num_samples)
    rows = np.concatenate(
        [
            generator.random((20, num_samples)),
            (generator.random((20, num_samples)) < 0.9).astype(float),
            np.minimum(generator.exponential(0.2, (20, num_samples)), 1.0),
            np.repeat(generator.random((20, num_samples)), 5, axis=1)[:, :num_samples],
            np.zeros((1, num_samples)),
            np.ones((1, num_samples)),
        ]
    )
    for mean in (0.05, 0.3, 0.5, 0.8):
        for alpha in (0.05, 0.3):
            alone = [BoundedMean(row, (0.0, 1.0), any_look).is_above(mean, alpha) for row in rows]
            assert rows_refuting(rows, mean, alpha, any_look=any_look).tolist() == alone
    alone = [BoundedMean(row, (0.0, 1.0), any_look, least_alike=2.5).is_above(0.3, 0.05) for row in rows]
    assert rows_refuting(rows, 0.3, 0.05, any_look=any_look, least_alike=2.5).tolist() == alone


SHAPES = {
    "rare ones": (lambda g, n: (g.random((2000, n)) < 0.02).astype(float), 0.02),
    "rare large losses": (lambda g, n: 1 - (g.random((2000, n)) < 0.02) * g.random((2000, n)), 0.99),
    "skewed": (lambda g, n: g.beta(0.2, 3.8, (2000, n)), 0.05),
    "two points": (lambda g, n: np.where(g.random((2000, n)) < 0.05, 0.2, 0.7), 0.675),
    "nearly a share": (lambda g, n: np.where(g.random((2000, n)) < 0.02, 0.5, g.random((2000, n)) < 0.1), 0.108),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num_samples", [16, 48, 240])
def test_a_mean_at_the_threshold_is_refuted_from_neither_side_more_often_than_promised(
    shape: str, num_samples: int
) -> None:
    draw, truth = SHAPES[shape]
    rows = draw(np.random.default_rng([9, num_samples]), num_samples)
    assert rows_refuting(rows, truth, 0.05).mean() <= MOST_WRONG
    assert rows_refuting(1 - rows, 1 - truth, 0.05).mean() <= MOST_WRONG


@pytest.mark.slow
def test_the_bootstrap_would_pass_rare_ones_at_the_threshold_most_of_the_time() -> None:
    rows = SHAPES["rare ones"][0](np.random.default_rng(1), 48)[:200]
    assert np.mean([block_bootstrap(row, resamples=100).high < 0.02 for row in rows]) > 0.3


@pytest.mark.slow
def test_a_sequence_may_look_at_rare_ones_after_every_eighth_sample() -> None:
    rows = (np.random.default_rng(2).random((1000, 240)) < 0.05).astype(float)
    looks = [rows_refuting(1 - rows[:, :n], 0.95, 0.05, any_look=True) for n in range(8, 241, 8)]
    assert np.any(looks, axis=0).mean() <= MOST_WRONG


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "mean", "spread", "num_samples"),
    [
        (lambda g, n: g.random((1000, n)), 0.5, 12**-0.5, 96),
        (lambda g, n: g.beta(2, 2, (1000, n)), 0.5, 0.05**0.5, 240),
        (lambda g, n: (g.random((1000, n)) < 0.5).astype(float), 0.5, 0.5, 48),
    ],
)
def test_three_standard_errors_inside_pass_in_four_of_five(draw, mean: float, spread: float, num_samples: int) -> None:
    rows = draw(np.random.default_rng(4), num_samples)
    assert rows_refuting(rows, mean - 3 * spread / num_samples**0.5, 0.05).mean() >= 0.8


@pytest.mark.slow
def test_one_in_a_thousand_is_shown_to_be_below_one_in_a_hundred_by_a_thousand_samples() -> None:
    rows = (np.random.default_rng(6).random((1000, 1000)) < 0.001).astype(float)
    assert rows_refuting(1 - rows, 0.99, 0.05).mean() >= 0.8


@pytest.mark.slow
def test_scores_like_those_of_the_demo_are_shown_to_be_above_eight_tenths() -> None:
    rows = np.random.default_rng(7).beta(60, 5.2, (200, 45))
    assert rows_refuting(rows, 0.8, 0.05).all()


def test_many_samples_are_bounded_as_well_as_by_the_normal_law() -> None:
    samples = np.random.default_rng(0).beta(2, 5, 200_000)
    report = report_on("mean(k) < 0.29 in [0, 1] @ 95%", {"k": Series(samples)})
    assert report.verdict is Verdict.PASS
    assert isinstance(report.found, Interval)
    error = samples.std() / samples.size**0.5
    assert 1.5 * error < report.found.high - samples.mean() < 2.1 * error
    assert 1.5 * error < samples.mean() - report.found.low < 2.1 * error
