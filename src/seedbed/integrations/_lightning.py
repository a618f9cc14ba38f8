"""Lightning: a callback that makes a run of `Trainer.fit`."""

import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

from seedbed.errors import NotFound
from seedbed.integrations._extras import require
from seedbed.integrations._library_clip import LibraryClip
from seedbed.integrations._session import Session, Trained
from seedbed.loop import Run

__all__ = ["LightningCallback"]

_NAMES = ("lightning.pytorch", "pytorch_lightning")  # one library under two names, each with classes of its own


def _library() -> Any:
    """Lightning, under the name that the program has imported, else under one that is installed."""
    imported = [name for name in _NAMES if name in sys.modules]
    installed = [name for name in _NAMES if find_spec(name.partition(".")[0])]
    return require([*imported, *installed, *_NAMES][0], "lightning")


_Callback: Any = _library().Callback


@final
class LightningCallback(_Callback):  # type: ignore[misc]  # its library is imported by one of two names
    """Makes a run of each `Trainer.fit`: `Trainer(callbacks=[LightningCallback(project="digits")])`.

    Takes what `seedbed.start` takes, besides the objects; or a `run` that was started, which is not ended here. Steps
    are optimizer steps: batches whose gradients are accumulated are iterations of one. What the module logs
    is logged, and its last values are the results. The run's state is in Lightning's checkpoints.
    """

    def __init__(self, *, run: Run | str | None = None, **options: object) -> None:
        super().__init__()
        self._session = Session(run, options)
        self._saved: Mapping[str, Any] = {}
        self._seen: dict[str, Any] = {}
        self._loss: dict[str, Any] = {}
        self._clip: LibraryClip | None = None
        self._of_step: Collection[str] = ()
        self._least: tuple[Any, Any] | None = None  # epochs and steps, while a stop that was asked for overrules them
        self._is_within_step = False  # its gradients, which no checkpoint keeps, are not used yet

    @property
    def run(self) -> Run:
        """The run, once training has begun. Raises Conflict before."""
        return self._session.run

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Bind the objects: checkpoints, which are loaded one by one, are all loaded now."""
        saved, self._saved, self._seen = self._saved, {}, dict(trainer.callback_metrics)
        optimizers = dict(zip(_names(len(trainer.optimizers)), trainer.optimizers, strict=True))
        schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
        schedulers = {
            name: schedule
            for name, optimizer in optimizers.items()
            for schedule in schedules
            if getattr(schedule, "optimizer", None) is optimizer
        }
        self._clip = _clip_of(trainer)
        objects = Trained(pl_module, _given(optimizers), _given(schedulers))
        run = self._session.begin(objects, saved, self._clip, split_by=_split_by(trainer))
        run.checkpoint_by(lambda: None if self._is_within_step else _write(trainer, run.step))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Open the step; who asks for something within it has it at its end."""
        self._is_within_step = pl_module.automatic_optimization
        self._session.begin_step()

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Lightning clips next, then steps."""
        self._is_within_step = False
        if self._clip is not None:
            self._clip.clips()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log what the module logged, and close the step."""
        self._loss = _loss_of(outputs, trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1)
        self._log_new(trainer, self._loss)
        self._end_step(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Log what the validation found."""
        if not trainer.sanity_checking:
            self._log_new(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log what the module logs once an epoch, and close a step that the module left with its epoch."""
        self._log_new(trainer)
        self._is_within_step = False
        self._end_step(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Commit the run, with the last value of each metric as its results."""
        self._restore_least(trainer)
        self._session.finish(trainer.callback_metrics or self._loss)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the run as failed or interrupted."""
        self._restore_least(trainer)
        self._session.fail(exception)

    def state_dict(self) -> dict[str, Any]:
        """What Lightning's checkpoint keeps of the run."""
        return self._session.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep it until the objects are loaded."""
        self._saved = state_dict

    def _end_step(self, trainer: Any) -> None:
        """Close what is open, and at the end of the whole step write and stop where somebody asked for it."""
        self._session.end_step()
        if not self._is_within_step and self._session.settle(lambda: _write(trainer, self.run.step)):
            self._stop(trainer)

    def _stop(self, trainer: Any) -> None:
        """End the fit at once: by itself Lightning trains its least number of epochs and steps before it stops."""
        trainer.should_stop, fit = True, trainer.fit_loop
        if self._least is None:
            self._least, fit.min_epochs, fit.epoch_loop.min_steps = (fit.min_epochs, fit.min_steps), None, None

    def _restore_least(self, trainer: Any) -> None:
        """Leave the trainer as it was, for its next fit."""
        if self._least is not None:
            (trainer.fit_loop.min_epochs, trainer.fit_loop.epoch_loop.min_steps), self._least = self._least, None

    def _log_new(self, trainer: Any, step: Mapping[str, Any] | None = None) -> None:
        """Log the metrics that are new; with `step`, at the end of a training step, to whose values it is added.

        Lightning makes a new tensor of each metric that was logged since, and at any time of those of the last step.
        """
        found = dict(trainer.callback_metrics)
        new = {name: value for name, value in found.items() if self._seen.get(name) is not value}
        if step is None:
            new = {
                name: value
                for name, value in new.items()
                if name not in self._of_step or _is_other(value, self._seen[name])
            }
        else:
            self._of_step = new.keys()
        self._session.log({**(step or {}), **new})
        self._seen = found


def _is_other(one: Any, other: Any) -> bool:
    """Whether two values differ, of which two that are NaN do not."""
    return bool(one != other) and not (bool(one != one) and bool(other != other))


def _split_by(trainer: Any) -> str:
    """The strategy by which several processes train, where it is not DistributedDataParallel."""
    name = type(trainer.strategy).__name__  # a class of one of two libraries that are the same
    return "" if name == "DDPStrategy" else name


def _clip_of(trainer: Any) -> LibraryClip | None:
    """The norm that Lightning clips to; None where it clips nothing, or each value."""
    if not trainer.gradient_clip_val or trainer.gradient_clip_algorithm not in (None, "norm"):
        return None
    optimizer, *_ = trainer.optimizers
    return LibraryClip(
        optimizer,
        lambda: float(trainer.gradient_clip_val),
        lambda value: setattr(trainer, "gradient_clip_val", value),
    )


def _write(trainer: Any, step: int) -> str:
    """Write a checkpoint of Lightning's; what was written, in words. Raises NotFound where it is not there."""
    path = Path(trainer.default_root_dir) / f"asked-step={step}.ckpt"
    trainer.save_checkpoint(path)
    if trainer.is_global_zero and not path.exists():
        raise NotFound(f"{path.name} is not there; a plugin that writes in the background may still do so")
    return f"wrote {path.name} after step {step}"


def _loss_of(outputs: Any, divided_by: int) -> dict[str, Any]:
    """The loss that a training step returned, which Lightning has divided for accumulation; a step may return none."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    if loss is None:
        return {}
    return {"loss": loss if divided_by == 1 else loss * divided_by}


def _names(num: int) -> list[str]:
    return [""] if num == 1 else [f"optimizer{place}" for place in range(num)]


def _given(objects: Mapping[str, Any]) -> Any:
    return objects.get("", objects) or None
