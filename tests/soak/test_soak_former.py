"""Soaks that an earlier version wrote are verified and judged as then, and written again byte for byte."""

import json
import shutil
from pathlib import Path

import pytest

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
