"""What somebody asks of a training by Transformers is answered once its Trainer has saved, or could not."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from integrations_asked_kill_program import POINTS
from test_integrations_transformers import At, InOrder, callback_of, trainer
from training_world import (
    NUM_STEPS,
    RUNTIME,
    Outside,
    cosine,
    halved_after,
    outcomes,
    same_weights,
    status_of,
    twin,
    while_paused,
)

import seedbed
from seedbed.contracts import RunStatus
from seedbed.integrations import TransformersCallback

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("integrations_asked_kill_program.py")
WHY = "no checkpoint was written: "


class Asked:
    """A training whose run can be asked from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.outside = folder, Outside(folder)
        self.callback = TransformersCallback(project="small", store=self.outside.store, runtime=RUNTIME, quiet=True)
        self.trained: Any = None

    @property
    def run(self) -> Any:
        return self.callback.run

    def ask(self, *verbs: str) -> None:
        for verb in verbs:
            self.outside.ask(self.run, verb)

    def train(self, *callbacks: Any, **options: Any) -> None:
        """Train with these callbacks, of which those before None are called before the run's."""
        place = callbacks.index(None) if None in callbacks else len(callbacks)
        self.trained = trainer(self.folder, *callbacks[:place], self.callback, *callbacks[place + 1 :], **options)
        self.trained.train()

    def train_asked(self, *verbs: str) -> None:
        """Train; all these are asked for at once, before the end of step 4."""
        self.train(At(4, lambda: self.ask(*verbs)))

    @property
    def answers(self) -> list[str]:
        return self.outside.answers(self.run)

    @property
    def kept(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "kept").glob("*"))


class OnSave(transformers.TrainerCallback):
    """Calls a function when the Trainer has saved."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def on_save(self, *_: Any, **kwargs: Any) -> None:
        self._call()


@pytest.mark.parametrize("verb", ["checkpoint", "stop"])
def test_no_answer_comes_before_the_trainer_has_saved(verb: str, tmp_path: Path) -> None:
    asked, seen = Asked(tmp_path), []
    before = OnSave(lambda: seen.append((asked.answers, asked.kept)))
    after = OnSave(lambda: seen.append(([each.partition(":")[0] for each in asked.answers], asked.kept)))
    asked.train(At(4, lambda: asked.ask(verb)), before, None, after)
    assert seen == [(["no answer yet"], ["checkpoint-4"]), (["DONE"], ["checkpoint-4"])]


class FullDisk(InOrder):
    def _save_checkpoint(self, *_: Any, **kwargs: Any) -> None:
        raise OSError("no space is left")


@pytest.mark.parametrize("verb", ["checkpoint", "stop"])
def test_a_save_that_raises_is_answered_as_failed_with_its_reason(verb: str, tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    run = seedbed.start(project="small", store=outside.store, runtime=RUNTIME, quiet=True)
    trained = trainer(tmp_path, At(4, lambda: outside.ask(run, verb)), TransformersCallback(run=run))
    trained.__class__ = FullDisk
    with pytest.raises(OSError, match="no space"), run:
        trained.train()
    assert (run.step, status_of(run)) == (4, RunStatus.FAILED)
    stopped = "stopped after step 4; " if verb == "stop" else ""
    ended = "the attempt ended first: OSError: no space is left"
    assert outside.answers(run) == [f"FAILED: {stopped}{WHY}{ended}"]


def test_a_run_whose_trainer_could_not_save_is_answered_when_it_ends(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.trained = trainer(tmp_path, At(4, lambda: asked.ask("checkpoint", "pause")), asked.callback)
    asked.trained.__class__ = FullDisk
    with pytest.raises(OSError, match="no space"):
        asked.trained.train()
    assert asked.answers == ["no answer yet"] * 2
    with pytest.raises(SystemExit), seedbed.start(project="other", store=tmp_path / "store", runtime=RUNTIME):
        raise SystemExit(1)
    ended = "another run was started in its place"
    assert asked.answers == [
        f"FAILED: {WHY}the attempt ended first: {ended}",
        f"REFUSED: attempt 1 ended first: {ended}",
    ]
    assert status_of(asked.run) is RunStatus.INTERRUPTED


class SavesNothing(transformers.TrainerCallback):
    """Forbids each save, as a callback of somebody else may."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_save = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_save = False


@pytest.mark.parametrize(
    ("verb", "step", "status", "stopped"),
    [
        ("checkpoint", NUM_STEPS, RunStatus.FINISHED, ""),
        ("stop", 4, RunStatus.INTERRUPTED, "stopped after step 4; "),
    ],
)
def test_a_training_that_ends_without_a_save_is_answered_as_failed(
    verb: str, step: int, status: RunStatus, stopped: str, tmp_path: Path
) -> None:
    asked = Asked(tmp_path)
    asked.train(At(4, lambda: asked.ask(verb)), None, SavesNothing())
    assert (asked.run.step, status_of(asked.run), asked.kept) == (step, status, [])
    assert asked.answers == [f"FAILED: {stopped}{WHY}Conflict: the training has ended first"]


def test_a_folder_that_is_gone_when_the_trainer_says_that_it_has_saved_is_answered_as_failed(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    lost = OnSave(lambda: (tmp_path / "kept" / "checkpoint-4" / "trainer_state.json").unlink())
    asked.train(At(4, lambda: asked.ask("checkpoint")), lost)
    (answer,) = asked.answers
    assert answer.startswith(f"FAILED: {WHY}NotFound: checkpoint-4 in kept has no trainer_state.json")
    assert status_of(asked.run) is RunStatus.FINISHED


def test_one_save_serves_checkpoints_and_a_stop_that_are_asked_for_in_a_row(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.train_asked("checkpoint", "checkpoint", "stop", "checkpoint")
    wrote = "wrote checkpoint-4 after step 4"
    refused = "REFUSED: attempt 1 ended first: stopped by request 3 of outside after step 4"
    assert asked.answers == [*[f"DONE: {wrote}"] * 2, f"DONE: stopped after step 4; {wrote}", refused]
    assert (asked.run.step, status_of(asked.run), asked.kept) == (4, RunStatus.INTERRUPTED, ["checkpoint-4"])


def test_a_run_pauses_after_the_save_of_a_checkpoint_that_was_asked_for_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, seen = Asked(tmp_path), []

    def go_on() -> None:
        seen.append((asked.run.step, asked.answers[:2], asked.kept))
        asked.ask("continue")

    while_paused(monkeypatch, go_on)
    asked.train_asked("checkpoint", "pause")
    done = ["DONE: wrote checkpoint-4 after step 4", "DONE: paused after step 4"]
    assert seen == [(4, done, ["checkpoint-4"])]
    assert asked.answers[2] == "DONE: the run goes on"
    assert (asked.run.step, status_of(asked.run)) == (NUM_STEPS, RunStatus.FINISHED)


def test_a_paused_run_saves_without_another_step_and_stays_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, seen = Asked(tmp_path), []
    while_paused(
        monkeypatch,
        lambda: asked.ask("checkpoint"),
        lambda: seen.append((asked.run.step, asked.answers[1:], asked.kept)),
        lambda: asked.ask("continue"),
    )
    asked.train_asked("pause")
    assert seen == [(4, ["DONE: wrote checkpoint-4 after step 4"], ["checkpoint-4"])]
    assert asked.answers[2] == "DONE: the run goes on"
    assert same_weights(asked.trained.model.net, twin()[0])


def test_a_paused_run_that_is_asked_to_stop_saves_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tmp_path)
    while_paused(monkeypatch, lambda: asked.ask("stop"))
    asked.train_asked("checkpoint", "pause")
    assert asked.answers[2] == "DONE: stopped after step 4; wrote checkpoint-4 after step 4"
    assert (asked.run.step, status_of(asked.run), asked.kept) == (4, RunStatus.INTERRUPTED, ["checkpoint-4"])


def rate_kept(folder: Path, step: int) -> float:
    kept = torch.load(folder / "kept" / f"checkpoint-{step}" / "optimizer.pt", weights_only=True)
    return float(kept["param_groups"][0]["lr"])


def test_a_checkpoint_holds_the_changes_that_were_asked_for_before_it_and_none_after_it(tmp_path: Path) -> None:
    asked = Asked(tmp_path)

    def ask_all() -> None:
        asked.ask("checkpoint")
        asked.outside.propose(asked.run, scale=0.5)
        asked.ask("checkpoint")

    asked.train(At(2, ask_all))
    assert asked.kept == ["checkpoint-2", "checkpoint-3"]
    first, change, second = asked.answers
    assert (first, second) == ("DONE: wrote checkpoint-2 after step 2", "DONE: wrote checkpoint-3 after step 3")
    assert change.startswith("EFFECTIVE")
    assert rate_kept(tmp_path, 2) == pytest.approx(cosine(3))  # the schedule has set that of the next step
    assert rate_kept(tmp_path, 3) == pytest.approx(cosine(4) / 2)
    assert same_weights(asked.trained.model.net, twin(halved_after(2))[0])


@pytest.mark.parametrize("point", POINTS)
def test_a_checkpoint_whose_answer_was_lost_with_the_process_gets_one_answer_from_the_next_attempt(
    point: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(PROGRAM), str(tmp_path), point]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (tmp_path / "kept" / "checkpoint-4").exists() is (point == POINTS[1])
    second = callback_of(tmp_path)
    trainer(tmp_path, second).train(resume_from_checkpoint=str(tmp_path / "kept" / "checkpoint-2"))
    assert (second.run.record.attempt, status_of(second.run)) == (2, RunStatus.FINISHED)
    answers = [
        json.loads(path.read_text("utf-8"))
        for path in sorted((tmp_path / "store").glob("runs/small/*/TRAINING/answers/*.json"))
    ]
    assert [(each["request"], each["state"], each["is_final"], each["attempt"]) for each in answers] == [
        (number, "UNKNOWN", True, 2) for number in (1, 2)
    ]
    assert outcomes(second.run) == []
