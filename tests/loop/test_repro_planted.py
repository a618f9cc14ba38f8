"""Whole comparisons of a script whose fault is planted: the step, the tensor and the cause that are named."""

import os
import sys
from pathlib import Path

import pytest

from seedbed.errors import ExitCode, InvalidInput
from seedbed.loop.repro._cause import probable_cause
from seedbed.loop.repro._check import ReproAnswer, ReproKind, ReproRequest, check, measure, narrow

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("repro_program.py")
GENERATOR = "the generator of torch was in another state when step"


def asked(folder: Path, kind: ReproKind, planted: str, **more) -> ReproRequest:
    return ReproRequest(kind, (sys.executable, str(PROGRAM), planted), folder / "compared", **more)


def told(*_: object) -> None:
    pass


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def cause(answer: ReproAnswer) -> str:
    assert answer.first is not None
    assert answer.second is not None
    assert answer.difference is not None
    return probable_cause(answer.first, answer.second, answer.difference)


@pytest.mark.parametrize(
    ("kind", "planted", "steps", "resumed_at"),
    [
        (ReproKind.REPEAT, "equal", 12, 0),
        (ReproKind.REPLAY, "equal", 12, 0),
        (ReproKind.RESUME, "equal", 6, 7),
        (ReproKind.RESUME, "own", 6, 7),
        (ReproKind.RESUME, "list", 6, 7),
    ],
)
def test_what_is_deterministic_is_equal_and_the_scripts_own_store_and_files_stay_away(
    tmp_path, kind, planted, steps, resumed_at
):
    answer = check(asked(tmp_path, kind, planted), told)
    assert (answer.difference, answer.why_not, answer.exit_code) == (None, "", ExitCode.PASS)
    assert (answer.steps, answer.resumed_at) == (steps, resumed_at)
    assert answer.tensors == 2 + 4 + 3 * 4 + 4  # batch, gradients, Adam's three for each weight, weights
    assert {each.name for each in tmp_path.iterdir()} == {"compared"}


def test_an_unseeded_draw_in_the_loop_is_named_by_its_step_and_is_not_taken_for_other_data(tmp_path):
    request = asked(tmp_path, ReproKind.REPEAT, "draw")
    answer = check(request, told)
    found = answer.difference
    assert found is not None
    assert (answer.exit_code, found.step, found.what, found.where) == (ExitCode.FAIL, 7, "gradient", "3.bias")
    assert [name for name, *_ in found.values] == ["loss"]
    assert "batch and the states of the global generators were equal" in cause(answer)
    apart = measure(request, answer, told)
    assert apart is not None
    assert (apart.num, apart.num_different) == (2, 2)
    assert 0 < apart.largest < 2
    assert apart.first_norm != apart.second_norm


@pytest.mark.parametrize(("kind", "planted", "step"), [(ReproKind.REPEAT, "draw", 7), (ReproKind.RESUME, "lost", 7)])
def test_of_every_fourth_step_that_is_compared_the_first_of_all_that_differs_is_found_by_two_more_runs(
    tmp_path, kind, planted, step
):
    request = asked(tmp_path, kind, planted, every=4, ignored=frozenset({"loss"}))
    coarse = check(request, told)
    assert coarse.difference is not None
    assert coarse.difference.step == 8
    answer = narrow(request, coarse, told)
    assert answer.difference is not None
    assert (answer.difference.step, answer.is_narrowed) == (step, True)
    assert answer.difference.what == ("gradient" if planted == "draw" else "batch")
    assert narrow(asked(tmp_path, kind, planted), coarse, told) is coarse  # each step was compared


def test_a_loader_that_shuffles_without_a_seed_is_named_as_data(tmp_path):
    answer = check(asked(tmp_path, ReproKind.REPEAT, "shuffled"), told)
    found = answer.difference
    assert found is not None
    assert (found.step, found.what, found.where) == (1, "batch", "1.0")
    assert "the data come from a generator of their own that has no seed" in cause(answer)


def test_dropout_under_different_seeds_is_no_difference_of_data_and_the_generator_is_named(tmp_path):
    answer = check(asked(tmp_path, ReproKind.REPEAT, "dropout"), told)
    found = answer.difference
    assert found is not None
    assert (found.step, found.what) == (1, "gradient")
    assert cause(answer).startswith(f"{GENERATOR} 1 began: it is not seeded (torch.manual_seed")


def test_a_change_that_is_overwritten_in_the_replay_is_found_at_the_step_that_used_it(tmp_path):
    answer = check(asked(tmp_path, ReproKind.REPLAY, "overwritten"), told)
    found = answer.difference
    assert found is not None
    assert (found.step, found.what, found.where) == (9, "gradient", "3.bias")
    assert answer.notes == ("changes made again: 1",)


def test_a_resume_that_loses_the_generators_state_differs_with_its_first_step(tmp_path):
    request = asked(tmp_path, ReproKind.RESUME, "lost")
    answer = check(request, told)
    found = answer.difference
    assert found is not None
    assert (answer.resumed_at, found.step, found.what) == (7, 7, "batch")
    assert cause(answer).startswith(f"{GENERATOR} 7 began")
    assert "not restored in a resume" in cause(answer)
    apart = measure(request, answer, told)
    assert apart is not None
    assert apart.num_different > 0  # the other pair is stopped and resumed too


@pytest.mark.parametrize(("planted", "step"), [("mean", 7), ("mean, not saved", 7)])
def test_a_state_that_is_in_no_checkpoint_is_the_first_cause_and_differs_again_in_another_resume(
    tmp_path, planted, step
):
    request = asked(tmp_path, ReproKind.RESUME, planted)
    answer = check(request, told)
    found = answer.difference
    assert found is not None
    assert (answer.resumed_at, found.step, found.what) == (7, step, "gradient")
    assert cause(answer).startswith("a state is not in the checkpoint")
    assert answer.notes == ()  # it was stopped within a pass
    apart = measure(request, answer, told)
    assert apart is not None
    assert apart.num_different > 0


def test_a_logged_value_that_is_never_the_same_is_named_and_can_be_left_out(tmp_path):
    answer = check(asked(tmp_path, ReproKind.REPEAT, "time"), told)
    found = answer.difference
    assert found is not None
    assert (found.step, found.what, found.where, found.num) == (1, "value", "entropy", 1)
    assert "--ignore" in cause(answer)
    left_out = ReproRequest(
        ReproKind.REPEAT, (sys.executable, str(PROGRAM), "time"), tmp_path / "other", ignored=frozenset({"entropy"})
    )
    assert check(left_out, told).exit_code is ExitCode.PASS


@pytest.mark.parametrize(
    ("kind", "planted", "words"),
    [
        (ReproKind.REPEAT, "nothing", "took no step of a run"),
        (ReproKind.REPEAT, "error", "ValueError: planted"),
        (ReproKind.REPLAY, "unchanged", "no change of the first run took effect"),
    ],
)
def test_what_was_not_compared_is_no_answer_and_says_why(tmp_path, kind, planted, words):
    answer = check(asked(tmp_path, kind, planted), told)
    assert answer.exit_code is ExitCode.NO_ANSWER
    assert words in answer.why_not


def test_a_command_that_cannot_be_started_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot start no-such-command"):
        check(ReproRequest(ReproKind.REPEAT, ("no-such-command",), tmp_path / "compared"), told)


def test_a_script_ends_with_the_command_that_compares_it(tmp_path):
    class Stop(Exception):
        pass

    def stop(what: str, done: int, num: int) -> None:
        raise Stop

    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(Stop):
        check(ReproRequest(ReproKind.REPEAT, (sys.executable, "-c", script), tmp_path / "compared"), stop)
    pid = tmp_path / "pid"
    assert not pid.exists() or not _runs(int(pid.read_text()))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
