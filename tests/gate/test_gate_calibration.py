"""What a gate promises about its errors is tried on simulated series; a rule that breaks the promise is found."""

from math import sqrt

import numpy as np
import pytest
from gate_samples import one_series

from seedbed.errors import InvalidInput
from seedbed.gate import Check, Series, block_bootstrap, calibrate, calibrated, judge, parse_gate
from seedbed.gate.bounds._sequence import sequence_reach
from seedbed.gate.bounds._simulated import autoregressive

NOMINAL = 0.05


@pytest.mark.parametrize("lag_one", [-0.5, 0.0, 0.5, 0.9])
def test_simulated_series_are_what_they_say(lag_one: float) -> None:
    series = simulated(lag_one, 50, 4000)
    assert series.shape == (4000, 50)
    assert series[:, 0].std() == pytest.approx(1, abs=0.05)
    assert series[:, -1].std() == pytest.approx(1, abs=0.05)
    assert (series[:, 1:] * series[:, :-1]).mean() == pytest.approx(lag_one, abs=0.03)


def check_of(written: object) -> Check:
    return parse_gate({"checks": [written]}).checks[0]


def simulated(lag_one: float, num_samples: int, num_series: int) -> np.ndarray:
    return autoregressive(lag_one, num_samples, num_series, np.random.default_rng([7, num_samples]))


def bar(num_series: int) -> float:
    """The nominal rate and twice the Monte-Carlo error."""
    return NOMINAL + 2 * sqrt(NOMINAL * (1 - NOMINAL) / num_series)


@pytest.mark.parametrize("lag_one", [0.0, 0.5])
@pytest.mark.parametrize("num_samples", [48, 96])
def test_the_bootstrap_passes_a_mean_at_its_threshold_no_more_often_than_promised(
    lag_one: float, num_samples: int
) -> None:
    series = simulated(lag_one, num_samples, 400)
    passed = [block_bootstrap(each, resamples=200).low > 0 for each in series]
    assert np.mean(passed) <= bar(400)


def test_six_of_the_last_eight_breaks_the_promise() -> None:
    above = (simulated(0.0, 48, 400)[:, -8:] > 0).sum(axis=1)
    assert (above >= 6).mean() == pytest.approx(0.145, abs=0.04)
    assert (above >= 6).mean() > bar(400)
    good = (simulated(0.0, 48, 400)[:, -8:] > -0.8416).sum(axis=1)  # above the threshold four times in five
    assert (good < 6).mean() == pytest.approx(0.203, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("lag_one", [0.0, 0.5, 0.8])
def test_a_confidence_sequence_keeps_the_promise_at_every_look_together(lag_one: float) -> None:
    num_series = 200
    passed = [
        any(each[:n].mean() > sequence_reach(each[:n], confidence=0.95).half_width for n in range(16, 97, 2))
        for each in simulated(lag_one, 96, num_series)
    ]
    assert np.mean(passed) <= bar(num_series)


@pytest.mark.slow
def test_an_interval_for_one_look_breaks_the_promise_when_it_is_looked_at_each_time() -> None:
    num_series = 100
    passed = [
        any(block_bootstrap(each[:n], resamples=100).low > 0 for n in range(16, 97, 2))
        for each in simulated(0.5, 96, num_series)
    ]
    assert np.mean(passed) > bar(num_series)


def test_forgetting_autocorrelation_breaks_the_promise() -> None:
    generator = np.random.default_rng(0)
    series = simulated(0.8, 96, 200)
    passed = [block_bootstrap(generator.permutation(each), resamples=100).low > 0 for each in series]
    assert np.mean(passed) > 0.15


def at_zero(lag_one: float, num_samples: int, *, seed: int = 3) -> Series:
    return Series(np.clip(one_series(lag_one, num_samples, seed=seed), -4, 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    "written",
    [
        "mean(x) > 0 in [-4, 4] @ 95%",
        "median(x) <= 2.5 @ 95%",
        "p90(x) < 2.5 @ 95%",
        "std(x) < 1 in [-4, 4] @ 95%",
        "std(x) > 1 in [-4, 4] @ 95%",
        "difference(x, y) >= 0 in [-8, 8] @ 95%",
        "spread_ratio(x, y) < 1 in [-4, 4] @ 95%",
        "spread_ratio(x, y) > 1 in [-4, 4] @ 95%",
        {
            "metric": "x",
            "statistic": "mean",
            "op": ">",
            "value": 0,
            "confidence": 0.95,
            "method": "sequence",
            "range": [-4, 4],
        },
    ],
)
def test_a_check_with_confidence_is_calibrated(written: object) -> None:
    check = check_of(written)
    found = calibrate(check, at_zero(0.3, 96), at_zero(0.3, 96, seed=4) if check.control else None)
    assert found.num_series == 400
    assert found.false_pass <= bar(400)
    assert found.false_fail <= bar(400)
    assert 0 < found.standard_error < 0.012


def test_a_spread_is_calibrated_by_the_rule_that_judged_it() -> None:
    in_runs = np.sign(one_series(0.9, 96, seed=2)) * np.random.default_rng(2).random(96)  # their squares are in none
    found = calibrate(check_of("std(x) > 0.55 in [-1, 1] @ 80%"), Series(in_runs))
    assert found.false_pass < 0.08  # 12 % if the squares were taken for as independent as they look


def test_fifty_zeros_are_calibrated_by_what_they_may_have_missed() -> None:
    zeros = Series([0.0] * 50)
    found = calibrate(check_of("mean(x) < 0.01 in [0, 1] @ 95%"), zeros)
    assert found.false_pass == 0  # fifty samples cannot show it, and so never wrongly do
    enough = calibrate(check_of("mean(x) < 0.1 in [0, 1] @ 95%"), zeros)
    assert 0 < enough.false_pass <= bar(400)  # 0.9 ** 50 is 0.005


def test_a_check_without_confidence_passes_every_other_series_at_its_threshold() -> None:
    found = calibrate(check_of("mean(x) > 2.5"), at_zero(0.0, 96))
    assert found.false_pass == pytest.approx(0.5, abs=0.08)
    assert found.false_pass + found.false_fail == 1
    assert found.standard_error == pytest.approx(0.025, abs=0.001)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("mean(x) > 2.5 @ 95%", "has no answer, right or wrong: no number of samples bounds a mean"),
        ("mean(x) > 0 in [-0.1, 0.1] @ 95%", "lie outside the declared range"),
        ("mean(x) < 4 in [-4, 4] @ 95%", "varies around the threshold"),
        ("std(x) < 9 in [-4, 4] @ 95%", "varies around the threshold"),
    ],
)
def test_a_check_without_an_answer_has_no_rate_rather_than_a_rate_of_none(written: str, problem: str) -> None:
    record = {"x": Series(np.clip(one_series(0.0, 96), -4, 4))}
    with pytest.raises(InvalidInput, match=problem):
        calibrate(check_of(written), record["x"])
    spec = parse_gate({"checks": [written]})
    assert calibrated(judge(spec, record), spec, record).checks[0].false_pass_rate is None


def test_a_report_is_calibrated_by_the_rules_that_it_was_made_by() -> None:
    spec, record = parse_gate({"checks": ["mean(x) > 0 @ 95%"]}), {"x": at_zero(0.0, 48)}
    former = calibrated(judge(spec, record, rules=1), spec, record).checks[0]
    assert former.false_pass_rate == calibrate(spec.checks[0], record["x"], rules=1).false_pass
    assert former.false_pass_rate > 0
    assert calibrated(judge(spec, record), spec, record).checks[0].false_pass_rate is None


@pytest.mark.slow
@pytest.mark.parametrize("method", ["page_hinkley", "cusum"])
def test_a_drift_check_is_calibrated_and_one_that_asks_for_drift_the_other_way_round(method: str) -> None:
    written = {"metric": "x", "statistic": "drift", "op": "==", "value": False, "method": method}
    calm = calibrate(check_of(written), at_zero(0.3, 96))
    assert calm.false_pass <= 0.2
    assert calm.false_fail <= bar(400)
    wild = calibrate(check_of(written | {"value": True}), at_zero(0.3, 96))
    assert (wild.false_pass, wild.false_fail) == (calm.false_fail, calm.false_pass)
    deaf = calibrate(check_of(written | {"threshold": 0.01}), at_zero(0.0, 96))
    assert deaf.false_fail > 0.9


def test_a_drift_check_that_could_not_see_a_step_does_not_pass_it() -> None:
    blind = calibrate(check_of("drift(x) == false"), at_zero(0.8, 30))
    assert blind.false_pass < 0.1


@pytest.mark.slow
def test_drift_on_one_side_is_calibrated_on_that_side() -> None:
    found = calibrate(check_of("drift_down(x) == false"), at_zero(0.0, 96))
    assert found.false_pass <= 0.2
    assert found.false_fail <= bar(400)
    assert calibrate(check_of("drift_up(x) == false"), at_zero(0.0, 96)).false_pass <= 0.2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rates_and_long_series_take_fewer() -> None:
    check, series = check_of("mean(x) > 0 in [-4, 4] @ 95%"), at_zero(0.4, 64)
    assert calibrate(check, series) == calibrate(check, series)
    assert calibrate(check, series, num_series=50, seed=1).num_series == 50
    assert calibrate(check, at_zero(0.0, 100_000)).num_series == 100


@pytest.mark.parametrize(
    ("written", "num_samples", "problem"),
    [
        ("max(x) < 5", 96, "has no true value"),
        ("mean(x) < 5", 7, "needs 8 finite samples, found 7"),
        ("drift(x) == false", 23, "needs 24 finite samples, found 23"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(written: str, num_samples: int, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        calibrate(check_of(written), at_zero(0.0, num_samples))


@pytest.mark.slow
def test_a_report_has_the_false_pass_rate_of_its_checks_on_series() -> None:
    record = {
        "x": Series(one_series(0.5, 96, mean=1.0)),
        "y": Series(one_series(0.5, 96, seed=1)),
        "bad": Series([float("nan")] * 20),
        "few": Series([1.0] * 7),
        "one": 1.0,
    }
    checks = ["mean(x) > 0 in [-5, 5] @ 95%", "mean(x) > 0", "difference(x, y) > 0 in [-9, 9] @ 95%", "one > 0"]
    more = ["max(x) < 9", "mean(bad) > 0", "mean(few) > 0", "drift(x) == false"]
    spec = parse_gate({"checks": [*checks, *more]})
    plain = judge(spec, record)
    report = calibrated(plain, spec, record)
    rates = [check.false_pass_rate for check in report.checks]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[0] <= bar(400) < rates[1]
    assert rates[2] is not None
    assert rates[3:7] == [None] * 4
    assert rates[7] is not None
    assert [check.verdict for check in report.checks] == [check.verdict for check in plain.checks]
    assert type(report).model_validate_json(report.model_dump_json()) == report
