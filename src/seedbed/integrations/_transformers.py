"""Transformers: a callback that makes a run of `Trainer.train`."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from seedbed.errors import NotFound
from seedbed.integrations._extras import require
from seedbed.integrations._library_clip import LibraryClip
from seedbed.integrations._session import Session, Trained
from seedbed.loop import Run
from seedbed.loop._state_file import packed, unpacked

__all__ = ["TransformersCallback"]

_library: Any = require("transformers.trainer_callback", "transformers")
_NO_RESULTS = ("_runtime", "_per_second", "epoch", "learning_rate", "grad_norm")  # by how their names end


@final
class TransformersCallback(_library.TrainerCallback, _library.ExportableState):  # type: ignore[misc]  # an extra
    """Makes a run of each `Trainer.train`: `Trainer(..., callbacks=[TransformersCallback(project="digits")])`.

    Takes what `seedbed.start` takes, besides the objects; or a `run` that was started, which is not ended here. Steps
    are optimizer steps: batches whose gradients are accumulated are iterations of one. What the Trainer
    logs is logged, and its last values are the results. The run's state is in `trainer_state.json` of each checkpoint;
    leave `restore_callback_states_from_checkpoint` false, which would replace the callback by another object.
    """

    def __init__(self, *, run: Run | str | None = None, **options: object) -> None:
        self._session = Session(run, options)
        self._results: dict[str, Any] = {}
        self._clip: LibraryClip | None = None

    @property
    def run(self) -> Run:
        """The run, once training has begun. Raises Conflict before."""
        return self._session.run

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Bind the objects, which the Trainer has made and loaded by now."""
        self._results = {}
        kept = state.stateful_callbacks.get(type(self).__name__, {}).get("attributes", {})
        self._clip = _clip_of(args, kwargs["optimizer"])
        objects = Trained(kwargs["model"], kwargs["optimizer"], kwargs["lr_scheduler"])
        saved = _decoded(kept.get("run", ""))
        run = self._session.begin(objects, saved, self._clip, split_by=_split_by(args))
        run.checkpoint_by(lambda: None)  # only the Trainer can save, after the end of the step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the step."""
        self._session.begin_step()

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Another batch of the same step begins; who asks for something now has it at the end of that step."""
        self._session.begin_step()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The Trainer has clipped."""
        if self._clip is not None:
            self._clip.clipped()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the step; save or stop where somebody asked for it."""
        control.should_training_stop |= self._session.end_step()
        control.should_save |= self._session.owes_checkpoint

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop where that was asked for and did not come at the end of a step."""
        control.should_training_stop |= self._session.stopped is not None
        control.should_save |= self._session.owes_checkpoint

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The Trainer has saved: who asked for it has the answer now."""
        control.should_training_stop |= self._session.settle(lambda: _saved(args, state))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Log what the Trainer logs, for the step that was taken last."""
        logged = logs or {}
        self._session.log(logged)
        self._results |= {name: value for name, value in logged.items() if not name.endswith(_NO_RESULTS)}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Commit the run, with the last value of each metric as its results."""
        self._session.finish(self._results)

    def state(self) -> dict[str, Any]:
        """What the Trainer's checkpoint keeps of the run."""
        kept = self._session.state()
        return {"args": {}, "attributes": {"run": _encoded(kept)} if kept else {}}


def _saved(args: Any, state: Any) -> str:
    """What the Trainer has saved after this step, by its own count. Raises NotFound where it is not there."""
    name, last = f"checkpoint-{state.global_step}", "trainer_state.json"  # which it writes last
    folder = Path(args.output_dir)
    if not any((place / last).is_file() for place in (folder / name, *folder.glob(f"*/{name}"))):  # of a trial
        raise NotFound(f"{name} in {folder.name} has no {last}, though the Trainer has saved")
    return f"wrote {name} after step {state.global_step}"


def _split_by(args: Any) -> str:
    """What divides the model among several processes; "" where each has the whole of it."""
    return "DeepSpeed" if args.deepspeed else "FSDP" if args.fsdp else ""


def _clip_of(args: Any, optimizer: Any) -> LibraryClip | None:
    """The norm that the Trainer clips to; None where it clips nothing, and where gradients are scaled."""
    if not args.max_grad_norm or getattr(optimizer, "scaler", None) is not None:  # of Accelerate's optimizer alone
        return None
    return LibraryClip(
        optimizer,
        lambda: float(args.max_grad_norm),
        lambda value: setattr(args, "max_grad_norm", value),
        is_called_after=True,
    )


def _encoded(state: Mapping[str, Any]) -> str:
    """The state as a text, since the Trainer keeps the state of callbacks in JSON."""
    return base64.b64encode(packed(state)).decode("ascii")


def _decoded(text: str) -> dict[str, Any]:
    return unpacked(base64.b64decode(text)) if text else {}
