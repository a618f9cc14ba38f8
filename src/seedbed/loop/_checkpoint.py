"""The file from which a run is resumed: the bound objects, the state of the run, and what the loop keeps besides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedbed.errors import Conflict, StoreCorrupt
from seedbed.loop._state_file import packed, unpacked
from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model
from seedbed.records.storage import replace

__all__ = ["load_parts", "read_checkpoint", "write_checkpoint"]

_KINDS = ("models", "optimizers", "schedulers")


def write_checkpoint(path: Path, objects: LiveObjects, run: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """Write the checkpoint at `path`, whole and durable; a crash leaves the former file or this one.

    Raises InvalidInput for a value that such a file cannot hold, and StoreUnavailable; then nothing is written.
    """
    replace(path, packed({"run": dict(run), "given": dict(given), **_parts(objects)}))


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
    """Load the models, optimizers and schedulers of a checkpoint. Raises Conflict where other ones are bound."""
    states = _parts(objects)
    for kind in _KINDS:
        if states[kind].keys() != found[kind].keys():
            held, bound = (", ".join(name or "one" for name in each) or "none" for each in (found[kind], states[kind]))
            raise Conflict(f"{path}: holds {kind}: {held}; bound: {bound}; bind the same ones")
        for name, state in found[kind].items():
            part: Any = getattr(objects, kind)[name]
            try:
                (plain_model(part) if kind == "models" else part).load_state_dict(state)
            except (RuntimeError, ValueError, KeyError) as problem:
                called = f"{kind[:-1]} {name}".rstrip()
                raise Conflict(
                    f"{path}: its {called} does not fit the one that is bound; build the same as when it was written, "
                    f"or move the file away to begin a new run. {type(problem).__name__}: {problem}"
                ) from problem


def _parts(objects: LiveObjects) -> dict[str, dict[str, Any]]:
    return {
        "models": {name: plain_model(model).state_dict() for name, model in objects.models.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in objects.optimizers.items()},
        "schedulers": {name: state for name, each in objects.schedulers.items() if (state := _state_of(each))},
    }


def _state_of(scheduler: Any) -> dict[str, Any] | None:
    """The state of a scheduler, of whatever class, that keeps one."""
    state = getattr(scheduler, "state_dict", None)
    return dict(state()) if callable(state) else None
