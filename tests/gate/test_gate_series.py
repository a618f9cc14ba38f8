"""A series is judged through a statistic: whole, long enough, and as certain as demanded."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from gate_samples import one_series, report_on, verdict_on
from hypothesis import given
from hypothesis import strategies as st

from seedbed.contracts import GateReport, Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate import Check, Series, judge, parse_gate
from seedbed.gate._judge import judge_with_remedies
from seedbed.gate._record_values import record_values

OLD_REPORT = Path(__file__).resolve().parents[1] / "data" / "gate-1" / "report.json"
LATENCY = [300.0] * 90 + [340.0, 360.0] * 5
RECORD = {
    "kpi": {"latency_ms": Series(LATENCY), "net_bps": Series([1.0, 2.0, 3.0, 6.0]), "none": Series([])},
    "apply_ratio": 0.97,
    "gone": None,
    "interval": Interval(value=1, low=0.5, high=1.5, n=10, confidence=0.95),
}


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("mean(kpi.net_bps) > 2.5", 3.0),
        ("kpi.net_bps mean > 2.5", 3.0),
        ("median(kpi.net_bps) == 2.5", 2.5),
        ("min(kpi.net_bps) == 1", 1.0),
        ("max(kpi.net_bps) <= 6", 6.0),
        ("std(kpi.net_bps) < 2.2", math.sqrt(14 / 3)),
        ("last(kpi.net_bps) >= 6", 6.0),
        ("count(kpi.net_bps) == 4", 4.0),
        ("p25( kpi.net_bps ) >= 1.75", 1.75),
        ("p95(kpi.latency_ms) < 350", 341.0),
        ("apply_ratio >= 0.95", 0.97),
        ("interval >= 0.5 @ 95%", RECORD["interval"]),
        ({"metric": "kpi.net_bps", "statistic": "mean", "op": "==", "value": 4.5, "warmup": 2}, 4.5),
        ({"metric": "kpi.net_bps", "statistic": "count", "op": "==", "value": 2, "warmup": 2}, 2.0),
    ],
)
def test_a_statistic_that_keeps_its_threshold_passes(check: object, found: object) -> None:
    report = report_on(check, RECORD)
    assert report.verdict is Verdict.PASS
    assert report.found == (pytest.approx(found) if isinstance(found, float) else found)


@pytest.mark.parametrize(
    "check",
    [
        "mean(kpi.net_bps) > 3",
        "median(kpi.net_bps) > 2.5",
        "min(kpi.net_bps) > 1",
        "max(kpi.net_bps) < 6",
        "std(kpi.net_bps) < 2.1",
        "last(kpi.net_bps) > 6",
        "count(kpi.net_bps) >= 5",
        "p95(kpi.latency_ms) < 340.5",
        "p99.9(kpi.latency_ms) < 350",
    ],
)
def test_a_statistic_that_misses_its_threshold_fails(check: str) -> None:
    assert verdict_on(check, RECORD) is Verdict.FAIL


def test_the_report_says_what_was_asked_of_what_and_how() -> None:
    record = {"x": Series(one_series(mean=3.0, seed=2))}
    report = report_on("mean(x) > 2.5 in [-2, 8] @ 95%", record)
    assert (report.metric, report.expected) == ("mean(x)", "> 2.5 in [-2, 8] @ 95%")
    assert (report.statistic, report.method, report.n) == ("mean", "betting", 240)
    plain = report_on("apply_ratio > 0", RECORD)
    assert (plain.statistic, plain.method, plain.n, plain.false_pass_rate) == (None, None, None, None)


def test_a_report_from_before_series_is_still_read() -> None:
    report = GateReport.model_validate_json(OLD_REPORT.read_text("utf-8"))
    assert (report.verdict, report.exit_code, len(report.checks)) == (Verdict.FAIL, 4, 5)
    assert GateReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("check", ["mean(x) < 9", "max(x) != 9", "p95(x) < 9 @ 90%", "drift(x) == false"])
def test_one_sample_that_is_not_finite_fails_every_check(bad: float, check: str) -> None:
    report = report_on(check, {"x": Series([*one_series(), bad])})
    assert report.verdict is Verdict.FAIL
    assert "1 of 241 samples is not a finite number" in report.reason


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([1.7e308] * 5, "5 of 5 samples are beyond 1e+150 in size"),
        ([1.0, -1e151, 2.0], "1 of 3 samples is beyond 1e+150 in size"),
        ([math.nan, math.inf, 1.0], "2 of 3 samples are not finite numbers, which"),
        ([math.nan, 1e200, 1.0], "1 of 3 samples is not a finite number; 1 of 3 samples is beyond 1e+150 in size"),
    ],
)
def test_samples_that_are_finite_and_too_large_are_told_from_those_that_are_not(samples: list, said: str) -> None:
    report = report_on("mean(x) < 9", {"x": Series(samples)})
    assert report.verdict is Verdict.FAIL
    assert said in report.reason
    assert ("finite" in report.reason) is any(not math.isfinite(each) for each in samples)


def test_samples_of_both_arms_are_counted_of_both() -> None:
    arms = {"x": Series([math.nan, 1.0]), "y": Series([math.nan, math.nan])}
    assert "3 of 4 samples are not finite numbers" in report_on("difference(x, y) < 9", arms).reason


def test_what_is_left_out_as_warmup_may_be_anything() -> None:
    check = {"metric": "x", "statistic": "mean", "op": ">=", "value": 1, "warmup": 1}
    assert verdict_on(check, {"x": Series([math.nan, 1.0, 1.0])}) is Verdict.PASS
    report = report_on(check, {"x": Series([math.nan])})
    assert (report.verdict, report.reason) == (
        Verdict.NO_DATA,
        "the record holds no sample, and the warmup takes all 1",
    )


@pytest.mark.parametrize("check", ["mean(kpi.none) > 0", "count(kpi.none) == 0", "mean(gone) > 0 @ 95%"])
def test_no_samples_are_no_data(check: str) -> None:
    assert verdict_on(check, RECORD) is Verdict.NO_DATA


def test_a_series_that_a_run_may_have_and_this_one_has_not_is_no_data() -> None:
    assert report_on("mean(kpi.fees) > 0", RECORD, known=["kpi.fees"]).verdict is Verdict.NO_DATA


def test_fewer_samples_than_demanded_are_inconclusive_and_the_rest_is_counted() -> None:
    check = {"metric": "kpi.net_bps", "statistic": "mean", "op": ">", "value": 0, "warmup": 1, "min_samples": 8}
    report = report_on(check, RECORD)
    assert (report.verdict, report.reason) == (Verdict.INCONCLUSIVE, "3 samples, 8 demanded: collect at least 5 more")
    quantile = {**check, "statistic": "p95", "op": "<", "confidence": 0.95}
    assert 0.95**59 < 0.05 < 0.95**58
    assert report_on(quantile, RECORD).reason == (
        "3 samples, 8 demanded, and it takes 59 to show it at all: collect at least 56 more"
    )


@pytest.mark.parametrize(
    ("check", "needed"),
    [
        ("mean(x) > 4.5 in [0, 10] @ 95%", "each end at 95% from 7 samples: collect more samples, about"),
        ("mean(x) > 6 in [0, 10] @ 95%", "each end at 95% from 7 samples"),
        (
            "mean(x) > 7 in [0, 10] @ 95%",
            "from 7 samples: collect more samples, about",
        ),
        ("std(x) < 3 in [0, 10] @ 95%", "from 7 samples: collect more samples"),
        (
            "p95(x) < 9 @ 95%",
            "7 samples do not bound the 95th percentile from above at 95%, which takes 59: collect at least 52 more",
        ),
        ("drift(x) == false", "7 samples, and drift needs 24: collect at least 17 more"),
        (
            {
                "metric": "x",
                "statistic": "mean",
                "op": ">",
                "value": 5,
                "confidence": 0.95,
                "method": "sequence",
                "range": [0, 10],
            },
            "they may be one run of a slow series until they made 5 more moves across their mean",
        ),
    ],
)
def test_too_few_samples_are_inconclusive_whatever_they_show(check: object, needed: str) -> None:
    report = report_on(check, {"x": Series(one_series(num_samples=7, mean=5.0))})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert needed in report.reason


def test_an_open_question_says_about_how_many_samples_would_decide_it() -> None:
    report = report_on("mean(x) > 0 in [-5, 5] @ 95%", {"x": Series(one_series(num_samples=60, seed=1, mean=0.2))})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "collect more samples, about " in report.reason
    found = report.found
    assert isinstance(found, Interval)
    record = {"x": Series(one_series(num_samples=60, seed=1, mean=0.2))}
    on_it = report_on(f"mean(x) > {found.value + 1e-6!r} in [-5, 5] @ 95%", record)
    assert "unless the value moves, 1000 times as many samples would not decide" in on_it.reason


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("mean(apply_ratio) > 0.9", "apply_ratio is one value and no series; ask for apply_ratio itself, or for a"),
        ("mean(interval) > 0.9", "interval is one value and no series"),
        ("kpi.latency_ms < 350", "kpi.latency_ms is a series; ask for a statistic of it, such as mean(kpi.latency_ms)"),
        ("p95(kpi.latensy_ms) < 350", "kpi.latensy_ms: did you mean kpi.latency_ms"),
        ("difference(kpi.net_bps, kpi.netbps) > 0", "kpi.netbps: did you mean kpi.net_bps"),
        ("difference(kpi.net_bps, apply_ratio) > 0", "apply_ratio is one value and no series"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake_with_the_nearest_names(check: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        report_on(check, RECORD)
    assert problem in str(caught.value)


def test_every_wrong_check_is_named_at_once() -> None:
    with pytest.raises(InvalidInput, match="2 check"):
        judge(parse_gate({"checks": ["mean(apply_ratio) > 0", "kpi.net_bps > 0", "apply_ratio > 0"]}), RECORD)


def test_a_series_is_a_list_of_numbers_in_a_stored_record() -> None:
    kpi = {"x": [1, 2.5], "y": [1.0, None], "z": [], "texts": ["a"], "flags": [True], "all": [[1]]}
    values = record_values({"kpi": kpi})
    assert values["kpi.x"] == Series([1.0, 2.5])
    assert values["kpi.z"] == Series([])
    assert values.keys() == {"kpi.x", "kpi.y", "kpi.z"}
    assert verdict_on("mean(y) < 9", {"y": [1.0, None]}) is Verdict.FAIL
    stored = json.loads(json.dumps({"x": list(Series([1, 2, 3]).values)}))
    assert verdict_on("mean(x) == 2", stored) is Verdict.PASS


@pytest.mark.parametrize("value", ["1", True, None, [1.0]])
def test_a_series_holds_numbers_alone(value: object) -> None:
    with pytest.raises(InvalidInput, match="a series holds numbers alone"):
        Series([1.0, value])  # type: ignore[list-item]


def test_a_series_is_a_value() -> None:
    assert Series(np.array([1.0, 2.0])) == Series([1, 2]) != Series([2, 1])
    assert hash(Series([1])) == hash(Series([1.0]))
    assert len(Series([1, 2])) == 2
    with pytest.raises(AttributeError):
        Series([1]).values = (2.0,)  # type: ignore[misc]


@pytest.mark.slow
@given(
    samples=st.lists(st.floats(-100, 100), min_size=8, max_size=40),
    lower=st.floats(-120, 120),
    higher=st.floats(0, 50),
    statistic=st.sampled_from(["mean", "median", "p90", "min", "max", "std", "last", "count"]),
    confidence=st.sampled_from(["", " @ 80%", " @ 99%"]),
)
def test_raising_a_floor_never_turns_a_fail_into_a_pass(
    samples: list[float], lower: float, higher: float, statistic: str, confidence: str
) -> None:
    if statistic in {"min", "max", "last", "count"}:
        confidence = ""
    confidence = confidence and f" in [-200, 200]{confidence}"
    record = {"x": Series(samples)}
    low, high = (verdict_on(f"{statistic}(x) >= {floor!r}{confidence}", record) for floor in (lower, lower + higher))
    order = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert order.index(high) >= order.index(low)


@pytest.mark.slow
@given(samples=st.lists(st.floats(-1e6, 1e6), min_size=48, max_size=60), scale=st.sampled_from([2.0, 0.125, 1024.0]))
def test_the_unit_of_a_series_decides_nothing(samples: list[float], scale: float) -> None:
    for check in ("mean(x) > {} in [{}, {}] @ 90%", "p75(x) > {} @ 90%", "std(x) > {} in [{}, {}] @ 90%"):
        one, other = (
            verdict_on(
                check.format(repr(each * samples[0]), -each * 1e6, each * 1e6), {"x": [each * x for x in samples]}
            )
            for each in (1.0, scale)
        )
        assert one == other


@pytest.mark.parametrize("unit", [2.0**-450, 2.0**450])
@pytest.mark.parametrize(
    ("check", "at"), [("mean(x) < {} in {}", 4.0), ("std(x) < {} in {}", 1.0), ("p75(x) < {}", 4.7)]
)
def test_the_smallest_and_the_largest_units_decide_nothing(check: str, at: float, unit: float) -> None:
    samples = one_series(0.5, seed=1, mean=4.0)
    for factor in (0.5, 0.95, 1.05, 2.0):
        one, other = (
            report_on(
                f"{check.format(repr(factor * at * each), [-9 * each, 9 * each])} @ 95%", {"x": Series(each * samples)}
            )
            for each in (1.0, unit)
        )
        assert (one.verdict, one.method) == (other.verdict, other.method)
        assert one.reason.rpartition("%")[2] == other.reason.rpartition("%")[2]  # what to collect


@pytest.mark.parametrize(
    ("check", "samples", "verdict"),
    [
        ("mean(x) > 5e-144 in [-1e6, 1e6] @ 90%", [5e-144, *[0.0] * 47], Verdict.INCONCLUSIVE),
        ("mean(x) < 1e-200 in [0, 1] @ 95%", [0.5, *[1.0] * 15], Verdict.FAIL),
        ("std(x) > 0.5 in [-5e203, 3e194] @ 95%", [-1.1e70, 2e68, 3e69, -4e69] * 4, Verdict.PASS),
        ("std(x) < 1e-200 in [-1e-213, 1e-213] @ 90%", [-7e-214, 2e-216, -4e-214, 1e-220] * 4, Verdict.PASS),
        ("spread_ratio(x, y) < 1e200 in [-1, 2] @ 95%", [1.0, 2.0, 0.0, 0.0] * 4, Verdict.INCONCLUSIVE),
        ("spread_ratio(x, y) > 1e-200 in [0, 1e300] @ 95%", [1.0, 2.0, 0.0, 0.0] * 4, Verdict.INCONCLUSIVE),
    ],
)
def test_no_magnitude_is_too_much_for_a_bound(check: str, samples: list[float], verdict: Verdict) -> None:
    assert report_on(check, {"x": samples, "y": [each * 1e-242 for each in samples]}).verdict is verdict


@pytest.mark.parametrize(
    "arms", [("std(x) < 0.001", {"x": [1.0]}), ("spread_ratio(x, y) < 2", {"x": [1.0], "y": [2.0]})]
)
def test_one_sample_has_no_spread(arms: tuple[str, dict[str, list[float]]]) -> None:
    check, record = arms
    report = report_on(check, record)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "1 sample, and a" in report.reason
    assert "needs 2: collect at least 1 more" in report.reason


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_a_whole_number_beyond_all_floats_is_not_finite_and_keeps_no_threshold(value: int) -> None:
    for record in ({"x": value}, {"x": [1.0, value]}):
        check = "x >= 0" if isinstance(record["x"], int) else "max(x) >= 0"
        assert report_on(check, record).verdict is Verdict.FAIL


@pytest.mark.parametrize("value", [0.4, 0.95])
def test_an_interval_whose_value_lies_outside_of_it_is_refused(value: float) -> None:
    interval = {"value": value, "low": 0.5, "high": 0.9, "n": 100, "confidence": 0.95}
    with pytest.raises(InvalidInput, match=r"lies outside 0\.5 \.\. 0\.9"):
        report_on("x >= 0.3 @ 95%", {"x": interval})


@pytest.mark.parametrize(
    ("check", "samples", "asks"),
    [
        ("mean(x) < 0.01 in [0, 1] @ 95%", [0.0] * 50, True),
        ("mean(x) < 0.6 in [0, 1] @ 95%", [0.5, 0.7, 0.2, 0.6, 0.3, 0.9, 0.4], True),
        (
            "mean(x) < 0.5 in [0, 1] @ 95%",
            [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0],
            False,
        ),  # the value found is the threshold
        ("mean(x) < 0.5 @ 95%", [0.0, 1.0, 1.0, 0.0], False),  # without a range nothing bounds it
        ("mean(x) <= 1.5 @ 95%", [1.5] * 3, True),
        ("p95(x) < 1 @ 95%", [0.0] * 20, True),
        ("std(x) < 1", [0.5], True),
        ("drift(x) == false", [0.0] * 5, True),
        ({"metric": "x", "statistic": "mean", "op": "<", "value": 1, "min_samples": 9}, [0.0] * 5, True),
        ("mean(x) < 1", [0.0] * 5, False),
        ("mean(x) < 1", [2.0] * 5, False),
    ],
)
def test_a_caller_says_what_gives_more_samples_where_more_are_asked_for(
    check: object, samples: list[float], asks: bool
) -> None:
    spec, asked = parse_gate({"checks": [check]}), list[Check]()

    def remedy(of: Check) -> str:
        asked.append(of)
        return "run it twice"

    own, told = judge(spec, {"x": samples}).checks[0], judge_with_remedies(spec, {"x": samples}, remedy).checks[0]
    assert asked == list(spec.checks) * asks
    if asks:
        assert told.reason.endswith(": run it twice")
        assert own.reason.startswith(told.reason.removesuffix("run it twice"))
        assert ("collect" in own.reason, "collect" in told.reason) == (True, False)
    else:
        assert told.reason == own.reason
    assert told.verdict is own.verdict
