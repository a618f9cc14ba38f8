"""Lightning's own Trainer, with a run of Seedbed around its training."""

import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from training_world import (
    ACCUMULATED,
    CLIPPED_TO,
    NUM_EPOCHS,
    NUM_STEPS,
    RATE,
    ROWS,
    RUNTIME,
    Outside,
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
from seedbed.errors import Conflict
from seedbed.integrations import LightningCallback

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
]


class Module(lightning.LightningModule):
    """The small net as a module of Lightning's, which logs its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def training_step(self, batch: Any, _place: int) -> torch.Tensor:
        loss = loss_of(self.net, batch)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Any, _place: int) -> None:
        self.log("val/loss", loss_of(self.net, batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.net.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * NUM_STEPS)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class At(lightning.Callback):
    """Calls a function at the end of the batch after which the optimizer has taken `step` steps."""

    def __init__(self, step: int, call: Any) -> None:
        self._step, self._call = step, call

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, place: int) -> None:
        if trainer.global_step == self._step and (place + 1) % ACCUMULATED == 0:
            self._call()


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Any:
    defaults = {
        "max_epochs": NUM_EPOCHS,
        "logger": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 1,
        "accumulate_grad_batches": ACCUMULATED,
        "gradient_clip_val": CLIPPED_TO,
    }
    return lightning.Trainer(
        **{**defaults, **options},
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(folder),
        callbacks=list(callbacks),
    )


def loader() -> Any:
    return torch.utils.data.DataLoader(torch.cat(epoch()), batch_size=ROWS)  # type: ignore[arg-type]


def fit(folder: Path, *more: Any, module: Any = None, ckpt_path: str | None = None, **options: Any) -> tuple[Any, Any]:
    """Train the module; the callback and the module."""
    callback = LightningCallback(project="small", store=folder / "store", runtime=RUNTIME, quiet=True)
    module = module or Module()
    given = [each if isinstance(each, lightning.Callback) else each(callback) for each in more]
    trainer(folder, callback, *given, **options).fit(module, loader(), loader(), ckpt_path=ckpt_path)
    return callback, module


def asked(folder: Path, outside: Outside, call: Any) -> tuple[Any, Any]:
    """As `fit`; before the end of step 4, `call` asks the run for something from outside."""
    callback, module = LightningCallback(project="small", store=outside.store, runtime=RUNTIME, quiet=True), Module()
    trainer(folder, At(4, lambda: call(callback.run)), callback).fit(module, loader(), loader())
    return callback, module


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return fit(tmp_path_factory.mktemp("plain"))


def test_a_fit_is_a_run_that_counts_optimizer_steps(plain: tuple[Any, Any]) -> None:
    run = plain[0].run
    assert (run.step, run.iteration) == (NUM_STEPS, NUM_STEPS * ACCUMULATED)
    assert (status_of(run), run.verdict) == (RunStatus.FINISHED, Verdict.PASS)
    assert same_weights(plain[1].net, twin()[0])


def test_what_the_module_logs_is_logged_at_optimizer_steps(plain: tuple[Any, Any]) -> None:
    losses = dict(enumerate(twin()[1], 1))
    assert logged(plain[0].run, "train/loss") == pytest.approx(losses)
    assert logged(plain[0].run, "loss") == pytest.approx(losses)
    validated = logged(plain[0].run, "val/loss")
    assert list(validated) == [NUM_STEPS // 2, NUM_STEPS]
    expected = sum(float(loss_of(plain[1].net, batch).detach()) for batch in epoch()) / len(epoch())
    assert validated[NUM_STEPS] == pytest.approx(expected, rel=1e-5)


def test_the_last_values_are_the_results(plain: tuple[Any, Any]) -> None:
    metrics = plain[0].run.commit.snapshot.metrics
    assert metrics["val"]["loss"] == logged(plain[0].run, "val/loss")[NUM_STEPS]
    assert metrics["train"].keys() == {"loss"}


class End(lightning.Callback):
    """Notes that the training ended as it should."""

    def __init__(self, ended: list[str]) -> None:
        self._ended = ended

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self._ended.append("ended")


class Diverging(Module):
    """Logs what is no finite number, beside its loss."""

    def training_step(self, batch: Any, place: int) -> torch.Tensor:
        self.log("diverged", torch.tensor(float("nan")))
        self.log("beyond", torch.tensor(float("inf")))
        return super().training_step(batch, place)


def test_a_last_value_that_is_not_finite_is_recorded_by_its_name(tmp_path: Path) -> None:
    ended: list[str] = []
    callback, _ = fit(tmp_path, End(ended), module=Diverging())
    assert ended == ["ended"]
    run = callback.run
    metrics = run.commit.snapshot.metrics
    assert (status_of(run), metrics["diverged"], metrics["beyond"]) == (RunStatus.FINISHED, "NaN", "Infinity")
    assert math.isnan(logged(run, "diverged")[NUM_STEPS])


def test_nothing_is_left_on_the_objects_after_a_fit(plain: tuple[Any, Any]) -> None:
    (optimizer,) = plain[1].trainer.optimizers
    assert num_hooks(plain[1].net, optimizer) == {"steps": 0, "weights": 0}


def halve(callback: Any) -> At:
    return At(3, lambda: callback.run.propose("lr", scale=0.5, why="the loss is noisy"))


def test_a_rate_that_is_changed_from_inside_is_what_the_next_step_uses(tmp_path: Path) -> None:
    callback, module = fit(tmp_path, halve)
    assert outcomes(callback.run) == ["EFFECTIVE"]
    assert "effective: step 4 used" in stories(callback.run)
    assert same_weights(module.net, twin(halved_after(3))[0])
    assert not same_weights(module.net, twin()[0])


def test_a_norm_that_is_changed_is_what_the_next_clip_uses(tmp_path: Path) -> None:
    def quarter(callback: Any) -> At:
        return At(3, lambda: callback.run.propose("clip", scale=0.25, why="it spikes"))

    callback, module = fit(tmp_path, quarter)
    assert outcomes(callback.run) == ["EFFECTIVE"]
    assert same_weights(module.net, twin(clip_of=lambda step: CLIPPED_TO / (1 if step <= 3 else 4))[0])
    assert not same_weights(module.net, twin()[0])
    assert num_hooks(module.net, module.trainer.optimizers[0]) == {"steps": 0, "weights": 0}


def test_a_change_that_is_asked_for_from_outside_is_made_between_two_steps(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    callback, module = asked(tmp_path, outside, lambda run: outside.propose(run, scale=0.5))
    assert [answer.partition(":")[0] for answer in outside.answers(callback.run)] == ["EFFECTIVE"]
    assert same_weights(module.net, twin(halved_after(4))[0])


def test_a_checkpoint_that_is_asked_for_is_lightnings_own(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    callback, _ = asked(tmp_path, outside, lambda run: outside.ask(run, "checkpoint"))
    assert outside.answers(callback.run) == ["DONE: wrote asked-step=4.ckpt after step 4"]
    kept = torch.load(tmp_path / "asked-step=4.ckpt", weights_only=True)
    assert kept["callbacks"]["LightningCallback"]["steps"]["step"] == 4


def test_a_fit_that_is_asked_to_stop_ends_and_its_run_can_be_resumed(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    first, _ = asked(tmp_path, outside, lambda run: outside.ask(run, "stop"))
    assert (first.run.step, status_of(first.run)) == (4, RunStatus.INTERRUPTED)
    second, module = fit(tmp_path, ckpt_path=str(tmp_path / "asked-step=4.ckpt"))
    assert (second.run.run_id, status_of(second.run)) == (first.run.run_id, RunStatus.FINISHED)
    assert same_weights(module.net, twin()[0])


class Stopped(Exception):
    """Raised to end a training."""


def stop(error: type[BaseException]) -> Any:
    def raised() -> None:
        raise error("stopped here")

    return raised


def saves(folder: Path) -> Any:
    """Keeps a checkpoint of every epoch; the first is of step 4."""
    return lightning.callbacks.ModelCheckpoint(folder / "kept", every_n_epochs=1, save_top_k=-1)


def test_a_fit_that_is_resumed_from_lightnings_checkpoint_is_the_next_attempt_of_the_run(tmp_path: Path) -> None:
    first = LightningCallback(project="small", store=tmp_path / "store", runtime=RUNTIME, quiet=True)
    broken = trainer(tmp_path, first, halve(first), saves(tmp_path), At(6, stop(Stopped)), enable_checkpointing=True)
    with pytest.raises(Stopped):
        broken.fit(Module(), loader(), loader())
    assert status_of(first.run) is RunStatus.FAILED
    (kept,) = (tmp_path / "kept").glob("*step=4.ckpt")
    second, module = fit(tmp_path, saves(tmp_path), ckpt_path=str(kept), enable_checkpointing=True)
    assert second.run.run_id == first.run.run_id
    assert second.run.record.attempt == 2
    assert (second.run.step, status_of(second.run)) == (NUM_STEPS, RunStatus.FINISHED)
    assert outcomes(second.run) == ["EFFECTIVE"]
    net, losses = twin(halved_after(3))
    assert same_weights(module.net, net)
    assert logged(second.run, "loss") == pytest.approx(dict(enumerate(losses, 1)))


def test_a_checkpoint_of_a_finished_run_begins_a_new_run(tmp_path: Path) -> None:
    first, _ = fit(tmp_path, saves(tmp_path), enable_checkpointing=True)
    (kept,) = (tmp_path / "kept").glob("*step=4.ckpt")
    second, _ = fit(tmp_path, saves(tmp_path), ckpt_path=str(kept), enable_checkpointing=True)
    assert second.run.run_id != first.run.run_id
    assert second.run.commit.snapshot.diff_prev.prev_run_id == first.run.run_id


@pytest.mark.parametrize(("error", "status"), [(Stopped, RunStatus.FAILED), (KeyboardInterrupt, RunStatus.INTERRUPTED)])
def test_an_error_ends_the_run_as_it_ends_the_training(error: Any, status: RunStatus, tmp_path: Path) -> None:
    callback = LightningCallback(project="small", store=tmp_path / "store", runtime=RUNTIME, quiet=True)
    with pytest.raises((Stopped, SystemExit)):  # Lightning makes the second of a KeyboardInterrupt
        trainer(tmp_path, callback, At(2, stop(error))).fit(Module(), loader())
    assert status_of(callback.run) is status
    assert callback.run.commit is None


def test_a_run_that_was_given_goes_on_after_the_fit(tmp_path: Path) -> None:
    with seedbed.start(project="small", store=tmp_path / "store", runtime=RUNTIME, quiet=True) as run:
        trainer(tmp_path, LightningCallback(run=run)).fit(Module(), loader())
        assert status_of(run) is RunStatus.RUNNING
        run.result(accuracy=0.5)
    assert status_of(run) is RunStatus.FINISHED
    assert run.commit is not None
    assert run.commit.snapshot.metrics["accuracy"] == 0.5
    assert run.step == NUM_STEPS


def test_a_second_fit_with_the_run_of_the_first_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with seedbed.start(project="small", store=tmp_path / "store", runtime=RUNTIME, quiet=True) as run:
        module = Module()
        trainer(tmp_path, LightningCallback(run=run)).fit(module, loader())
        step = run.step
        with pytest.raises(Conflict, match="give the next training a run of its own, or let the callback start one"):
            trainer(tmp_path, LightningCallback(run=run)).fit(module, loader())
        assert run.step == step
        run.result(accuracy=0.5)
    assert status_of(run) is RunStatus.FINISHED


def test_there_is_no_run_before_training_begins() -> None:
    with pytest.raises(Conflict, match="the run begins with the training"):
        _ = LightningCallback(project="small").run


class Two(lightning.LightningModule):
    """Two optimizers, each with a schedule, that the module steps by itself, as a GAN does."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.first, self.second = small_net(), small_net()

    def training_step(self, batch: Any, _place: int) -> None:
        for optimizer, schedule, net in zip(
            self.optimizers(), self.lr_schedulers(), (self.first, self.second), strict=True
        ):
            optimizer.zero_grad()
            self.manual_backward(loss_of(net, batch))
            optimizer.step()
            schedule.step()

    def configure_optimizers(self) -> Any:
        made = [torch.optim.SGD(net.parameters(), lr=RATE) for net in (self.first, self.second)]
        return made, [torch.optim.lr_scheduler.StepLR(each, 4) for each in made]


class Often(lightning.Callback):
    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, place: int) -> None:
        if place == 4:
            self._callback.run.propose("optimizer1.lr", scale=0.5, why="the second is ahead")


def test_of_several_optimizers_each_has_settings_of_its_own(tmp_path: Path) -> None:
    callback, module = LightningCallback(project="two", store=tmp_path / "store", runtime=RUNTIME, quiet=True), Two()
    options: dict[str, Any] = {"max_epochs": 1, "accumulate_grad_batches": 1, "gradient_clip_val": None}
    fitted = trainer(tmp_path, callback, Often(callback), **options)
    fitted.fit(module, loader())
    assert outcomes(callback.run) == ["EFFECTIVE"]
    rates = [optimizer.param_groups[0]["lr"] for optimizer in fitted.optimizers]
    assert rates == pytest.approx([RATE / 10**2, RATE / 10**2 / 2])
    assert callback.run.step == NUM_STEPS
