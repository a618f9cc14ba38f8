"""The file from which a run is resumed: the bound objects, the state of the run, and what the loop keeps besides."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seedbed.errors import Conflict, InvalidInput, StoreCorrupt
from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model
from seedbed.records.storage import replace

__all__ = ["load_parts", "read_checkpoint", "write_checkpoint"]

_KINDS = ("models", "optimizers", "schedulers")


def write_checkpoint(path: Path, objects: LiveObjects, run: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """Write the checkpoint at `path`, whole and durable; a crash leaves the former file or this one.

    Raises InvalidInput for a `given` value that is no tensor and no plain value, StoreUnavailable.
    """
    held = io.BytesIO()
    torch.save({"run": dict(run), "given": dict(given), **_parts(objects)}, held)
    held.seek(0)
    try:  # what could not be read again must not be written
        torch.load(held, weights_only=True, map_location="meta" if not given else "cpu")
    except pickle.UnpicklingError as problem:
        raise InvalidInput(
            f"checkpoint {path}: {_first_line(problem)}; give tensors and plain values (numbers, texts, lists, "
            "dictionaries), and of other objects their state_dict()"
        ) from None
    replace(path, held.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The checkpoint at `path`; None where there is no file. Nothing in it is executed. Raises StoreCorrupt."""
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        return None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as problem:
        raise StoreCorrupt(f"{path}: not a checkpoint of a run: {_first_line(problem)}") from problem
    if not isinstance(found, dict) or not {"run", "given", *_KINDS} <= found.keys():
        raise StoreCorrupt(
            f"{path}: not a checkpoint that run.checkpoint wrote; load a file of your own with torch.load, and give "
            "what run.state_dict() returned in it to run.load_state_dict"
        )
    return found


def load_parts(found: Mapping[str, Any], objects: LiveObjects, path: Path) -> None:
    """Load the models, optimizers and schedulers of a checkpoint. Raises Conflict where other ones are bound."""
    for kind in _KINDS:
        bound: Mapping[str, Any] = getattr(objects, kind)
        if bound.keys() != found[kind].keys():
            raise Conflict(f"{path}: holds {kind} {sorted(found[kind])}, bound are {sorted(bound)}; bind the same ones")
        for name, part in bound.items():
            module = plain_model(part) if kind == "models" else part
            module.load_state_dict(found[kind][name])


def _parts(objects: LiveObjects) -> dict[str, dict[str, Any]]:
    return {
        "models": {name: plain_model(model).state_dict() for name, model in objects.models.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in objects.optimizers.items()},
        "schedulers": {name: scheduler.state_dict() for name, scheduler in _keeping(objects)},
    }


def _first_line(problem: Exception) -> str:
    return next(iter(str(problem).splitlines()), type(problem).__name__)


def _keeping(objects: LiveObjects) -> list[tuple[str, Any]]:
    """The schedulers that have a state; they have no common class."""
    return [(name, each) for name, each in objects.schedulers.items() if callable(getattr(each, "state_dict", None))]
