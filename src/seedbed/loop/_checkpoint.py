"""The file from which a run is resumed: the bound objects, the state of the run, and what the loop keeps besides."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

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


@final
@dataclass(frozen=True, eq=False)
class _Part:
    """One live object, and its state in a checkpoint; `read` gives the state that it has now."""

    name: str
    read: Callable[[], Any]
    load: Callable[[Any], object]
    state: Any

    @property
    def is_alike(self) -> bool:
        """Whether both states hold tensors of the same names and shapes."""
        return _shapes(self.read()) == _shapes(self.state)


def _shapes(state: Mapping[str, Any]) -> dict[str, object]:
    return {name: getattr(each, "shape", None) for name, each in state.items()}


def load_parts(found: Mapping[str, Any], objects: LiveObjects, path: Path, *, is_alone: bool = True) -> None:
    """Load the models, optimizers and schedulers of a checkpoint; in several processes, each of them does.

    Raises Conflict where other ones are bound; then these are as they were, if the process `is_alone`.
    """
    stateful: dict[str, Any] = {name: each for name, each in objects.schedulers.items() if _state_of(each)}
    for kind, bound in zip(_KINDS, (objects.models, objects.optimizers, stateful), strict=True):
        if bound.keys() != found[kind].keys():
            held, own = (", ".join(name or "one" for name in each) or "none" for each in (found[kind], bound))
            raise Conflict(f"{path}: holds {kind}: {held}; bound: {own}; bind the same ones")
    models = [
        _Part(f"model {name}", partial(model_state, each), partial(load_model, each), found["models"][name])
        for name, each in objects.models.items()
    ]
    others = [
        _Part(
            f"optimizer {name}", partial(optimizer_state, objects, name), partial(load_optimizer, objects, name), state
        )
        for name, state in found["optimizers"].items()
    ]
    others += [
        _Part(f"scheduler {name}", each.state_dict, each.load_state_dict, found["schedulers"][name])
        for name, each in stateful.items()
    ]
    if is_alone:
        unlike = [each for each in models if not each.is_alike]
        _load_all(path, [*unlike, *others])
        _load_all(path, [each for each in models if each not in unlike])  # last: their weights are many to keep
    else:  # what reads a state is a meeting of the processes, which one that is refused would leave
        for each in (*models, *others):
            _load(path, each)


def _load_all(path: Path, parts: Sequence[_Part]) -> None:
    """Load each of them, or none."""
    former: list[tuple[_Part, Any]] = []
    try:
        for part in parts:
            former.append((part, deepcopy(part.read())))
            _load(path, part)
    except BaseException as problem:  # also an interrupt, with one of them half loaded
        for part, state in former:
            _take_back(part, state, problem)
        raise


def _take_back(part: _Part, state: Any, problem: BaseException) -> None:
    try:
        part.load(state)
    except Exception as trouble:  # of classes that the loop brings, any; the others are taken back all the same
        problem.add_note(f"Besides, {part.name.rstrip()} could not be set back: {type(trouble).__name__}: {trouble}")


def _load(path: Path, part: _Part) -> None:
    try:
        part.load(part.state)
    except Exception as problem:  # of classes that the loop brings, any
        raise Conflict(
            f"{path}: its {part.name.rstrip()} does not fit the one that is bound; build the same as when it was "
            f"written, or move the file away to begin a new run. {type(problem).__name__}: {problem}"
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
