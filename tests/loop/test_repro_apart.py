"""Comparisons of runs that are not of one process alone: several processes, and somebody who changes a run."""

import sys
from pathlib import Path

import pytest

from seedbed.errors import ExitCode
from seedbed.loop.repro._check import ReproAnswer, ReproKind, ReproRequest, check

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def told(*_: object) -> None:
    pass


def together(folder: Path, kind: ReproKind, planted: str) -> ReproAnswer:
    """The answer to a training of two processes."""
    command = (sys.executable, *TORCHRUN, str(HERE / "repro_ranks_program.py"), planted)
    return check(ReproRequest(kind, command, folder / "compared"), told)


def test_a_training_of_two_processes_is_repeated_as_rank_0_sees_it(tmp_path):
    answer = together(tmp_path, ReproKind.REPEAT, "nothing")
    assert (answer.difference, answer.why_not, answer.steps, answer.exit_code) == (None, "", 6, ExitCode.PASS)


def test_what_another_process_draws_without_a_seed_is_found_where_it_reaches_rank_0(tmp_path):
    found = together(tmp_path, ReproKind.REPEAT, "draw").difference
    assert found is not None
    assert (found.step, found.what, found.where) == (4, "gradient", "bias")


@pytest.mark.parametrize("kind", [ReproKind.REPLAY, ReproKind.RESUME])
def test_a_training_of_two_processes_is_neither_replayed_nor_resumed_and_the_way_on_is_told(tmp_path, kind):
    answer = together(tmp_path, kind, "nothing")
    assert answer.exit_code is ExitCode.NO_ANSWER
    assert answer.why_not.startswith("the script trains in 2 processes together")
    assert "seedbed repro repeat" in answer.why_not


def steered(folder: Path, kind: ReproKind, planted: str = "outside") -> ReproAnswer:
    """The answer to a training that is changed as `planted` says; "outside": in its first run, by somebody else."""
    command = (sys.executable, str(HERE / "repro_program.py"), planted)
    return check(ReproRequest(kind, command, folder / "compared"), told)


def test_a_change_from_outside_is_made_again_by_a_replay(tmp_path):
    answer = steered(tmp_path, ReproKind.REPLAY)
    assert (answer.difference, answer.why_not, answer.exit_code) == (None, "", ExitCode.PASS)
    assert answer.notes == ("changes made again: 1",)


def test_a_change_of_a_setting_that_is_bound_on_request_is_made_again_by_a_replay(tmp_path):
    answer = steered(tmp_path, ReproKind.REPLAY, "freeze")
    assert (answer.difference, answer.why_not, answer.exit_code) == (None, "", ExitCode.PASS)
    assert answer.notes == ("changes made again: 1",)


@pytest.mark.parametrize("kind", [ReproKind.REPEAT, ReproKind.RESUME])
def test_a_run_that_was_changed_from_outside_is_neither_repeated_nor_resumed_and_the_change_is_named(tmp_path, kind):
    answer = steered(tmp_path, kind)
    assert answer.exit_code is ExitCode.NO_ANSWER
    assert answer.why_not.startswith("the first run was changed from outside (optimizer.lr after step ")
    assert "seedbed repro replay" in answer.why_not
