"""The checkpoint of a training: tensors and a JSON state in one durable safetensors file, to resume it exactly."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from seedbed.change import ChangeState, StallState
from seedbed.contracts import Message
from seedbed.errors import StoreCorrupt
from seedbed.records.storage import replace
from seedbed.stages._trainer import Trainer

__all__ = ["TrainingProgress", "load_checkpoint", "save_checkpoint"]


class TrainingProgress(Message):
    """The progress of a training after `step` optimizer steps.

    `epoch_loss` is the sum of the running epoch's loss over its events, `losses` holds the mean of every finished
    epoch, and `validation` the (step, AP) of every validation.
    """

    schema_version: int = 1
    step: int = 0
    last_loss: float | None = None
    epoch_loss: float = 0.0
    losses: tuple[float, ...] = ()
    validation: tuple[tuple[int, float], ...] = ()
    stall: StallState = StallState()
    changes: ChangeState | None = None
    witness: dict[str, Any] = Field(default_factory=dict)
    elapsed_seconds: float = 0.0


def save_checkpoint(path: Path, trainer: Trainer, progress: TrainingProgress) -> None:
    """Write the trainer's live state and `progress` to `path`, complete and durable. Raises StoreUnavailable."""
    optimizer = trainer.optimizer.state_dict()
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
    for index, state in optimizer["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor.contiguous() for name, tensor in state.items()}
    scheduler = {name: value for name, value in trainer.scheduler.state_dict().items() if name != "lr_lambdas"}
    state = {"progress": progress.model_dump_json(), "groups": optimizer["param_groups"], "scheduler": scheduler}
    replace(path, save(tensors, {"seedbed": json.dumps(state)}))


def load_checkpoint(path: Path, trainer: Trainer) -> TrainingProgress | None:
    """Restore the trainer to the state at `path`; None when there is no checkpoint. Raises StoreCorrupt."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state: Mapping[str, Any] = json.loads((file.metadata() or {})["seedbed"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        progress = TrainingProgress.model_validate_json(state["progress"])
        trainer.model.load_state_dict(_under("model.", tensors))
        trainer.optimizer.load_state_dict({"state": _optimizer_state(tensors), "param_groups": state["groups"]})
        no_lambdas = [None] * len(state["groups"])  # one for each group; none has a state
        trainer.scheduler.load_state_dict({**state["scheduler"], "lr_lambdas": no_lambdas})
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise StoreCorrupt(f"{path}: not a checkpoint of this job: {error}; start a new run") from error
    return progress


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimizer_state(tensors: Mapping[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _under("optimizer.", tensors).items():
        index, _, field = name.partition(".")
        state.setdefault(int(index), {})[field] = tensor
    return state
