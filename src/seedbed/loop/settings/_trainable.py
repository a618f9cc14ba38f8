"""Something must be left to train: the guard before a change, and what must hold after it."""

from collections.abc import Callable
from typing import final

from seedbed.change.bindings._binding import Binding
from seedbed.change.bindings._freezing import Freeze
from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange
from seedbed.errors import ContractBroken
from seedbed.loop.settings._live_objects import LiveObjects

__all__ = ["TrainableGuard", "require_trainable"]

_NAME = "trainable"


@final
class TrainableGuard:
    """Denies to freeze the last weights that train. `binding` gives that of a key, `objects` the live ones."""

    def __init__(self, binding: Callable[[str], Binding | None], objects: Callable[[], LiveObjects]) -> None:
        self._binding, self._objects = binding, objects

    def __call__(self, proposed: ProposedChange) -> GuardResult:
        """Judge one proposed change."""
        binding, move = self._binding(proposed.parameter.key), proposed.move
        if isinstance(binding, Freeze) and move.after == 1.0:
            trains = _training(self._objects())
            if trains and trains <= {id(weight) for weight in binding.trained()}:
                return GuardResult(Decision.DENY, _NAME, move.before, _why(proposed.parameter.key))
        return GuardResult(Decision.ALLOW, _NAME, move.after, "a weight is left to train")


def require_trainable(objects: LiveObjects) -> None:
    """Raise ContractBroken where no weight that an optimizer holds trains; of optimizers without weights nothing."""
    has_weights = any(group["params"] for each in objects.optimizers.values() for group in each.param_groups)
    if has_weights and not _training(objects):
        raise ContractBroken("no weight would be left to train: every one that an optimizer holds would be frozen")


def _training(objects: LiveObjects) -> set[int]:
    groups = [group for each in objects.optimizers.values() for group in each.param_groups]
    return {id(weight) for group in groups for weight in group["params"] if weight.requires_grad}


def _why(key: str) -> str:
    return f"{key} = 1 would freeze every weight that still trains, and none would be left; unfreeze another part first"
