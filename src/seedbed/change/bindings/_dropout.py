"""The dropout probability of a live model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._use_watch import UseWatch, ValueReader
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["DropoutRate"]


@final
class DropoutRate:
    """Binds a parameter to the dropout probability of a model, or of the named modules and everything inside them.

    It covers Dropout modules of every kind, and the dropout of attention and recurrent layers if it is above 0 when the
    binding is made; it does not see `functional.dropout` with a number of the model's own. A compiled model compiles
    again for each probability. An averaged copy (AveragedModel) has its own modules and keeps its probability.

    Raises InvalidInput when there is no dropout, and when the probabilities differ: name those that belong together.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, names: Sequence[str] = ("",)) -> None:
        self._model, self._optimizer = model, watchable(optimizer)
        self._paths = list(dict.fromkeys(path for name in names for path in _paths_in(model, name)))
        self._watch: UseWatch | None = None
        self._notes: list[_UseNote] = []
        found = self.state()
        if len(set(found.values())) != 1:
            what = f"they differ: {found}; name those that belong together" if found else "there is none"
            raise InvalidInput(f"dropout in {list(names)} of {type(model).__name__}: {what}")

    def read(self) -> float:
        """The present probability; if other code has changed one module, the probability of that module."""
        first, *others = self.state().values()
        return next((other for other in others if other != first), first)

    def write(self, value: float) -> None:
        """Drop with this probability from the next forward pass on. Raises InvalidInput unless 0 <= value <= 1."""
        if not 0 <= value <= 1:
            raise InvalidInput(f"dropout probability {value!r}: expected 0 to 1")
        for path in self._paths:
            _put(self._model.get_submodule(path), float(value))

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose forward passes in training mode all used the present probability.

        Passes without gradients are no use, and neither are those before a step without any gradient.
        Each module notes its probability when it runs, also in compiled code: a new probability compiles it again, and
        the note with it. Code that was compiled to skip such guards keeps the old probability and notes nothing, so the
        change is not proven. During the watch the model can be copied and its state_dict saved, but the model itself
        cannot be pickled.
        """
        if self._watch is not None:
            self._watch.end()
        for each in self._notes:
            each.end()
        self._notes, self._watch = [], None
        if report is not None:
            self._notes = [_UseNote(self._model.get_submodule(path)) for path in self._paths]
            self._watch = UseWatch(self._optimizer, ValueReader(self.read, self._used), report)

    def look(self) -> None:
        """Compare the value now, as `LookingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def state(self) -> dict[str, float]:
        """The probability of each module, by its name in the model."""
        return {path: _get(self._model.get_submodule(path)) for path in self._paths}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other modules."""
        if state.keys() != set(self._paths):
            raise InvalidInput(
                f"dropout state: expected {sorted(self._paths)}, found {sorted(state)}; rebuild the model as it was"
            )
        for path, value in state.items():
            _put(self._model.get_submodule(path), value)

    def _used(self) -> set[float]:
        used = {value for each in self._notes if (value := each.take()) is not None}
        weights = (weight for group in self._optimizer.param_groups for weight in group["params"])
        return used if any(weight.grad is not None for weight in weights) else set()


@final
class _UseNote:
    """Notes the probability with which a module runs.

    The hook is a plain function that writes one attribute. Compiled code traces it, so that everything it reads becomes
    a guard. A copy of the model runs the same hook, and the check of identity in it ignores the copy.
    """

    def __init__(self, module: nn.Module) -> None:
        self.last: float | None = None
        use_note, key = self, _key(module)

        def note(running: nn.Module, _args: tuple[Any, ...]) -> None:
            if running is module and running.training and torch.is_grad_enabled():
                use_note.last = getattr(running, key)

        self._handle: RemovableHandle = module.register_forward_pre_hook(note)

    def take(self) -> float | None:
        """The probability last used since the last call; None when there is none."""
        taken, self.last = self.last, None
        return taken

    def end(self) -> None:
        """Remove the hook."""
        self._handle.remove()


def _paths_in(model: nn.Module, name: str) -> list[str]:
    if name and name not in dict(model.named_modules()):
        names = ", ".join(each for each, _ in model.named_modules() if each)
        raise InvalidInput(f"{type(model).__name__} has no module {name!r}; it has {names or 'none'}")
    within = model.get_submodule(name).named_modules(prefix=name)
    return [path for path, module in within if _has_dropout(module)]


def _has_dropout(module: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
        return _get(module) > 0
    return isinstance(module, _DropoutNd)


def _key(module: nn.Module) -> str:
    return "p" if isinstance(module, _DropoutNd) else "dropout"


def _get(module: nn.Module) -> float:
    return float(getattr(module, _key(module)))


def _put(module: nn.Module, value: float) -> None:
    setattr(module, _key(module), value)
