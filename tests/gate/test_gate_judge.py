"""Four verdicts and their exit codes; nothing passes but what was shown to hold."""

import json
import math
import subprocess
import sys
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from seedbed.contracts import GateReport, Interval, RuntimeMode, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate import Series, judge, metrics_text, parse_gate
from seedbed.gate._judge import judge_with_remedies
from seedbed.gate._record_values import record_values
from seedbed.records import canonical_json

RECORD = {
    "run_id": "r1",
    "project": "demo",
    "snapshot_seq": 3,
    "metrics": {
        "test.ap": 0.91,
        "test": {"auc": {"value": 0.93, "low": 0.92, "high": 0.94, "n": 300, "confidence": 0.95}},
        "test.mrr": None,
    },
    "audit": {"degraded": False, "mode": RuntimeMode.STRICT, "reasons": []},
    "changes": {"failed": 0, "unknown": 0, "effective": 1},
}


def verdict_of(*checks: object, record: dict = RECORD, known: Iterable[str] = ()) -> tuple[Verdict, int]:
    report = judge(parse_gate({"checks": list(checks)}), record, known=known)
    return report.verdict, report.exit_code


def contract(metric: str, value: object) -> dict:
    return {"metric": metric, "op": "==", "value": value, "kind": "contract"}


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        ("metrics.test.ap >= 0.91", Verdict.PASS),
        ("metrics.test.ap > 0.91", Verdict.FAIL),
        ("metrics.test.ap <= 0.91", Verdict.PASS),
        ("metrics.test.ap < 0.91", Verdict.FAIL),
        ("metrics.test.ap == 0.91", Verdict.PASS),
        ("metrics.test.ap != 0.91", Verdict.FAIL),
        ("metrics.test.auc >= 0.93", Verdict.PASS),
        ("metrics.test.auc >= 0.92 @ 95%", Verdict.PASS),
        ("metrics.test.auc > 0.92 @ 95%", Verdict.INCONCLUSIVE),
        ("metrics.test.auc >= 0.925 @ 95%", Verdict.INCONCLUSIVE),
        ("metrics.test.auc >= 0.94 @ 90%", Verdict.INCONCLUSIVE),
        ("metrics.test.auc > 0.94 @ 95%", Verdict.FAIL),
        ("metrics.test.auc <= 0.94 @ 95%", Verdict.PASS),
        ("metrics.test.auc <= 0.93 @ 95%", Verdict.INCONCLUSIVE),
        ("metrics.test.auc < 0.92 @ 95%", Verdict.FAIL),
        ("metrics.test.auc >= 0.5 @ 99%", Verdict.INCONCLUSIVE),
        ("metrics.test.ap >= 0.5 @ 95%", Verdict.INCONCLUSIVE),
        ("metrics.test.mrr >= 0.5", Verdict.NO_DATA),
        ("metrics.test.mrr >= 0.5 @ 95%", Verdict.NO_DATA),
        ("audit.mode == STRICT", Verdict.PASS),
        ("audit.mode != STRICT", Verdict.FAIL),
        ("audit.degraded == false", Verdict.PASS),
        ("changes.failed == 0", Verdict.PASS),
    ],
)
def test_one_check(check: str, verdict: Verdict) -> None:
    expected_code = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.NO_DATA: 3}[verdict]
    assert verdict_of(check) == (verdict, expected_code)


PASS, FAIL = "changes.failed == 0", "changes.failed == 1"
NO_DATA, INCONCLUSIVE = "metrics.test.mrr > 0", "metrics.test.auc > 0.93 @ 95%"


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([PASS, contract("audit.degraded", False)], (Verdict.PASS, 0)),
        ([PASS, INCONCLUSIVE], (Verdict.INCONCLUSIVE, 3)),
        ([PASS, NO_DATA, INCONCLUSIVE], (Verdict.NO_DATA, 3)),
        ([FAIL, NO_DATA, INCONCLUSIVE, PASS], (Verdict.FAIL, 1)),
        ([FAIL, NO_DATA, contract("audit.degraded", True)], (Verdict.FAIL, 4)),
        ([PASS, contract("metrics.test.mrr", 1)], (Verdict.NO_DATA, 3)),
    ],
)
def test_all_checks_together(checks: list, expected: tuple[Verdict, int]) -> None:
    assert verdict_of(*checks) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("op", [">=", "<=", ">", "<", "==", "!="])
def test_what_is_not_a_finite_number_never_passes(value: float, op: str) -> None:
    report = judge(parse_gate({"checks": [f"loss {op} 0.5"]}), {"loss": value})
    assert report.verdict is Verdict.FAIL
    assert "not a finite number" in report.checks[0].reason
    assert GateReport.model_validate_json(report.model_dump_json()) == report


def test_a_misspelt_metric_is_an_error_with_the_nearest_names_and_not_a_pass() -> None:
    with pytest.raises(InvalidInput) as caught:
        verdict_of("metrics.tset.ap >= 0.5", "zzz > 1")
    assert "2 unknown metric(s)" in str(caught.value)
    assert "metrics.tset.ap: did you mean metrics.test.ap" in str(caught.value)
    assert "zzz: known are metrics." in str(caught.value)


@pytest.mark.parametrize(("part", "document"), [("audit", "audit_run"), ("changes", "changes")])
def test_a_part_that_the_record_lacks_is_said_to_be_missing_as_a_document(part: str, document: str) -> None:
    spec = parse_gate({"checks": [f"{part}.failed == 0"]})
    with pytest.raises(InvalidInput, match=f"{part}.failed: the record has no document {document}, which a draft"):
        judge(spec, {"metrics": {"ap": 0.5}, "audit": {}, "changes": {}})


def test_a_metric_that_exists_but_was_not_reached_is_no_data() -> None:
    assert verdict_of("metrics.test.hits >= 0.5", known=["metrics.test.hits"]) == (Verdict.NO_DATA, 3)


@pytest.mark.parametrize("check", ["audit.degraded == 0", "changes.failed == false", "audit.mode >= 1"])
def test_values_of_different_types_are_not_compared(check: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be compared"):
        verdict_of(check)


def test_a_path_that_two_values_have_is_refused_where_it_is_asked_for() -> None:
    record = {"a": {"b": 7}, "a.b": 1, "c": 0}
    assert judge(parse_gate({"checks": ["c < 1"]}), record).verdict is Verdict.PASS
    with pytest.raises(InvalidInput, match=r"two values have the path a\.b, one by a key with a dot in it"):
        judge(parse_gate({"checks": ["a.b < 5"]}), record)


def test_an_interval_is_one_value_and_one_that_contradicts_itself_is_refused() -> None:
    interval = {"value": 0.5, "low": 0.6, "high": 0.4, "n": 10, "confidence": 0.95}
    assert record_values(RECORD)["metrics.test.auc"] == Interval(
        value=0.93, low=0.92, high=0.94, n=300, confidence=0.95
    )
    assert record_values({"m": interval | {"value": None}}) == {"m": None}
    with pytest.raises(InvalidInput, match="record, m: not a confidence interval"):
        record_values({"m": interval})


@given(
    ends=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).filter(lambda ends: ends[0] != ends[1]).map(sorted),
    threshold=st.floats(-1, 1),
    wider=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_wider_interval_never_decides_what_a_narrower_one_left_open(
    ends: list[float], threshold: float, wider: tuple[float, float]
) -> None:
    def verdict(low: float, high: float) -> Verdict:
        interval = {"value": (ends[0] + ends[1]) / 2, "low": low, "high": high, "n": 10, "confidence": 0.95}
        return verdict_of({"metric": "m", "op": ">=", "value": threshold, "confidence": 0.95}, record={"m": interval})[
            0
        ]

    narrow, wide = verdict(*ends), verdict(ends[0] - wider[0], ends[1] + wider[1])
    assert wide in {narrow, Verdict.INCONCLUSIVE}


def test_the_metrics_text_carries_verdict_checks_and_run() -> None:
    spec = parse_gate({"gate": "demo", "checks": ["metrics.test.ap >= 0.88", "metrics.test.auc >= 0.95", NO_DATA]})
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(metrics_text(judge(spec, RECORD), RECORD))
    }
    verdicts = {sample.labels["verdict"]: sample.value for sample in families["seedbed_gate_verdict"]}
    assert verdicts == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 0, "NO_DATA": 0}
    assert [sample.value for sample in families["seedbed_gate_exit_code"]] == [1]
    assert [sample.value for sample in families["seedbed_gate_check_passed"]] == [1, 0, 0]
    assert {sample.labels["metric"]: sample.value for sample in families["seedbed_gate_check_value"]} == {
        "metrics.test.ap": 0.91,
        "metrics.test.auc": 0.93,
    }
    assert families["seedbed_run_info"][0].labels == {"project": "demo", "run_id": "r1", "snapshot_seq": "3"}


@pytest.mark.slow
def test_importing_the_gate_does_not_import_torch() -> None:
    code = "import sys, seedbed.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("op", ["<=", ">=", "=="])
@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1])
def test_a_whole_number_that_no_float_holds_is_compared_with_none(value: int, op: str) -> None:
    threshold = 2**53 if value > 0 else -(2**53)  # what it would be rounded to
    record = {"x": value, "other": 1.0, "s": [1, value]}
    with pytest.raises(InvalidInput, match=f"record, x: no float holds {value}, and {threshold} is the nearest"):
        judge(parse_gate({"checks": [f"x {op} {threshold}"]}), record)
    with pytest.raises(InvalidInput, match="record, s: a list that is no series of numbers: item 1: no float holds"):
        judge(parse_gate({"checks": [f"max(s) {op} {threshold}"]}), record)
    with pytest.raises(InvalidInput, match="item 1: no float holds"):
        Series([1, value])
    with pytest.raises(InvalidInput, match="item 1: no float holds"):
        Series(np.array([1, value]))
    assert judge(parse_gate({"checks": ["other == 1"]}), record).verdict is Verdict.PASS


def test_a_list_that_is_no_series_is_told_so_with_what_is_in_it() -> None:
    with pytest.raises(InvalidInput, match="record, m: a list that is no series of numbers: item 1 is 'a',"):
        judge(parse_gate({"checks": ["mean(m) > 0"]}), {"m": [1, "a"], "metrics": {"m": 2.0}})


@pytest.mark.parametrize("number", [2.0**63, 1e17 + 16, 1.7e20])
def test_a_float_that_json_spells_as_a_whole_number_is_that_float(number: float) -> None:
    record = json.loads(canonical_json({"x": number, "s": [number, 1.0]}))
    assert judge(parse_gate({"checks": [f"x == {number!r}", f"max(s) == {number!r}"]}), record).verdict is Verdict.PASS


def test_a_number_of_numpy_that_python_has_no_type_for_is_the_nearest_float_or_told_to_be_none() -> None:
    record = {"x": np.longdouble(0.5), "far": np.longdouble("1e4000"), "c": np.clongdouble(1)}
    assert judge(parse_gate({"checks": ["x == 0.5", "far > 1e308"]}), record).checks[0].verdict is Verdict.PASS
    with pytest.raises(InvalidInput, match="record, c: no check compares a value of type clongdouble"):
        judge(parse_gate({"checks": ["c > 0"]}), record)


def test_numbers_of_numpy_are_compared_and_its_arrays_are_told_to_be_none() -> None:
    record = {"x": np.float32(0.5), "n": np.int64(3), "b": np.bool_(True), "a": np.array([1.0, 2.0])}
    assert judge(parse_gate({"checks": ["x == 0.5", "n == 3", "b == true"]}), record).verdict is Verdict.PASS
    with pytest.raises(InvalidInput, match="record, a: no check compares a value of type ndarray; record a number,"):
        judge(parse_gate({"checks": ["mean(a) > 0"]}), record)
    with pytest.raises(InvalidInput, match="x: the record holds no value that a check can be made on"):
        judge(parse_gate({"checks": ["x > 0"]}), {"a": np.array([1.0])})


@pytest.mark.parametrize(
    ("interval", "asks"),
    [
        (Interval(value=0.6, low=0.4, high=0.8, n=50, confidence=0.95), True),
        (Interval(value=0.5, low=0.4, high=0.6, n=50, confidence=0.95), True),
        (Interval(value=0.9, low=0.8, high=0.95, n=50, confidence=0.95), False),
        (Interval(value=0.6, low=0.4, high=0.8, n=50, confidence=0.9), False),
    ],
)
def test_a_recorded_interval_that_asks_for_more_samples_is_told_the_remedy_too(interval: Interval, asks: bool) -> None:
    told = judge_with_remedies(parse_gate({"checks": ["x >= 0.5 @ 95%"]}), {"x": interval}, lambda _: "run it twice")
    assert told.checks[0].reason.endswith(": run it twice") is asks


def test_an_interval_that_is_less_certain_than_demanded_is_told_what_to_record() -> None:
    interval = Interval(value=0.9, low=0.85, high=0.95, n=50, confidence=0.95)
    (check,) = judge(parse_gate({"checks": ["x >= 0.80 @ 99%"]}), {"x": interval}).checks
    assert check.reason.endswith("is less certain than demanded; record one at 99%, or demand less confidence")


def test_an_array_of_whole_numbers_is_a_series_as_a_list_of_them_is() -> None:
    for numbers in ([3, -4], [], [2**53, -(2**53)], [2**53 + 2]):
        assert Series(np.array(numbers, dtype=np.int64)) == Series(numbers)
    assert Series(np.array([2**63], dtype=np.uint64)) == Series([2.0**63])
    with pytest.raises(InvalidInput, match="which is no number"):
        Series(np.array([True]))


def test_a_metric_as_the_commands_on_runs_name_it_is_told_its_whole_path():
    record = {"metrics": {"test": {"accuracy": 0.8}}, "timing": {"accuracy": 1.0}, "audit": {"test": {"accurate": 1.0}}}
    with pytest.raises(InvalidInput, match=r"  test\.accuracy: did you mean metrics\.test\.accuracy\?"):
        judge(parse_gate({"checks": ["test.accuracy > 0.5"]}), record)
