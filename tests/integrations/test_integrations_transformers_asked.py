"""What somebody asks of a training by Transformers while it accumulates gradients over the batches of a step."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from test_integrations_transformers import At, Wrapped, callback_of, rows, trainer
from torch import nn
from training_world import NUM_EPOCHS, RUNTIME, Outside, let_steps_last_long, loss_of, same_weights, status_of

import seedbed
from seedbed.contracts import RunStatus
from seedbed.integrations import TransformersCallback

pytestmark = pytest.mark.slow

ACCUMULATED = 4
LAST = len(rows()) // 4 // ACCUMULATED * NUM_EPOCHS  # four rows a batch


@pytest.fixture
def _long_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    let_steps_last_long(monkeypatch)


class Noisy(Wrapped):
    """The small net with dropout: only the same random numbers give the same weights."""

    def forward(self, rows: torch.Tensor, *, return_loss: bool = True) -> dict[str, torch.Tensor]:
        assert return_loss  # the Trainer looks at this default, and evaluates the loss
        return {"loss": loss_of(self.net, nn.functional.dropout(rows, 0.3, self.training)), "logits": self.net(rows)}


class Within(transformers.TrainerCallback):
    """Calls a function once: when `num` batches of the step after step `step` were trained on."""

    def __init__(self, step: int, num: int, call: Any) -> None:
        self._step, self._num, self._call = step, num, call

    def on_step_begin(self, *_: Any, **kwargs: Any) -> None:
        self._seen = 0

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._seen += 1
        if (state.global_step, self._seen) == (self._step, self._num):
            self._call()


def accumulating(folder: Path, *callbacks: Any, **options: Any) -> Any:
    return trainer(folder, *callbacks, model=Noisy(), gradient_accumulation_steps=ACCUMULATED, **options)


def asked(folder: Path, verb: str, step: int, num: int, **options: Any) -> tuple[Any, list[str]]:
    """Train; within a step, `verb` is asked of the run from outside. The run, and the answers."""
    outside = Outside(folder)
    callback = TransformersCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True)
    within = Within(step, num, lambda: outside.ask(callback.run, verb))
    accumulating(folder, within, callback, **options).train()
    return callback.run, outside.answers(callback.run)


def kept_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").glob("*"))


@pytest.mark.parametrize("num", range(1, ACCUMULATED))
def test_what_is_asked_within_a_step_is_answered_at_its_end(num: int, tmp_path: Path) -> None:
    run, answers = asked(tmp_path / "stop", "stop", 2, num)
    assert answers == ["DONE: stopped after step 3; wrote checkpoint-3 after step 3"]
    assert (run.step, status_of(run), kept_in(tmp_path / "stop")) == (3, RunStatus.INTERRUPTED, ["checkpoint-3"])
    run, answers = asked(tmp_path, "checkpoint", 0, num)
    assert answers == ["DONE: wrote checkpoint-1 after step 1"]
    assert (run.step, status_of(run), kept_in(tmp_path)) == (LAST, RunStatus.FINISHED, ["checkpoint-1"])


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.parametrize("num", range(1, ACCUMULATED))
def test_a_stop_within_a_step_ends_after_it_and_the_resume_loses_nothing(num: int, tmp_path: Path) -> None:
    run, answers = asked(tmp_path, "stop", 2, num)
    assert (run.step, run.iteration, status_of(run)) == (3, 3 * ACCUMULATED, RunStatus.INTERRUPTED)
    assert answers == ["DONE: stopped after step 3; wrote checkpoint-3 after step 3"]
    assert kept_in(tmp_path) == ["checkpoint-3"]
    second = callback_of(tmp_path)
    resumed = accumulating(tmp_path, second)
    resumed.train(resume_from_checkpoint=True)
    assert (second.run.run_id, second.run.step, status_of(second.run)) == (run.run_id, LAST, RunStatus.FINISHED)
    plain = accumulating(tmp_path / "plain")
    plain.train()
    assert same_weights(resumed.model.net, plain.model.net)


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.parametrize("num", range(1, ACCUMULATED))
@pytest.mark.parametrize("step", [0, LAST - 1])
def test_a_checkpoint_within_a_step_is_answered_when_it_is_there(step: int, num: int, tmp_path: Path) -> None:
    run, answers = asked(tmp_path, "checkpoint", step, num)
    name = f"checkpoint-{step + 1}"
    assert answers == [f"DONE: wrote {name} after step {step + 1}"]
    assert kept_in(tmp_path) == [name]
    state = transformers.TrainerState.load_from_json(str(tmp_path / "kept" / name / "trainer_state.json"))
    assert state.global_step == step + 1
    assert (run.step, status_of(run)) == (LAST, RunStatus.FINISHED)


@pytest.mark.usefixtures("_long_steps")
def test_a_run_that_was_given_ends_in_its_block_after_the_step_within_which_it_is_stopped(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    with (
        pytest.raises(SystemExit, match="130"),
        seedbed.start(project="small", store=outside.store, runtime=RUNTIME, quiet=True) as run,
    ):
        accumulating(tmp_path, Within(1, 2, lambda: outside.ask(run, "stop")), TransformersCallback(run=run)).train()
    assert (run.step, status_of(run), kept_in(tmp_path)) == (2, RunStatus.INTERRUPTED, ["checkpoint-2"])


class LeavesEpoch(transformers.TrainerCallback):
    """Leaves the first epoch within its second step."""

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_epoch_stop = state.global_step == 1


@pytest.mark.usefixtures("_long_steps")
def test_a_stop_within_a_step_that_is_left_with_its_epoch_ends_there_with_a_checkpoint(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    callback = TransformersCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True)
    within = Within(1, 1, lambda: outside.ask(callback.run, "stop"))
    accumulating(tmp_path, within, callback, LeavesEpoch()).train()
    assert (callback.run.step, status_of(callback.run)) == (1, RunStatus.INTERRUPTED)
    assert kept_in(tmp_path) == ["checkpoint-1"]


@pytest.mark.parametrize(
    ("verb", "step", "kept_at"), [("checkpoint", 6, 7), ("stop", 6, 6), ("checkpoint", 4, 4)], ids=str
)
def test_a_checkpoint_is_saved_though_the_trainer_keeps_only_the_best_and_this_is_none(
    verb: str, step: int, kept_at: int, tmp_path: Path
) -> None:
    outside = Outside(tmp_path)
    callback = TransformersCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True)
    best: dict[str, Any] = {
        "save_strategy": "best",
        "eval_strategy": "steps",
        "eval_steps": 2,
        "metric_for_best_model": "loss",
        "greater_is_better": True,  # the loss falls, so only the first evaluation is the best
    }
    at_evaluation = At(step, lambda: outside.ask(callback.run, verb))
    trained = trainer(tmp_path, at_evaluation, callback, **best)
    trained.train()
    (answer,) = outside.answers(callback.run)
    assert answer.endswith(f"wrote checkpoint-{kept_at} after step {kept_at}")
    assert kept_in(tmp_path) == ["checkpoint-2", f"checkpoint-{kept_at}"]
