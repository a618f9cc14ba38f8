"""Soaks that an earlier version wrote are verified and judged as then, and written again byte for byte."""

import json
import shutil
from pathlib import Path

import pytest

from seedbed.contracts import Verdict
from seedbed.errors import ExitCode
from seedbed.gate import parse_gate
from seedbed.soak import SoakFolder, assemble, finish, judge_soak, verify_soak

SOAKS = sorted((Path(__file__).parents[1] / "data" / "soaks-1").iterdir())
DRAWING = "KPIS.svg"  # drawn by the command, and read by nobody


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in {DRAWING, ".lock"}}


@pytest.fixture(params=SOAKS, ids=lambda path: path.name)
def soak(request, tmp_path) -> SoakFolder:
    return SoakFolder(shutil.copytree(request.param, tmp_path / request.param.name))


def test_a_former_soak_is_verified_and_judged_as_then_and_written_again_byte_for_byte(soak):
    before = files_of(soak.path)
    stated = json.loads(soak.snapshot_path.read_bytes())["gate"]
    assert verify_soak(soak, assemble, strict=True).accusations == ()
    assert judge_soak(soak, assemble, metrics=True).model_dump(mode="json")["verdict"] == stated["verdict"]
    assert files_of(soak.path) == before
    for path in (soak.tuning_report_path, soak.snapshot_path, soak.page_path, soak.metrics_path):
        path.unlink()
    finish(soak, assemble)
    assert files_of(soak.path) == before


def test_one_of_them_passed_its_gate_and_one_did_not():
    verdicts = [json.loads((path / "POST_SOAK_SNAPSHOT.json").read_bytes())["gate"]["verdict"] for path in SOAKS]
    assert verdicts == ["PASS", "FAIL"]


CONTRARY = [
    "verify.clean == false",
    "verify.clean != true",
    {"metric": "verify.clean", "op": "!=", "value": True, "kind": "contract"},
    "verify.clean == true",  # the right demand, but no contract
]


@pytest.mark.parametrize("check", CONTRARY, ids=str)
def test_no_gate_lets_an_overwritten_soak_pass_whatever_it_asks_of_its_verification(check, tmp_path):
    soak = SoakFolder(shutil.copytree(SOAKS[0], tmp_path / "soak"))
    soak.summary_path(2).write_text("approved")
    report = judge_soak(soak, assemble, spec=parse_gate({"checks": [check]}))
    assert (report.verdict, report.exit_code) == (Verdict.FAIL, ExitCode.CONTRACT_BROKEN)
    assert [each.verdict for each in report.checks if each.kind == "CONTRACT"][-1] is Verdict.FAIL


def test_a_gate_that_asks_for_the_verification_itself_is_judged_as_it_is(tmp_path):
    soak = SoakFolder(shutil.copytree(SOAKS[0], tmp_path / "soak"))
    soak.summary_path(2).write_text("approved")
    own = {"metric": "verify.clean", "op": "==", "value": True, "kind": "contract"}
    assert len(judge_soak(soak, assemble, spec=parse_gate({"checks": [own]})).checks) == 1


@pytest.mark.slow
def test_a_former_soak_is_calibrated_by_the_rules_that_judged_it(soak):
    report = judge_soak(soak, assemble, calibrate=True)
    rates = {each.metric: each.false_pass_rate for each in report.checks if each.statistic is not None}
    assert report.rules is None
    assert max(rate for rate in rates.values() if rate is not None) > 0
    means = [rate for metric, rate in rates.items() if metric.startswith(("mean(", "difference("))]
    assert means
    assert all(rate is not None and rate > 0 for rate in means)
