"""Something must be left to train: the guard before a change, and what must hold after it."""

import weakref
from collections.abc import Callable
from typing import final

from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._binding import Binding
from seedbed.change.bindings._freezing import Freeze
from seedbed.change.bindings._step_hub import StepCalls, hub_of
from seedbed.change.guards._proposal import Decision, GuardResult, ProposedChange
from seedbed.errors import ContractBroken
from seedbed.loop.settings._live_objects import LiveObjects

__all__ = ["TrainableGuard", "TrainedWeights"]

_NAME = "trainable"


@final
class TrainableGuard:
    """Denies to freeze the last weights that train, also of one optimizer of several: its loss may have no others.

    `binding` gives that of a key, `training` the weights that train now, by optimizer.
    """

    def __init__(self, binding: Callable[[str], Binding | None], training: Callable[[], dict[str, set[int]]]) -> None:
        self._binding, self._training = binding, training

    def __call__(self, proposed: ProposedChange) -> GuardResult:
        """Judge one proposed change."""
        binding, move = self._binding(proposed.parameter.key), proposed.move
        if isinstance(binding, Freeze) and move.after == 1.0:
            training, frozen = self._training(), {id(weight) for weight in binding.trained()}
            for name, trains in training.items():
                if trains and trains <= frozen:
                    of = f" of the optimizer {name!r}" if len(training) > 1 else ""
                    return GuardResult(Decision.DENY, _NAME, move.before, _why(proposed.parameter.key, of))
        return GuardResult(Decision.ALLOW, _NAME, move.after, "a weight is left to train")


@final
class TrainedWeights:
    """Which weights train: those with requires_grad, but for those that no loss uses.

    A weight that had no gradient at an optimizer step, although it could have one, does not count until it has one: as
    the pooler of a BERT whose loss looks at the tokens. A backward pass through it alone would fail. Before the first
    step, and for an optimizer whose steps cannot be watched, all with requires_grad count.
    """

    def __init__(self) -> None:
        self._watched: dict[Optimizer, weakref.finalize[[StepCalls], TrainedWeights]] = {}
        self._used: set[int] = set()
        self._idle: set[int] = set()
        self._unseen: dict[Optimizer, tuple[int, list[Tensor]]] = {}  # how many weights it has, those without gradient

    def watch(self, objects: LiveObjects) -> None:
        """Look at the steps of these optimizers from now on, until `end`, or for as long as this object lives."""
        itself, unseen = weakref.ref(self), self._unseen

        def ended(optimizer: Optimizer) -> None:
            num = 0
            for group in optimizer.param_groups:
                num += len(group["params"])
            if unseen.get(optimizer) != (num, []) and (owner := itself()) is not None:  # most often each was seen
                owner._note(optimizer, num)

        for each in objects.watched().values():
            if each not in self._watched:
                hub, calls = hub_of(each), StepCalls(ended=ended)
                hub.listen(calls)
                self._watched[each] = weakref.finalize(self, hub.drop, calls)

    def end(self) -> None:
        """Look at no more steps."""
        for drop in self._watched.values():
            drop()
        self._watched.clear()
        self._unseen.clear()

    def among(self, objects: LiveObjects) -> dict[str, set[int]]:
        """The identities of the weights that train now, by optimizer."""
        able = {
            name: {id(weight) for group in each.param_groups for weight in group["params"] if weight.requires_grad}
            for name, each in objects.optimizers.items()
        }
        return {name: each - self._idle for name, each in able.items()}

    def require(self, objects: LiveObjects) -> None:
        """Raise ContractBroken where no weight of an optimizer trains; nothing of optimizers without weights."""
        has_weights = any(group["params"] for each in objects.optimizers.values() for group in each.param_groups)
        if has_weights and not any(self.among(objects).values()):
            raise ContractBroken("no weight would be left to train: every one that the loss uses would be frozen")

    def _note(self, optimizer: Optimizer, num: int) -> None:
        known, unseen = self._unseen.get(optimizer, (0, []))
        if num != known:  # the first step, or one after weights were added
            unseen = [
                each for group in optimizer.param_groups for each in group["params"] if id(each) not in self._used
            ]
        with_gradient = {id(each) for each in unseen if each.grad is not None}
        if not with_gradient and len(unseen) == num:
            return  # gradients are kept elsewhere, or there were none: nothing is known
        self._used |= with_gradient
        self._idle -= with_gradient
        self._idle |= {id(each) for each in unseen if each.requires_grad} - with_gradient
        self._unseen[optimizer] = num, [each for each in unseen if id(each) not in with_gradient]


def _why(key: str, of: str) -> str:
    return (
        f"{key} = 1 would freeze every weight that still trains{of}, and none would be left; unfreeze another part "
        f"first{', or give both parts to one optimizer' if of else ''}"
    )
