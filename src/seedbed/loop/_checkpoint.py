"""The file from which a run is resumed: the bound objects, the state of the run, and what the loop keeps besides."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from seedbed.errors import Conflict, StoreCorrupt
from seedbed.loop._state_file import packed, unpacked
from seedbed.loop.ranks._whole_state import load_model, load_optimizer, model_state, optimizer_state
from seedbed.loop.settings import LiveObjects
from seedbed.records.storage import replace

__all__ = ["load_parts", "parts_of", "read_checkpoint", "write_checkpoint", "write_parts"]

_KINDS = ("models", "optimizers", "schedulers")


def write_checkpoint(path: Path, objects: LiveObjects, run: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """Write the checkpoint at `path`, whole and durable; a crash leaves the former file or this one.

    Raises InvalidInput for a value that such a file cannot hold, and StoreUnavailable; then nothing is written.
    """
    write_parts(path, parts_of(objects), run, given)


def write_parts(path: Path, parts: Mapping[str, object], run: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """As `write_checkpoint`, of what `parts_of` gave."""
    replace(path, packed({"run": dict(run), "given": dict(given), **parts}))


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The checkpoint at `path`; None where there is no file. Nothing in it is executed. Raises StoreCorrupt."""
    try:
        found = unpacked(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as problem:
        raise StoreCorrupt(f"{path} is no checkpoint of a run, or is damaged: {problem}; move it away") from problem
    if not {"run", "given", *_KINDS} <= found.keys():
        raise StoreCorrupt(f"{path} is no checkpoint that run.checkpoint wrote; move it away")
    return found


def load_parts(found: Mapping[str, Any], objects: LiveObjects, path: Path) -> None:
    """Load the models, optimizers and schedulers of a checkpoint.

    Raises Conflict where other ones are bound; then these are as they were.
    """
    stateful = {name: each for name, each in objects.schedulers.items() if _state_of(each)}
    for kind, bound in zip(_KINDS, (objects.models, objects.optimizers, stateful), strict=True):
        if bound.keys() != found[kind].keys():
            held, own = (", ".join(name or "one" for name in each) or "none" for each in (found[kind], bound))
            raise Conflict(f"{path}: holds {kind}: {held}; bound: {own}; bind the same ones")
    undo: list[Callable[[], object]] = []
    try:
        fitting: list[tuple[str, Mapping[str, Any]]] = []
        for name, state in found["models"].items():
            held_now = model_state(objects.models[name])
            if _is_alike(held_now, state):
                fitting.append((name, state))  # last, so that none of it must be undone
                continue
            undo.append(partial(load_model, objects.models[name], deepcopy(held_now)))
            _load(path, f"model {name}", partial(load_model, objects.models[name], state))
        for name, state in found["optimizers"].items():
            undo.append(partial(load_optimizer, objects, name, deepcopy(optimizer_state(objects, name))))
            _load(path, f"optimizer {name}", partial(load_optimizer, objects, name, state))
        for name, state in found["schedulers"].items():
            scheduler: Any = stateful[name]
            undo.append(partial(scheduler.load_state_dict, deepcopy(_state_of(scheduler))))
            _load(path, f"scheduler {name}", partial(scheduler.load_state_dict, state))
        for name, state in fitting:
            _load(path, f"model {name}", partial(load_model, objects.models[name], state))
    except Conflict:
        for each in undo:
            each()
        raise


def _is_alike(own: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether both hold tensors of the same names and shapes."""
    shapes = [{name: getattr(each, "shape", None) for name, each in part.items()} for part in (own, state)]
    return shapes[0] == shapes[1]


def _load(path: Path, called: str, load: Callable[[], object]) -> None:
    try:
        load()
    except (RuntimeError, ValueError, KeyError) as problem:
        raise Conflict(
            f"{path}: its {called.rstrip()} does not fit the one that is bound; build the same as when it was written, "
            f"or move the file away to begin a new run. {type(problem).__name__}: {problem}"
        ) from problem


def parts_of(objects: LiveObjects) -> dict[str, dict[str, Any]]:
    """The states of models, optimizers and schedulers by name, each whole; each process of a training calls it."""
    return {
        "models": {name: model_state(model) for name, model in objects.models.items()},
        "optimizers": {name: optimizer_state(objects, name) for name in objects.optimizers},
        "schedulers": {name: state for name, each in objects.schedulers.items() if (state := _state_of(each))},
    }


def _state_of(scheduler: Any) -> dict[str, Any] | None:
    """The state of a scheduler, of whatever class, that keeps one."""
    state = getattr(scheduler, "state_dict", None)
    return dict(state()) if callable(state) else None
