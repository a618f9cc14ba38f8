"""What somebody asks of a fit by Lightning while it accumulates gradients over the batches of a step."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from test_integrations_lightning import Module
from torch import Tensor
from training_world import (
    NUM_EPOCHS,
    RUNTIME,
    Outside,
    epoch,
    let_steps_last_long,
    same_weights,
    small_net,
    status_of,
)

from seedbed.contracts import RunStatus
from seedbed.integrations import LightningCallback

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
]

ACCUMULATED = 4
BATCHES = len(epoch())
LAST = BATCHES // ACCUMULATED * NUM_EPOCHS


@pytest.fixture
def _long_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    let_steps_last_long(monkeypatch)


class Batches:
    """The batches of an epoch; its state is the place in it, so that Lightning goes on with the batch that comes."""

    def __init__(self) -> None:
        self._at = 0

    def __len__(self) -> int:
        return BATCHES

    def __iter__(self) -> Iterator[Tensor]:
        for place in range(self._at % BATCHES, BATCHES):
            self._at = place + 1
            yield epoch()[place]

    def state_dict(self) -> dict[str, Any]:
        return {"at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._at = state["at"]


class After(lightning.Callback):
    """Calls a function after the batch `num`, counted from 1 over the epochs."""

    def __init__(self, num: int, call: Any) -> None:
        self._left, self._call = num, call

    def on_train_batch_end(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self._call()


class Fit:
    """A fit whose run can be asked from outside."""

    def __init__(self, folder: Path, module: Any = None, *, quiet: bool = True) -> None:
        self.folder, self.outside, self.module = folder, Outside(folder), module or Module()
        store = self.outside.store
        self.callback = LightningCallback(project="small", store=store, runtime=RUNTIME, quiet=quiet)

    def ask(self, *verbs: str) -> None:
        for verb in verbs:
            self.outside.ask(self.callback.run, verb)

    def train(
        self, *before: Any, ckpt_path: Path | None = None, least: Mapping[str, int] = MappingProxyType({})
    ) -> Any:
        """Train; the run."""
        self.trainer = trainer = lightning.Trainer(
            max_epochs=NUM_EPOCHS,
            **least,
            logger=False,
            enable_checkpointing=False,
            limit_val_batches=0,
            accelerator="cpu",
            accumulate_grad_batches=ACCUMULATED,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=str(self.folder),
            callbacks=[*before, self.callback],
        )
        trainer.fit(self.module, Batches(), ckpt_path=ckpt_path)
        return self.callback.run

    @property
    def answers(self) -> list[str]:
        return self.outside.answers(self.callback.run)

    @property
    def kept(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.ckpt"))


def steps_in(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["callbacks"]["LightningCallback"]["steps"]["step"])


@pytest.mark.parametrize("num", range(1, ACCUMULATED + 1))
def test_what_is_asked_within_a_step_is_answered_at_its_end(num: int, tmp_path: Path) -> None:
    stopped, kept = Fit(tmp_path / "stop"), Fit(tmp_path)
    run = stopped.train(After(2 * ACCUMULATED + num, lambda: stopped.ask("stop")))
    assert stopped.answers == ["DONE: stopped after step 3; wrote asked-step=3.ckpt after step 3"]
    assert (run.step, status_of(run), stopped.kept) == (3, RunStatus.INTERRUPTED, ["asked-step=3.ckpt"])
    run = kept.train(After(num, lambda: kept.ask("checkpoint")))
    assert kept.answers == ["DONE: wrote asked-step=1.ckpt after step 1"]
    assert (run.step, status_of(run), kept.kept) == (LAST, RunStatus.FINISHED, ["asked-step=1.ckpt"])


@pytest.mark.parametrize(
    "least", [{"min_epochs": NUM_EPOCHS}, {"min_steps": LAST}, {"min_epochs": 1, "min_steps": LAST}]
)
def test_a_stop_that_is_asked_for_comes_before_the_least_that_the_trainer_is_to_train(
    least: dict[str, int], tmp_path: Path
) -> None:
    fit = Fit(tmp_path)
    run = fit.train(After(ACCUMULATED + 1, lambda: fit.ask("stop")), least=least)
    assert fit.answers == ["DONE: stopped after step 2; wrote asked-step=2.ckpt after step 2"]
    assert (run.step, fit.trainer.global_step, status_of(run)) == (2, 2, RunStatus.INTERRUPTED)
    found = {"min_epochs": fit.trainer.min_epochs, "min_steps": fit.trainer.min_steps}
    assert {name: found[name] for name in least} == least  # for the next fit


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.parametrize("num", range(1, ACCUMULATED + 1))
@pytest.mark.parametrize("step", [0, 2])
def test_a_stop_within_a_step_ends_after_it_and_the_resume_loses_no_gradient(
    step: int, num: int, tmp_path: Path
) -> None:
    first, second, plain = Fit(tmp_path), Fit(tmp_path), Fit(tmp_path / "plain")
    run = first.train(After(step * ACCUMULATED + num, lambda: first.ask("stop")))
    kept_at = step + 1
    assert first.answers == [
        f"DONE: stopped after step {kept_at}; wrote asked-step={kept_at}.ckpt after step {kept_at}"
    ]
    assert (run.step, run.iteration, status_of(run)) == (kept_at, kept_at * ACCUMULATED, RunStatus.INTERRUPTED)
    assert first.kept == [f"asked-step={kept_at}.ckpt"]
    resumed = second.train(ckpt_path=tmp_path / first.kept[0])
    assert (resumed.run_id, resumed.step, status_of(resumed)) == (run.run_id, LAST, RunStatus.FINISHED)
    plain.train()
    assert same_weights(second.module.net, plain.module.net)


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.parametrize("num", range(1, ACCUMULATED + 1))
@pytest.mark.parametrize("step", [0, LAST - 1])
def test_a_checkpoint_within_a_step_is_answered_when_it_is_there(step: int, num: int, tmp_path: Path) -> None:
    fit = Fit(tmp_path)
    run = fit.train(After(step * ACCUMULATED + num, lambda: fit.ask("checkpoint")))
    kept_at = step + 1
    assert fit.answers == [f"DONE: wrote asked-step={kept_at}.ckpt after step {kept_at}"]
    assert fit.kept == [f"asked-step={kept_at}.ckpt"]
    assert steps_in(tmp_path / fit.kept[0]) == kept_at
    assert (run.step, status_of(run)) == (LAST, RunStatus.FINISHED)


class FullDisk(Module):
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        raise OSError("no space is left")


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.parametrize("num", [1, ACCUMULATED])
def test_a_checkpoint_that_cannot_be_written_is_answered_as_failed_and_the_fit_goes_on(
    num: int, tmp_path: Path
) -> None:
    fit = Fit(tmp_path, FullDisk())
    run = fit.train(After(num, lambda: fit.ask("checkpoint")), After(2 * ACCUMULATED + num, lambda: fit.ask("stop")))
    assert (run.step, status_of(run), fit.kept) == (3, RunStatus.INTERRUPTED, [])
    why = "no checkpoint was written: OSError: no space is left"
    assert fit.answers == [f"FAILED: {why}", f"FAILED: stopped after step 3; {why}"]


class BreaksIn(Module):
    """Raises in batch `num`, counted from 1."""

    def __init__(self, num: int) -> None:
        super().__init__()
        self._left = num

    def training_step(self, batch: Tensor, batch_idx: int) -> Any:
        self._left -= 1
        if self._left == 0:
            raise ValueError("a bad batch")
        return super().training_step(batch, batch_idx)


@pytest.mark.usefixtures("_long_steps")
def test_a_fit_that_ends_before_the_end_of_the_step_answers_that_no_checkpoint_was_written(tmp_path: Path) -> None:
    fit = Fit(tmp_path, BreaksIn(3))
    with pytest.raises(ValueError, match="a bad batch"):
        fit.train(After(1, lambda: fit.ask("checkpoint")))
    (answer,) = fit.answers
    assert answer == "FAILED: no checkpoint was written: the attempt ended first: ValueError: a bad batch"
    assert (status_of(fit.callback.run), fit.kept) == (RunStatus.FAILED, [])


@pytest.mark.usefixtures("_long_steps")
def test_one_checkpoint_serves_all_that_is_asked_within_its_step_in_order(tmp_path: Path) -> None:
    fit = Fit(tmp_path)
    run = fit.train(
        After(1, lambda: fit.ask("checkpoint")),
        After(2, lambda: fit.ask("checkpoint", "stop", "checkpoint")),
    )
    wrote = "wrote asked-step=1.ckpt after step 1"
    assert fit.answers[:3] == [f"DONE: {wrote}"] * 2 + [f"DONE: stopped after step 1; {wrote}"]
    assert [answer.partition(":")[0] for answer in fit.answers[3:]] == ["REFUSED"]
    assert (run.step, status_of(run), fit.kept) == (1, RunStatus.INTERRUPTED, ["asked-step=1.ckpt"])


class LeavesEpoch(Module):
    """Leaves the first epoch before its third batch; `ask` is called then, after the step was opened."""

    def __init__(self, ask: Any) -> None:
        super().__init__()
        self._ask = ask

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        if self.current_epoch == 0 and batch_idx == 2:
            self._ask()
            return -1
        return None


@pytest.mark.usefixtures("_long_steps")
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # Lightning steps it for the batch left out
def test_a_stop_in_a_batch_that_the_module_leaves_with_its_epoch_ends_the_fit_there(tmp_path: Path) -> None:
    fit: Fit = Fit(tmp_path, LeavesEpoch(lambda: fit.ask("stop")))
    run = fit.train()
    assert (run.step, status_of(run)) == (0, RunStatus.INTERRUPTED)
    assert fit.kept == ["asked-step=0.ckpt"]
    assert same_weights(fit.module.net, small_net())
