"""Transformers' own Trainer, with a run of Seedbed around its training; the models are tiny and random."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from training_world import (
    ACCUMULATED,
    CLIPPED_TO,
    NUM_EPOCHS,
    NUM_STEPS,
    RATE,
    ROWS,
    RUNTIME,
    Outside,
    cosine,
    epoch,
    halved_after,
    logged,
    loss_of,
    num_hooks,
    outcomes,
    same_weights,
    small_net,
    status_of,
    stories,
    twin,
)

import seedbed
from seedbed.contracts import RunStatus, Verdict
from seedbed.integrations import TransformersCallback

pytestmark = pytest.mark.slow


class Wrapped(nn.Module):
    """The small net as the Trainer takes a model: called with the columns of a batch, it returns its loss first."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, rows: torch.Tensor, *, return_loss: bool = True) -> dict[str, torch.Tensor]:
        assert return_loss  # the Trainer looks at this default, and evaluates the loss
        return {"loss": loss_of(self.net, rows), "logits": self.net(rows).detach()}


class At(transformers.TrainerCallback):
    """Calls a function after step `step`."""

    def __init__(self, step: int, call: Any) -> None:
        self._step, self._call = step, call

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self._step:
            self._call()


class InOrder(transformers.Trainer):
    """Takes the rows in their order, so that a loop without the Trainer sees the same batches."""

    def _get_train_sampler(self, *_: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def rows() -> list[dict[str, torch.Tensor]]:
    return [{"rows": row} for batch in epoch() for row in batch]


def trainer(folder: Path, *callbacks: Any, model: nn.Module | None = None, **options: Any) -> Any:
    given: dict[str, Any] = {
        "save_strategy": "no",
        "eval_strategy": "epoch",
        "lr_scheduler_type": "cosine",
        "lr_scheduler_kwargs": {"num_cycles": 0.25},
        "gradient_accumulation_steps": ACCUMULATED,
        **options,
    }
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "kept"),
        num_train_epochs=NUM_EPOCHS,
        per_device_train_batch_size=ROWS,
        per_device_eval_batch_size=ROWS,
        learning_rate=RATE,
        optim="adamw_torch",
        max_grad_norm=CLIPPED_TO,
        logging_steps=1,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **given,
    )
    model = model or Wrapped()
    return InOrder(model, arguments, train_dataset=rows(), eval_dataset=rows(), callbacks=list(callbacks))


def callback_of(folder: Path, **options: Any) -> Any:
    return TransformersCallback(project="small", store=folder / "store", runtime=RUNTIME, quiet=True, **options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder = tmp_path_factory.mktemp("plain")
    callback = callback_of(folder)
    trained = trainer(folder, callback)
    trained.train()
    return callback, trained


def test_a_training_is_a_run_that_counts_optimizer_steps(plain: tuple[Any, Any]) -> None:
    run = plain[0].run
    assert (run.step, run.iteration) == (NUM_STEPS, NUM_STEPS * ACCUMULATED)
    assert (status_of(run), run.verdict) == (RunStatus.FINISHED, Verdict.PASS)
    assert same_weights(plain[1].model.net, twin()[0])


def test_what_the_trainer_logs_is_logged_at_optimizer_steps(plain: tuple[Any, Any]) -> None:
    run, (net, losses) = plain[0].run, twin()
    assert logged(run, "loss") == pytest.approx(dict(enumerate(losses, 1)), rel=1e-5)
    assert logged(run, "learning_rate") == pytest.approx({step: cosine(step) for step in range(1, NUM_STEPS + 1)})
    validated = logged(run, "eval_loss")
    assert list(validated) == [NUM_STEPS // 2, NUM_STEPS]
    expected = sum(float(loss_of(net, batch).detach()) for batch in epoch()) / len(epoch())
    assert validated[NUM_STEPS] == pytest.approx(expected, rel=1e-5)


def test_the_last_values_are_the_results_without_those_of_the_clock(plain: tuple[Any, Any]) -> None:
    metrics = plain[0].run.commit.snapshot.metrics
    assert metrics["eval_loss"] == logged(plain[0].run, "eval_loss")[NUM_STEPS]
    assert metrics.keys() == {"eval_loss", "loss", "total_flos", "train_loss"}


def test_an_evaluation_loss_that_is_nan_is_recorded_by_its_name(tmp_path: Path) -> None:
    callback: Any = TransformersCallback(project="small", store=tmp_path / "store", runtime=RUNTIME)
    trained = trainer(tmp_path, callback)
    trained.eval_dataset = [{"rows": row * float("nan")} for each in epoch() for row in each]
    trained.train()
    run = callback.run
    assert (status_of(run), run.commit.snapshot.metrics["eval_loss"]) == (RunStatus.FINISHED, "NaN")


def test_nothing_is_left_on_the_objects_after_a_training(plain: tuple[Any, Any]) -> None:
    optimizer = plain[1].optimizer.optimizer  # within Accelerate's
    assert num_hooks(plain[1].model, optimizer) == {"steps": 0, "weights": 0}


def test_an_evaluation_after_the_training_is_not_of_the_run(plain: tuple[Any, Any]) -> None:
    before = logged(plain[0].run, "eval_loss")
    assert plain[1].evaluate()["eval_loss"] == before[NUM_STEPS]
    assert logged(plain[0].run, "eval_loss") == before


def halve(callback: Any) -> At:
    return At(3, lambda: callback.run.propose("lr", scale=0.5, why="the loss is noisy"))


def test_a_rate_that_is_changed_from_inside_is_what_the_next_step_uses(tmp_path: Path) -> None:
    callback = callback_of(tmp_path)
    trained = trainer(tmp_path, callback, halve(callback))
    trained.train()
    assert outcomes(callback.run) == ["EFFECTIVE"]
    assert "effective: step 4 used" in stories(callback.run)
    assert same_weights(trained.model.net, twin(halved_after(3))[0])
    assert not same_weights(trained.model.net, twin()[0])


def test_a_norm_that_is_changed_is_what_the_next_clip_uses(tmp_path: Path) -> None:
    callback = callback_of(tmp_path)
    quarter = At(3, lambda: callback.run.propose("clip", scale=0.25, why="it spikes"))
    trained = trainer(tmp_path, callback, quarter)
    trained.train()
    assert outcomes(callback.run) == ["EFFECTIVE"]
    assert same_weights(trained.model.net, twin(clip_of=lambda step: CLIPPED_TO / (1 if step <= 3 else 4))[0])
    assert not same_weights(trained.model.net, twin()[0])
    assert num_hooks(trained.model, trained.optimizer.optimizer) == {"steps": 0, "weights": 0}


def asked(folder: Path, outside: Outside, call: Any, **options: Any) -> tuple[Any, Any]:
    """Train; before the end of step 4, `call` asks the run for something from outside."""
    callback = TransformersCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True)
    trained = trainer(folder, At(4, lambda: call(callback.run)), callback, **options)
    trained.train()
    return callback, trained


def test_a_change_that_is_asked_for_from_outside_is_made_between_two_steps(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    callback, trained = asked(tmp_path, outside, lambda run: outside.propose(run, scale=0.5))
    assert [answer.partition(":")[0] for answer in outside.answers(callback.run)] == ["EFFECTIVE"]
    assert same_weights(trained.model.net, twin(halved_after(4))[0])


def test_a_checkpoint_that_is_asked_for_is_the_trainers_own(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    callback, _ = asked(tmp_path, outside, lambda run: outside.ask(run, "checkpoint"))
    assert outside.answers(callback.run) == ["DONE: wrote checkpoint-4 after step 4"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["checkpoint-4"]


def test_a_training_that_is_asked_to_stop_ends_and_its_run_can_be_resumed(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    first, _ = asked(tmp_path, outside, lambda run: outside.ask(run, "stop"))
    assert (first.run.step, status_of(first.run)) == (4, RunStatus.INTERRUPTED)
    second = callback_of(tmp_path)
    resumed = trainer(tmp_path, second)
    resumed.train(resume_from_checkpoint=True)
    assert (second.run.run_id, status_of(second.run)) == (first.run.run_id, RunStatus.FINISHED)
    assert same_weights(resumed.model.net, twin()[0])


class Stopped(Exception):
    """Raised to end a training."""


def stop() -> None:
    raise Stopped("stopped here")


@pytest.mark.parametrize("kept_at", [2, 4, 5])
def test_a_training_that_is_resumed_from_the_trainers_checkpoint_is_the_next_attempt(
    kept_at: int, tmp_path: Path
) -> None:
    first = callback_of(tmp_path)
    saving: dict[str, Any] = {"save_strategy": "steps", "save_steps": kept_at, "save_total_limit": 1}
    with pytest.raises(Stopped):
        trainer(tmp_path, first, halve(first), At(kept_at + 1, stop), **saving).train()
    second = callback_of(tmp_path)
    resumed = trainer(tmp_path, second, *([halve(second)] if kept_at < 3 else []), **saving)
    resumed.train(resume_from_checkpoint=True)
    assert second.run.run_id == first.run.run_id
    assert (second.run.record.attempt, second.run.step) == (2, NUM_STEPS)
    assert status_of(second.run) is RunStatus.FINISHED
    assert outcomes(second.run)[-1] == "EFFECTIVE"
    net, losses = twin(halved_after(3))
    assert same_weights(resumed.model.net, net)
    assert logged(second.run, "loss") == pytest.approx(dict(enumerate(losses, 1)), rel=1e-5)


def test_the_state_of_the_run_is_plain_json_in_the_trainers_own_file(tmp_path: Path) -> None:
    callback = callback_of(tmp_path)
    trainer(tmp_path, callback, save_strategy="epoch").train()
    kept = json.loads((tmp_path / "kept" / "checkpoint-4" / "trainer_state.json").read_text(encoding="utf-8"))
    assert kept["stateful_callbacks"]["TransformersCallback"]["attributes"].keys() == {"run"}


def test_a_checkpoint_of_a_finished_run_begins_a_new_run(tmp_path: Path) -> None:
    first, second = callback_of(tmp_path), callback_of(tmp_path)
    trainer(tmp_path, first, save_strategy="epoch").train()
    checkpoint = str(tmp_path / "kept" / "checkpoint-4")
    trainer(tmp_path, second, save_strategy="epoch").train(resume_from_checkpoint=checkpoint)
    assert second.run.run_id != first.run.run_id
    assert second.run.commit.snapshot.diff_prev.prev_run_id == first.run.run_id


def test_a_run_that_was_given_takes_the_error_and_the_results_of_its_block(tmp_path: Path) -> None:
    options: dict[str, Any] = {"project": "small", "store": tmp_path / "store", "runtime": RUNTIME, "quiet": True}
    with pytest.raises(Stopped), seedbed.start(**options) as broken:
        trainer(tmp_path, TransformersCallback(run=broken), At(2, stop)).train()
    assert (status_of(broken), broken.step) == (RunStatus.FAILED, 2)
    with seedbed.start(**options) as run:
        trained = trainer(tmp_path, TransformersCallback(run=run))
        trained.train()
        run.result(after=trained.evaluate()["eval_loss"])
    assert status_of(run) is RunStatus.FINISHED
    assert run.commit is not None
    assert run.commit.snapshot.metrics["after"] == run.commit.snapshot.metrics["eval_loss"]


def test_a_run_that_was_given_ends_in_its_block_when_it_is_asked_to_stop(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    with (
        pytest.raises(SystemExit, match="130"),
        seedbed.start(project="small", store=outside.store, runtime=RUNTIME, quiet=True) as run,
    ):
        trainer(tmp_path, At(4, lambda: outside.ask(run, "stop")), TransformersCallback(run=run)).train()
    assert (run.step, status_of(run)) == (4, RunStatus.INTERRUPTED)


SCHEDULES = [
    ("linear", {}),
    ("cosine", {}),
    ("cosine_with_restarts", {}),
    ("polynomial", {}),
    ("constant", {}),
    ("constant_with_warmup", {}),
    ("inverse_sqrt", {}),
    ("cosine_with_min_lr", {"min_lr": 0.001}),
    ("warmup_stable_decay", {"num_decay_steps": 4}),
    ("reduce_lr_on_plateau", {}),
]


@pytest.mark.parametrize(("kind", "given"), SCHEDULES, ids=[kind for kind, _ in SCHEDULES])
def test_a_rate_under_each_schedule_of_the_trainer_is_what_steps_use(kind: str, given: Any, tmp_path: Path) -> None:
    used: dict[bool, dict[int, float]] = {}
    for is_changed in (False, True):
        callback = callback_of(tmp_path)
        changes = [halve(callback)] if is_changed else []
        trained = trainer(tmp_path, callback, *changes, lr_scheduler_type=kind, lr_scheduler_kwargs=given)
        trained.train()
        used[is_changed] = logged(callback.run, "learning_rate")
        assert outcomes(callback.run) == ["EFFECTIVE"] * is_changed
    ratios = [used[True][step] / used[False][step] for step in range(1, NUM_STEPS + 1)]
    assert ratios[:3] == [1.0] * 3
    assert ratios[3] == pytest.approx(0.5)
