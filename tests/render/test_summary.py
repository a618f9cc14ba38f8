"""The end of a run is told in about twenty lines, and nothing that needs attention is left out of them."""

import pytest
from render_sample import HOSTILE, audit, change, commit, feature, interval, judged, summary_of

from seedbed.contracts import Outcome, Verdict
from seedbed.render import summary_lines

PLAIN = [change(1, 150, Outcome.EFFECTIVE)]
MANY = [
    *(change(number, 10 * number, Outcome.EFFECTIVE) for number in range(1, 6)),
    change(6, 60, Outcome.BLOCKED, after=0.001),
    change(7, 70, Outcome.UNKNOWN),
    change(8, 80, Outcome.FAILED),
]


def test_a_plain_run_is_told_in_fourteen_lines(tmp_path):
    commit(tmp_path, "a", {"accuracy": interval(0.9)}, summary_of(*PLAIN), audit())
    now = commit(tmp_path, "b", {"accuracy": interval(0.92)}, summary_of(*PLAIN), audit(), seed=1)
    first, *lines = summary_lines(now, judged())
    assert first.startswith("run b  commit 2 of digits, ")
    assert first.endswith(", took 1 min 15 s")
    assert lines == [
        "results",
        "  accuracy  0.92  [0.91, 0.93]  before 0.9, +0.02: not enough replicates: 1 of 4",
        "compared with",
        "  a, commit 1: comparable: a replicate, only the seed differs",
        "  /factors/seed: 0 -> 1",
        "changes: 1 requested: 1 effective",
        "  EFFECTIVE  step 150: optimizer.lr 0.001 -> 0.0005",
        "             effective: step 151 used 0.0005",
        "runtime, COMPAT, 6 of 300 iterations and evaluations seen",
        "  SDPA   used  aten::_scaled_dot_product_flash_attention_for_cpu x 6",
        "  FLASH  used  aten::_scaled_dot_product_flash_attention_for_cpu x 6",
        "gate: PASS, exit code 0",
        "  PASS  audit.degraded == false         found false",
        "  PASS  metrics.accuracy >= 0.85 @ 95%  found it",
    ]


def test_what_failed_and_what_nobody_knows_comes_before_what_went_well(tmp_path):
    now = commit(tmp_path, "a", {}, summary_of(*MANY))
    lines = summary_lines(now)
    begin = lines.index("changes: 8 requested: 5 effective, 1 blocked, 1 failed, 1 unknown")
    assert [line.split()[0] for line in lines[begin + 1 : begin + 7 : 2]] == ["FAILED", "UNKNOWN", "BLOCKED"]
    assert lines[begin + 7].strip() == "and 5 more, as `seedbed changes show` shows"


def test_what_was_lost_is_told_with_its_reason(tmp_path):
    lost = feature(used=False, reason="the mask requires grad")
    now = commit(tmp_path, "a", {}, summary_of(), audit(lost, ("FLASH was requested and not seen at step 40",)))
    lines = summary_lines(now)
    assert "  FLASH  not seen  the mask requires grad" in lines
    assert "         degraded  FLASH was requested and not seen at step 40" in lines


def test_what_no_step_could_show_is_unknown_and_takes_one_line(tmp_path):
    unknown = feature(used=None, reason="no attention ran")
    lines = summary_lines(commit(tmp_path, "a", {}, summary_of(), audit(unknown)))
    assert "        unknown  FLASH: no step that was seen could show it; `seedbed runs show` tells why" in lines
    assert not any("not seen" in line for line in lines)


def test_a_run_without_anything_to_tell_says_so(tmp_path):
    lines = summary_lines(commit(tmp_path, "a", {}))
    assert lines[1:] == (
        "compared with",
        "  no predecessor: nothing earlier shares its comparison group",
        "changes: The record holds no document changes.",
        "runtime: The record holds no document audit_run.",
        "gate: not judged",
    )


def test_a_verdict_that_does_not_pass_is_told_with_its_check(tmp_path):
    lines = summary_lines(commit(tmp_path, "a", {"accuracy": 0.8}), judged(Verdict.FAIL, reason="0.8 is below 0.85"))
    assert "gate: FAIL, exit code 1" in lines
    assert any(line.startswith("  FAIL") and line.endswith("0.8 is below 0.85") for line in lines)


def test_of_many_metrics_those_of_the_run_itself_are_shown(tmp_path):
    metrics = {"baselines": {"mean": {"ap": 0.4}}, "aaa": 3.0, "test": {"ap": 0.9, "loss": 0.2}, "curve": [1.0, 2.0]}
    lines = summary_lines(commit(tmp_path, "a", metrics))
    begin = lines.index("results")
    assert [line.split()[0] for line in lines[begin + 1 : begin + 5]] == [
        "test.ap",
        "test.loss",
        "aaa",
        "baselines.mean.ap",
    ]
    assert lines[begin + 5] == "  and 1 more"


def test_a_result_that_is_not_finite_is_shown_by_its_name(tmp_path):
    lines = summary_lines(commit(tmp_path, "a", {"loss": float("nan"), "test": {"ap": float("-inf")}, "note": "NaN?"}))
    begin = lines.index("results")
    assert [line.split() for line in lines[begin + 1 : begin + 3]] == [["loss", "NaN"], ["test.ap", "-Infinity"]]
    assert lines[begin + 3] == "  and 1 more"


@pytest.mark.parametrize(("width", "most"), [(40, 64), (60, 48), (80, 36), (120, 28)])
def test_no_line_is_longer_than_the_terminal_and_the_whole_is_short(width, most, tmp_path):
    commit(tmp_path, "a", {f"metric_{number}": 0.5 for number in range(30)}, summary_of(), audit())
    more = {f"metric_{number}": 0.6 for number in range(30)}
    now = commit(tmp_path, "b", more, summary_of(*MANY), audit(), seed=1)
    lines = summary_lines(now, judged(), width)
    assert max(map(len, lines)) <= width
    assert len(lines) <= most


def test_what_somebody_wrote_into_a_change_or_a_name_cannot_move_the_cursor(tmp_path):
    changes = summary_of(change(1, 5, Outcome.BLOCKED, after=0.001, name=HOSTILE))
    commit(tmp_path, "a", {HOSTILE: 0.5}, changes, audit(reasons=(HOSTILE,)))
    now = commit(tmp_path, "b", {HOSTILE: 0.6}, changes, audit(reasons=(HOSTILE,)), seed=1)
    lines = summary_lines(now)
    assert "".join(lines).count("\\x1b[2J") >= 3
    assert all(line.isprintable() for line in lines)
