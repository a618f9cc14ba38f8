"""The example of the four verbs by hand runs as a user runs it: from a folder of its own, in a process of its own."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.contracts import RunStatus
from seedbed.records import Store, fsck, run_events, verify

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SEEDBED_")}
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "by_hand.py"


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    script = folder / "by_hand.py"
    script.write_text(program, encoding="utf-8")
    return child(folder, script.name)


def child(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    return folder, run(folder, EXAMPLE.read_text(encoding="utf-8"))


def test_the_loop_by_hand_is_short_enough_to_read_at_once():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 50


@pytest.mark.slow
def test_the_loop_by_hand_passes_its_gate_and_says_what_was_observed(ran):
    _, done = ran
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "step 150: the loop proposed optimizer.lr 0.0015 -> 0.00075",
        "applied: 0.00075 read back",
        "effective: step 151 used 0.00075",
        "gate: PASS",
    ):
        assert said in done.stdout


def test_the_loop_by_hand_leaves_a_whole_record(ran):
    folder, _ = ran
    store = Store.open(folder / ".seedbed")
    (view,) = store.runs()
    assert view.commit is not None
    assert (view.status, view.commit.seq) == (RunStatus.FINISHED, 1)
    assert all(check.holds for check in verify(store, view))
    assert fsck(store) == []


def test_the_loop_by_hand_logs_the_rate_that_each_step_used(ran):
    """A cosine from 0.003 to 0 over 300 steps, of which the first is step 1, halved after step 150."""
    folder, _ = ran
    store = Store.open(folder / ".seedbed")
    (view,) = store.runs()
    events = run_events(store, view)
    rates = {event.step: event.values["learning_rate"] for event in events if "learning_rate" in event.values}
    shape = {step: 0.003 * (1 + math.cos(math.pi * (step - 1) / 300)) / 2 for step in range(1, 301)}
    assert rates == pytest.approx({step: rate / (1 if step <= 150 else 2) for step, rate in shape.items()})


@pytest.mark.slow
def test_the_command_judges_the_loop_by_hand_from_its_record_alone(ran):
    folder, _ = ran
    for arguments in (("gate", "latest"), ("changes", "show", "latest"), ("report", "latest")):
        done = child(folder, "-m", "seedbed", *arguments)
        assert done.returncode == 0, (arguments, done.stderr)


@pytest.mark.slow
def test_the_loop_by_hand_run_again_in_the_same_folder_is_another_run_like_the_first(ran, tmp_path):
    folder = shutil.copytree(ran[0], tmp_path / "again")
    done = child(folder, "by_hand.py")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (view.commit for view in Store.open(folder / ".seedbed").runs() if view.commit)
    assert first.snapshot.run_id < second.snapshot.run_id
    assert second.snapshot.diff_prev.prev_run_id == first.snapshot.run_id
    assert second.snapshot.documents["changes"] == first.snapshot.documents["changes"]


@pytest.mark.slow
def test_the_usual_dropout_turns_attention_into_math_and_stops_the_loop_by_hand(tmp_path):
    done = run(tmp_path, EXAMPLE.read_text(encoding="utf-8").replace("dropout=0.0", "dropout=0.1"))
    assert done.returncode == 4
    assert "aten::_scaled_dot_product_attention_math ran instead: dropout_p is 0.1" in done.stderr
    (view,) = Store.open(tmp_path / ".seedbed").runs()
    assert (view.status, view.commit) == (RunStatus.FAILED, None)


@pytest.mark.slow
def test_a_summary_of_the_changes_written_by_hand_gives_the_same_record(ran, tmp_path):
    plain, shorter = EXAMPLE.read_text(encoding="utf-8"), 'mode="json")},  # `finish` adds the changes'
    assert plain.count(shorter) == 1
    by_hand = 'mode="json"), "changes": change.summary(engine.history).model_dump(mode="json")},'
    assert run(tmp_path, plain.replace(shorter, by_hand)).returncode == 0
    first, second = (
        view.commit.snapshot
        for folder in (ran[0], tmp_path)
        for view in Store.open(folder / ".seedbed").runs()
        if view.commit
    )
    assert second.documents["changes"] == first.documents["changes"]
    assert set(second.documents) == set(first.documents)
    assert second.digests["metrics"] == first.digests["metrics"]
