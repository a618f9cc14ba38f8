"""A gate is read whole or refused with every offending field named."""

import json
import re
from pathlib import Path

import pytest

from seedbed.contracts import CheckKind, Verdict
from seedbed.errors import InvalidInput, NotFound
from seedbed.gate import Check, judge, load_gate, parse_gate
from seedbed.gate._check import CheckOperator
from seedbed.gate._spec import declared_gate

GATE = """
gate: demo
checks:
  - metrics.test.ap >= 0.88 @ 95%
  - audit.mode == STRICT
  - {metric: audit.degraded, op: ==, value: false, kind: contract}
  - {metric: changes.failed, op: "==", value: 0, kind: contract}
"""


def test_a_yaml_gate_in_both_forms(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(GATE)
    spec = load_gate(path)
    assert spec.gate == "demo"
    assert spec.checks == (
        Check(metric="metrics.test.ap", op=CheckOperator.AT_LEAST, value=0.88, confidence=0.95),
        Check(metric="audit.mode", op=CheckOperator.EQUAL, value="STRICT"),
        Check(metric="audit.degraded", op=CheckOperator.EQUAL, value=False, kind=CheckKind.CONTRACT),
        Check(metric="changes.failed", op=CheckOperator.EQUAL, value=0.0, kind=CheckKind.CONTRACT),
    )
    assert [check.expected for check in spec.checks] == [">= 0.88 @ 95%", "== STRICT", "== false", "== 0"]


def test_a_json_gate(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    path.write_text(json.dumps({"checks": ["a < 1e-3", "b != 'x'", "c > -2 @ 99.9 %"]}))
    checks = load_gate(path).checks
    assert [(check.metric, check.op.value, check.value) for check in checks] == [
        ("a", "<", 0.001),
        ("b", "!=", "x"),
        ("c", ">", -2.0),
    ]
    assert checks[2].confidence == 0.999


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("metrics.ap => 0.9", "expected 'metric op value'"),
        ("metrics.ap >= 0.9 or true", "expected 'metric op value'"),
        ("metrics.ap >=", "expected 'metric op value'"),
        ("metrics.ap >= nan", "no threshold"),
        ("metrics.ap >= high", "needs a number, found 'high'"),
        ("accuracy >= 80%", "needs a number, found '80%'; write 0.8"),
        ("accuracy >= 82.5%", "needs a number, found '82.5%'; write 0.825"),
        ("accuracy >= 0,8", "needs a number, found '0,8'; write 0.8"),
        ("rows >= 1,000", "needs a number, found '1,000'; use == or !="),
        ("mean(loss) < -1,5", "needs a number, found '-1,5'; write -1.5"),
        ("audit.degraded > false", "needs a number, found False"),
        ("metrics.ap == 0.9 @ 95%", "no interval can show"),
        ("metrics.ap >= 0.9 @ 100%", "at most 0.999999999999"),
        ("meen(latency_ms) < 350", "no statistic is named 'meen': did you mean mean"),
        ("latency_ms p100 < 350", "a quantile lies above p0 and below p100; the largest value is max"),
        ("p0(latency_ms) < 350", "a quantile lies above p0 and below p100; the least value is min"),
        ("p101(latency_ms) < 350", "a quantile lies above p0 and below p100, by 1e-10 or more (found"),
        ("p0.0000000000000000001(latency_ms) < 350", "a quantile lies above p0 and below p100, by 1e-10 or more"),
        ("p5(latency_ms) < 350 @ 99.99999999999999%", "0.999999999999"),
        ("metrics.ap =< 0.9", "the operators are written <= and >=; expected 'metric op value'"),
        ("metrics.ap = 0.9", "equality is written ==; expected 'metric op value'"),
        ("metrics.ap >= 0.9 @ 95", "a confidence is in per cent, as in @ 95%; expected 'metric op value'"),
        ("mean(x < 5", "checks.0: a parenthesis is not closed; write 'p95(latency_ms) < 9' or"),
        ("difference(a, b > 0", "a parenthesis is not closed; write 'p95(latency_ms) < 9' or 'difference(a, b) > 0' ("),
        ("difference(a", "a parenthesis is not closed; write 'p95(latency_ms) < 9' or 'difference(a, b) > 0'; if it"),
        ("mean(x)) < 5", "a parenthesis is closed that was not opened"),
        (5, "checks.0: expected a text such as 'metrics.test.ap >= 0.88 @ 95%', or a mapping of fields (found 5)"),
        ({"metric": "a", "op": ">=", "value": 1, "confidence": 95}, "between 0 and 1, such as 0.95 for 95%"),
        (
            {"metric": "a", "op": ">=", "value": 1, "rnage": [0, 1]},
            "no field has this name; did you mean range?",
        ),
        ({"metric": "a", "op": ">="}, "checks.0.value: it is missing"),
        ({"metric": "", "op": ">=", "value": 1}, "checks.0.metric: expected a text that is not empty"),
        ({"metric": "a", "op": ">=", "value": 1, "range": 1}, "checks.0.range: expected a list (found 1)"),
        (
            {"metric": "a", "op": ">=", "value": None},
            "1 problem(s); fix them and try again\n  checks.0.value: expected true or false, a number or a text (found",
        ),
        ({"metric": "a", "op": ">=", "value": float("nan")}, "checks.0.value: expected a finite number"),
        ("mean(a, b) > 0", "difference and spread_ratio compare"),
        ("difference(a) > 0", "difference and spread_ratio compare"),
        ("drift(a) > 0", "drift is true or false"),
        ("drift(a) == 0", "drift is true or false"),
        ("mean(a) == false", "drift is true or false"),
        ("mean(a) == high", "drift is true or false"),
        ("mean(a) == 1 @ 95%", "no interval can show"),
        ("max(a) < 1 @ 95%", "no interval is known for max"),
        ({"metric": "a", "op": ">", "value": 1, "warmup": 3}, "warmup is for a series"),
        ({"metric": "a", "op": ">", "value": 1, "statistic": "mean", "method": "sequence"}, "say how certain"),
        (
            {"metric": "a", "op": ">", "value": 1, "statistic": "p95", "confidence": 0.9, "method": "sequence"},
            "method: sequence is known for mean and difference, not for p95",
        ),
        ({"metric": "a", "op": ">", "value": 1, "statistic": "mean", "delta": 0.5}, "are for drift"),
        (
            {"metric": "a", "op": ">", "value": 1, "statistic": "mean", "confidence": 0.9, "method": "cusum"},
            "are for drift",
        ),
        (
            {"metric": "a", "op": "==", "value": False, "statistic": "drift", "method": "sequence"},
            "drift is found by page_hinkley or cusum",
        ),
        (
            {"metric": "a", "op": "==", "value": False, "statistic": "drift", "threshold": 5, "confidence": 0.9},
            "not both",
        ),
        (
            {"metric": "a", "op": ">=", "value": 1, "severity": "high"},
            "severity: no field has this name",
        ),
        ({"metric": "a", "op": "~", "value": 1}, "op: "),
        ({"metric": "a", "op": ">=", "value": float("inf")}, "checks.0.value"),
    ],
)
def test_a_check_that_cannot_be_judged_is_refused(check: object, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_gate({"checks": [check]}, source="gate.yaml")
    assert problem in str(caught.value)
    assert "gate.yaml" in str(caught.value)


@pytest.mark.parametrize("data", [None, [], {}, {"checks": []}, {"checks": ["a > 1"], "chekcs": []}])
def test_a_gate_without_checks_or_with_unknown_fields_is_refused(data: object) -> None:
    with pytest.raises(InvalidInput, match="problem"):
        parse_gate(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "fix them and try again\n  expected 'checks:' and below it a list of checks (found nothing)"),
        ({"checks": []}, "checks: expected at least 1 item, found 0"),
        ({"checks": ["a > 1"], "chekcs": []}, "chekcs: no field has this name; did you mean checks?"),
        ({"gate": "g"}, "checks: it is missing"),
        ({"gate": 5, "checks": ["a > 1"]}, "gate: expected a text (found 5)"),
        ({"checks": [{"metric": "a", "op": ">", "value": 1, "warmup": -1}]}, "warmup: expected at least 0 (found -1)"),
        ({"checks": [{"metric": "a", "op": ">", "value": 1, "warmup": "x"}]}, "warmup: expected a whole number"),
    ],
)
def test_a_gate_that_is_none_is_told_so_in_plain_words(data: object, problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"{re.escape(problem)}"):
        parse_gate(data)


def test_every_offending_check_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_gate({"checks": ["a >", "b > 1", "c ~ 1"]})
    assert "2 problem(s)" in str(caught.value)
    assert "checks.0" in str(caught.value)
    assert "checks.2" in str(caught.value)


def test_a_missing_file_and_one_that_is_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no gate file"):
        load_gate(tmp_path / "gate.yaml")
    (tmp_path / "gate.yaml").write_text("checks: [")
    with pytest.raises(InvalidInput, match="cannot be read as YAML or JSON"):
        load_gate(tmp_path / "gate.yaml")


@pytest.mark.parametrize(
    "checks",
    [
        *("mean(m) < 1 in [0, 1] @ 95%", "mean(m) < 1 in [0, 1], stuck == 0", "@ 95%"),
        *("difference(a, b) > 0", "difference(a, b) > 0 in [-1, 1] @ 95%"),
    ],
)
def test_a_check_that_a_list_in_brackets_cuts_up_is_told_to_be_quoted_or_written_with_dashes(
    checks: str, tmp_path: Path
) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(f"checks: [{checks}]\n", "utf-8")
    with pytest.raises(InvalidInput, match="put the check in quotes, or write the list with dashes"):
        load_gate(path)


def test_a_check_in_a_list_is_read_in_quotes_and_with_dashes_as_the_refusal_says(tmp_path: Path) -> None:
    text, path = "difference(a, b) > 0 in [-1, 1] @ 95%", tmp_path / "gate.yaml"
    path.write_text(f"checks: ['{text}']\n", "utf-8")
    quoted = load_gate(path)
    path.write_text(f"checks:\n  - {text}\n", "utf-8")
    assert load_gate(path) == quoted == parse_gate({"checks": [text]})


def test_yaml_that_no_check_spoilt_is_told_nothing_of_quotes(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("gate: 'open\nchecks:\n  - a == 1\n", "utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_gate(path)
    assert "quotes, or" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("p95(latency_ms) < 350", {"metric": "latency_ms", "statistic": "p95", "op": "<", "value": 350.0}),
        (
            "net_bps mean > 2.5 @ 95 %",
            {"metric": "net_bps", "statistic": "mean", "op": ">", "value": 2.5, "confidence": 0.95},
        ),
        ("drift(net_bps)==false", {"metric": "net_bps", "statistic": "drift", "op": "==", "value": False}),
        (
            "difference( kpi.a , control.a ) >= -0.1 @ 90%",
            {
                "metric": "kpi.a",
                "control": "control.a",
                "statistic": "difference",
                "op": ">=",
                "value": -0.1,
                "confidence": 0.9,
            },
        ),
    ],
)
def test_a_text_and_a_mapping_are_the_same_check(text: str, fields: dict) -> None:
    first, second = parse_gate({"checks": [text, fields]}).checks
    assert first == second
    assert Check.model_validate_json(first.model_dump_json()) == first


def test_a_metric_may_still_be_called_anything_in_a_mapping() -> None:
    check = Check(metric="loss (train)", op=CheckOperator.BELOW, value=1.0)
    assert (check.metric, check.subject) == ("loss (train)", "loss (train)")


def test_a_folder_in_place_of_a_gate_file_is_a_mistake_of_input(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        load_gate(tmp_path)


@pytest.mark.parametrize(
    "check",
    [
        *("x >= 9007199254740993", "x <= -9_007_199_254_740_993", "mean(x) < 0 in [-9007199254740993, 1]"),
        *("x >= 9007199254740992.5", "x >= 90071992547409930e-1", {"metric": "x", "op": ">=", "value": 2**53 + 1}),
        {"metric": "x", "op": ">=", "value": 1, "range": [0, 2**53 + 1]},
    ],
)
def test_a_number_that_no_float_holds_is_refused_and_not_rounded(check: object) -> None:
    with pytest.raises(InvalidInput, match=r"no float holds .*9007199254740992 is the nearest that one does"):
        parse_gate({"checks": [check]})


@pytest.mark.parametrize(
    "number", ["1e-9999999999999999999999", "0e99999999999999999999999", "-1e-9999999999999999999"]
)
@pytest.mark.parametrize("check", ["x < {}", "mean(x) < 1 in [{}, 2]"])
def test_an_exponent_beyond_all_numbers_is_refused(check: str, number: str) -> None:
    with pytest.raises(InvalidInput, match=f"the exponent of {number} is beyond those of all numbers, and -?0 is the"):
        parse_gate({"checks": [check.format(number)]})


@pytest.mark.parametrize(
    "text", ["9007199254740994", "-9007199254740992", "1e23", "9223372036854776000", "0.1", "0.30000000000000004"]
)
def test_a_number_that_a_float_holds_or_that_means_the_nearest_one_is_taken(text: str) -> None:
    assert parse_gate({"checks": [f"x == {text}"]}).checks[0].value == float(text)


@pytest.mark.parametrize("text", ["mlp(64)x)", "smile:)", "(", "a(b"])
def test_a_text_that_is_compared_with_may_hold_any_parentheses(text: str) -> None:
    spec = parse_gate({"checks": [f"kind == {text}"]})
    assert judge(spec, {"kind": text}).verdict is Verdict.PASS
    assert judge(spec, {"kind": "mlp"}).verdict is Verdict.FAIL


@pytest.mark.parametrize("check", ["x <= 9007199254740993", {"metric": "x", "op": "<=", "value": 2**53 + 1}])
def test_a_gate_that_was_declared_before_is_judged_although_no_float_holds_its_number(check: object) -> None:
    spec = declared_gate({"checks": [check]}, source="the record")
    assert judge(spec, {"x": 5}).verdict is Verdict.PASS
    assert judge(spec, {"x": 2.0**54}).verdict is Verdict.FAIL


def test_a_count_that_is_no_whole_number_can_never_hold() -> None:
    with pytest.raises(InvalidInput, match=r"count\(k\) == 4.5 can never hold: a count is a whole number"):
        parse_gate({"checks": ["count(k) == 4.5"]})
    assert parse_gate({"checks": ["count(k) == 4", "count(k) != 4.5", "count(k) > 4.5"]})
