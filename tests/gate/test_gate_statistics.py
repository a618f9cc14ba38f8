"""Each interval and each detector on series whose truth is known, and on the fault that it is there to catch."""

import re
from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from gate_samples import one_series, report_on, verdict_on
from hypothesis import given
from hypothesis import strategies as st

from seedbed.contracts import Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate import (
    Drift,
    Series,
    block_quantile,
    calibrate,
    confidence_sequence,
    cusum,
    judge,
    page_hinkley,
    parse_gate,
)
from seedbed.gate.bounds._bootstrap import lag_one
from seedbed.gate.bounds._dependence import alike, switches_of_rows
from seedbed.gate.bounds._drift_power import lag_one_without_step
from seedbed.gate.bounds._sequence import sequence_reach
from seedbed.gate.bounds._simulated import autoregressive
from seedbed.gate.bounds._spread import spread_interval


def stepped(size: float, *, lag_one: float = 0.0, num_samples: int = 96, seed: int = 0) -> Series:
    samples = one_series(lag_one, num_samples, seed=seed)
    samples[num_samples // 2 :] += size
    return Series(samples)


def sequence(metric: str, op: str, value: float) -> dict:
    check = {"metric": metric, "statistic": "mean", "op": op, "value": value, "confidence": 0.95}
    return check | {"method": "sequence", "range": [-5, 5]}


def test_a_quantile_is_bounded_by_samples_and_too_few_of_them_are_refused() -> None:
    samples = one_series(num_samples=200)
    interval = block_quantile(samples, 0.95)
    assert interval.value == pytest.approx(np.quantile(samples, 0.95), rel=1e-15)
    assert {interval.low, interval.high} <= set(samples)
    assert interval.low < 1.645 < interval.high
    wider = block_quantile(samples, 0.9, confidence=0.99)
    narrower = block_quantile(samples, 0.9, confidence=0.8)
    assert wider.low < narrower.low < narrower.high < wider.high
    with pytest.raises(
        InvalidInput, match=r"60 samples do not bound the 95th percentile at 95%; gather about \d+ more"
    ):
        block_quantile(samples[:60], 0.95)


def test_neighbours_that_resemble_each_other_bound_a_quantile_less() -> None:
    samples = one_series(0.8, 300)
    one, other = (block_quantile(each, 0.5) for each in (samples, np.random.default_rng(0).permutation(samples)))
    assert one.high - one.low > 1.7 * (other.high - other.low)


@pytest.mark.parametrize("probability", [0.0, 1.0, 95.0])
def test_a_quantile_is_asked_for_by_a_probability(probability: float) -> None:
    with pytest.raises(InvalidInput, match="expected a probability between 0 and 1"):
        block_quantile([1.0] * 50, probability)


def test_samples_may_be_a_list_and_must_be_finite() -> None:
    samples = one_series(num_samples=100, mean=1.0)
    assert block_quantile(list(samples), 0.5) == block_quantile(samples, 0.5)
    assert confidence_sequence(list(samples)) == confidence_sequence(samples)
    assert cusum(list(samples), delta=0.5, threshold=9.0) == cusum(samples, delta=0.5, threshold=9.0)
    with pytest.raises(InvalidInput, match="block_quantile: expected at least 2 finite samples"):
        block_quantile([1.0, float("nan")] * 50, 0.5)


def test_a_quantile_that_samples_cannot_bound_is_inconclusive_and_one_they_can_is_judged() -> None:
    few = report_on("p95(x) < 5 @ 95%", {"x": Series(one_series(num_samples=60))})
    assert few.verdict is Verdict.INCONCLUSIVE
    assert "do not bound the 95th percentile" in few.reason
    record = {"x": Series(one_series(num_samples=300))}
    assert report_on("p95(x) < 3 @ 95%", record).method == "order statistics of blocks"
    verdicts = [verdict_on(f"p95(x) < {limit} @ 95%", record) for limit in (3, 1.645, 0.5)]
    assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]


def test_samples_that_are_all_the_same_are_their_own_quantile() -> None:
    interval = block_quantile(np.full(100, 2.5), 0.5)
    assert (interval.low, interval.value, interval.high) == (2.5, 2.5, 2.5)


def test_a_confidence_sequence_is_wider_than_one_look_and_narrows() -> None:
    samples = one_series(num_samples=400, mean=3.0)
    first, later = confidence_sequence(samples[:50]), confidence_sequence(samples)
    assert first.low < 3.0 < first.high
    assert later.high - later.low < (first.high - first.low) / 2
    correlated = confidence_sequence(one_series(0.8, 400))
    assert correlated.high - correlated.low > 2 * (later.high - later.low)


def test_at_the_end_of_a_confidence_sequence_the_evidence_against_the_mean_is_one_over_alpha() -> None:
    samples = one_series(0.6, 300, seed=8)
    reach = sequence_reach(samples, confidence=0.95)
    found = lag_one(samples)
    rho = found + np.sqrt((1 - found**2) / 300)
    assert reach.effective_samples == pytest.approx(300 * (1 - rho) / (1 + rho))
    # Rouder et al. (2009): the Bayes factor of the t test under a normal prior of unit variance on the effect.
    squares, g = reach.half_width**2 / samples.var(), 1 + reach.effective_samples
    factor = g**-0.5 * ((1 + squares) / (1 + squares / g)) ** (reach.effective_samples / 2)
    assert factor == pytest.approx(1 / 0.05)


def test_a_confidence_sequence_sees_slow_movement_under_noise() -> None:
    slow, noise = one_series(0.95, 400, seed=3), one_series(0.0, 400, seed=4)
    mixed = slow + 2 * noise
    shuffled = np.random.default_rng(0).permutation(mixed)
    one, other = confidence_sequence(mixed), confidence_sequence(shuffled)
    assert one.high - one.low > 1.3 * (other.high - other.low)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(15), "at least 16 finite samples"),
        (np.array([np.nan] * 20), "at least 16 finite samples"),
        (np.zeros((20, 2)), "at least 16 finite samples"),
        (np.arange(40.0), "which bound no mean"),
    ],
)
def test_what_bounds_no_mean_is_refused(samples: np.ndarray, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        confidence_sequence(samples)


def test_a_gate_may_look_after_every_sample() -> None:
    samples = one_series(num_samples=240, mean=1.0)
    verdicts = [verdict_on(sequence("x", ">", 0.1), {"x": Series(samples[:n])}) for n in range(1, 241, 3)]
    assert verdicts[0] is Verdict.INCONCLUSIVE
    assert verdicts[-1] is Verdict.PASS
    assert Verdict.FAIL not in verdicts
    assert verdict_on(sequence("x", ">", 1.9), {"x": Series(samples)}) is Verdict.FAIL
    climbing = report_on(sequence("x", ">", 15) | {"range": [0, 40]}, {"x": Series(np.arange(40.0))})
    assert climbing.verdict is Verdict.INCONCLUSIVE
    assert "samples in succession counted as one" in str(climbing.method)


def test_the_spread_of_a_series_is_judged_with_its_uncertainty() -> None:
    record = {"x": Series(one_series(num_samples=600))}
    verdicts = [verdict_on(f"std(x) < {limit} in [-4, 4] @ 95%", record) for limit in (2.0, 1.0, 0.4)]
    assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]


@pytest.mark.slow
def test_what_the_spread_of_dependent_samples_falls_short_by_is_given_back() -> None:
    series = autoregressive(0.8, 60, 400, np.random.default_rng(9))
    found = np.array([spread_interval(each, 0.5, 100).value for each in series])
    middle = np.array([sqrt(i.low * i.high) for i in (spread_interval(each, 0.5, 100) for each in series)])
    assert found.mean() < 0.94
    assert middle.mean() > 0.96


PAIRED = {
    "kpi": Series(one_series(0.5, 96, seed=1) + one_series(0.8, 96, seed=2)),
    "control": Series(one_series(0.8, 96, seed=2)),
    "wild": Series(3 * one_series(0.5, 96, seed=3)),
    "still": Series([1.0] * 96),
    "short": Series([1.0] * 95),
}


def test_a_concurrent_control_takes_out_what_both_arms_share() -> None:
    found = report_on("difference(kpi, control) >= -1 in [-6, 6] @ 95%", PAIRED).found
    alone = report_on("mean(kpi) >= -1 in [-6, 6] @ 95%", PAIRED).found
    assert isinstance(found, Interval)
    assert isinstance(alone, Interval)
    assert found.high - found.low < alone.high - alone.low
    assert verdict_on("difference(kpi, control) >= -1.5 in [-6, 6] @ 95%", PAIRED) is Verdict.PASS
    assert verdict_on("difference(kpi, control) >= 1.5 in [-6, 6] @ 95%", PAIRED) is Verdict.FAIL
    assert verdict_on("difference(kpi, control) == 9", PAIRED) is Verdict.FAIL
    peeking = sequence("kpi", ">", -4) | {"statistic": "difference", "control": "control"}
    assert str(report_on(peeking, PAIRED).method).startswith("betting at every look")
    assert verdict_on(peeking, PAIRED) is Verdict.PASS


def test_growth_of_variance_is_seen_where_no_mean_moved() -> None:
    assert verdict_on("difference(wild, control) >= -5 in [-12, 12] @ 95%", PAIRED) is Verdict.PASS
    arms = {"wild": Series(3 * one_series(num_samples=1200)), "control": Series(one_series(num_samples=1200, seed=1))}
    grown = report_on("spread_ratio(wild, control) < 1.2 in [-13, 13] @ 95%", arms)
    assert grown.verdict is Verdict.FAIL
    assert ", above 1." in grown.reason
    assert verdict_on("spread_ratio(control, control) < 1.5 in [-4, 4] @ 95%", arms) is Verdict.PASS
    assert verdict_on("spread_ratio(wild, control) < 1.5", PAIRED) is Verdict.FAIL


def test_a_control_that_does_not_vary_measures_nothing() -> None:
    report = report_on("spread_ratio(kpi, still) < 1.5 in [-6, 6] @ 95%", PAIRED)
    assert (report.verdict, "does not vary at all" in report.reason) == (Verdict.INCONCLUSIVE, True)
    assert verdict_on("spread_ratio(kpi, still) < 1.5", PAIRED) is Verdict.FAIL


def test_arms_of_different_length_do_not_line_up() -> None:
    with pytest.raises(InvalidInput, match="96 samples beside 95 of the control"):
        report_on("difference(kpi, short) > 0", PAIRED)


def test_a_missing_control_is_no_data() -> None:
    assert verdict_on("difference(kpi, gone) > 0", PAIRED | {"gone": None}) is Verdict.NO_DATA


@pytest.mark.parametrize("detect", [page_hinkley, cusum])
def test_a_step_is_found_where_it_is_and_nothing_where_there_is_none(detect: Callable[..., Drift]) -> None:
    up, down, none = (detect(stepped(size).without(0), delta=0.5, threshold=10.0) for size in (3, -3, 0))
    assert up.up_at == pytest.approx(52, abs=6)
    assert up.down_at is None
    assert down.down_at == pytest.approx(52, abs=6)
    assert down.up_at is None
    assert (none.up_at, none.down_at) == (None, None)
    assert up.up > up.threshold > max(up.down, none.up, none.down)


@pytest.mark.parametrize("detect", [page_hinkley, cusum])
def test_an_outlier_is_no_drift(detect: Callable[..., Drift]) -> None:
    samples = one_series(num_samples=240)
    samples[200] = 200.0
    assert detect(samples, delta=0.5, threshold=5.0).up_at is None


@pytest.mark.parametrize("detect", [page_hinkley, cusum])
@pytest.mark.parametrize("samples", [np.zeros(23), np.full(30, np.inf), np.zeros((30, 2))])
def test_a_detector_refuses_what_it_cannot_see_in(detect: Callable[..., Drift], samples: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="at least 24 finite samples"):
        detect(samples, delta=0.5, threshold=5.0)


@pytest.mark.parametrize("method", ["page_hinkley", "cusum"])
@pytest.mark.parametrize(
    ("statistic", "size", "verdict"),
    [
        ("drift", 3, Verdict.FAIL),
        ("drift", -3, Verdict.FAIL),
        ("drift_down", -3, Verdict.FAIL),
        ("drift_up", 3, Verdict.FAIL),
        ("drift_down", 3, Verdict.PASS),
        ("drift_up", -3, Verdict.PASS),
        ("drift", 0, Verdict.PASS),
    ],
)
def test_drift_is_judged_on_the_side_that_matters(method: str, statistic: str, size: float, verdict: Verdict) -> None:
    check = {"metric": "x", "statistic": statistic, "op": "==", "value": False, "method": method}
    report = report_on(check, {"x": stepped(size)})
    assert report.verdict is verdict
    assert report.found is (verdict is Verdict.FAIL)
    assert report.method is not None
    assert report.method.startswith(method)


def test_a_declared_threshold_is_taken_as_it_is() -> None:
    check = {"metric": "x", "statistic": "drift", "op": "==", "value": False, "delta": 0.5}
    record = {"x": stepped(3)}
    assert verdict_on(check | {"threshold": 8}, record) is Verdict.FAIL
    method = report_on(check | {"threshold": 8}, record).method
    assert method is not None
    assert "delta 0.5, threshold 8" in method
    high = report_on(check | {"threshold": 500}, record)
    assert high.verdict is Verdict.INCONCLUSIVE
    assert "would be seen in only 0% of such series" in high.reason
    assert "not even 10 times as many samples would do: lower the threshold" in high.reason


def test_a_detector_that_could_not_have_seen_a_step_does_not_pass() -> None:
    alike = report_on("drift(x) == false", {"x": Series(one_series(0.8, 30, seed=5))})
    assert alike.verdict is Verdict.INCONCLUSIVE
    assert "times as many samples would do: samples are too much alike; take them further apart" in alike.reason
    report = report_on("drift(x) == false", {"x": Series(one_series(0.5, 48, seed=1))})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "no drift seen, but a step of 2 standard deviations half-way" in report.reason
    assert re.search(r"of such series: collect about \d+ more$", report.reason)


def test_a_step_is_not_taken_for_correlation() -> None:
    samples = stepped(3.0).without(0)
    centred = samples - samples.mean()
    assert (centred[1:] @ centred[:-1]) / (centred @ centred) > 0.6
    assert lag_one_without_step(samples) < 0.3
    assert lag_one_without_step(one_series(0.8, 400)) == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("method", ["page_hinkley", "cusum"])
@pytest.mark.parametrize("statistic", ["drift", "drift_up", "drift_down"])
@pytest.mark.parametrize("constant", [0.1, 0.3, 0.7, 1 / 3, 3.7, 1e-5, 123.456, -0.3])  # whose mean is rounded
def test_a_constant_is_judged_as_zeros_are(method: str, statistic: str, constant: float) -> None:
    check = {"metric": "x", "statistic": statistic, "op": "==", "value": False, "method": method}
    for num_samples in (60, 240):
        zeros, found = (report_on(check, {"x": Series([each] * num_samples)}) for each in (0.0, constant))
        assert zeros.verdict is not Verdict.FAIL
        assert found == zeros


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.1 + 0.2), (1.0, 1 + 2**-52), (0.0, 1e-200)])  # next to each other
@pytest.mark.parametrize("check", ["drift(x) == false", "drift_down(x) == false", "drift_up(x) == false"])
def test_a_series_of_two_values_is_judged_as_zeros_and_ones_are(check: str, low: float, high: float) -> None:
    draw = np.random.default_rng(4)
    for ones, verdict in (
        ([False, True] * 120, Verdict.PASS),
        (draw.random(240) < 0.5, Verdict.PASS),
        (draw.random(240) < np.repeat([0.1, 0.9], 120), Verdict.PASS if "down" in check else Verdict.FAIL),
        (np.repeat([False, True], 120), Verdict.PASS if "down" in check else Verdict.FAIL),
    ):
        plain, found = (report_on(check, {"x": Series(np.where(ones, *ends))}) for ends in ((1.0, 0.0), (high, low)))
        assert (plain.verdict, found) == (verdict, plain)


@pytest.mark.parametrize("low", [0.3, 1.0, 1e-5, 1e6])
def test_samples_that_differ_in_their_last_digit_are_as_much_alike_as_zeros_and_ones(low: float) -> None:
    for period in (2, 3, 5):
        ones = np.arange(400) % period == 0
        near = np.where(ones, np.nextafter(low, np.inf), low)
        assert alike(near) == alike(ones.astype(float))
        assert switches_of_rows(near.reshape(1, -1)) == switches_of_rows(ones.reshape(1, -1).astype(float))


def test_a_constant_is_calibrated_and_bounded_as_zeros_are() -> None:
    check = parse_gate({"checks": ["drift(x) == false"]}).checks[0]
    for constant in (0.1, 0.7, 1 / 3):
        rates = [calibrate(check, Series([each] * 240), num_series=20) for each in (0.0, constant)]
        assert rates[0] == rates[1]
        interval = confidence_sequence([constant] * 60)
        assert interval.low == pytest.approx(constant, rel=1e-12)
        assert interval.high == pytest.approx(constant, rel=1e-12)


@pytest.mark.slow
@given(st.lists(st.floats(-1e3, 1e3), min_size=24, max_size=50), st.floats(0.1, 20), st.floats(0, 20))
def test_a_higher_threshold_never_finds_more_drift(samples: list[float], threshold: float, more: float) -> None:
    for detect in (page_hinkley, cusum):
        low, high = (detect(np.array(samples), delta=0.25, threshold=each) for each in (threshold, threshold + more))
        assert high.up_at is None or (low.up_at is not None and low.up_at <= high.up_at)
        assert (low.up, low.down) == (high.up, high.down)


@pytest.mark.slow
@given(st.lists(st.floats(-1e3, 1e3), min_size=24, max_size=50))
def test_a_series_turned_upside_down_drifts_the_other_way(samples: list[float]) -> None:
    for detect in (page_hinkley, cusum):
        one, other = (detect(sign * np.array(samples), delta=0.25, threshold=5.0) for sign in (1, -1))
        assert (one.up, one.up_at, one.down_at) == (other.down, other.down_at, other.up_at)


@pytest.mark.parametrize("constant", [1.0, 0.1])  # three times 0.1 is no 0.3 of floats, so its spread is rounded
def test_two_arms_that_do_not_vary_have_no_ratio(constant: float) -> None:
    still, moving = [constant] * 3, [1.0, 2.0, 4.0]
    for op in ("<", ">", "==", "!="):
        found = judge(parse_gate({"checks": [f"spread_ratio(a, b) {op} 2"]}), {"a": still, "b": still}).checks[0]
        assert (found.verdict, found.reason) == (
            Verdict.INCONCLUSIVE,
            "neither arm varies at all, and 0 of 0 is no ratio",
        )
    assert judge(parse_gate({"checks": ["spread_ratio(a, b) == 0"]}), {"a": still, "b": moving}).verdict is Verdict.PASS
    above = judge(parse_gate({"checks": ["spread_ratio(a, b) < 2"]}), {"a": moving, "b": still}).checks[0]
    assert (above.verdict, above.reason[:3]) == (Verdict.FAIL, "inf")
    assert judge(parse_gate({"checks": ["std(a) == 0"]}), {"a": still}).verdict is Verdict.PASS
