"""A copy of an optimizer of any class, over copies of some of its weights: it can be stepped, and nobody notices."""

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings.proof._optimizers import unhooked_step
from seedbed.change.bindings.proof._twin import Settings

__all__ = ["Replica", "chosen_weights", "replica_of"]

_MOST_ELEMENTS = 2**20
"""Elements of the weights that are copied; of a larger model the smallest weights are taken, as many as fit."""

_OURS = "_seedbed_"
_HOOKS = "_hooks"


@final
@dataclass(frozen=True, eq=False)
class Replica:
    """The copied optimizer, its weights in the order of those that it was made for, and every tensor that it holds."""

    optimizer: Optimizer
    weights: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...]

    def again(self) -> "Replica":
        """A copy of the copy, which stays as it is."""
        return replica_of(self.optimizer, self.weights)

    def take_gradients(self, weights: Sequence[Tensor]) -> bool:
        """Take the gradients that these weights have now; whether they are others."""
        pairs = [(mine, weight) for mine, weight in zip(self.weights, weights, strict=True)]
        changed = [(mine, weight) for mine, weight in pairs if not _is_same(mine.grad, weight.grad)]
        for mine, weight in changed:
            mine.grad = None if weight.grad is None else weight.grad.detach().clone()
        return bool(changed)

    def put(self, settings: Settings) -> None:
        """Give its groups these settings, where they are others."""
        for place, values in settings.items():
            group = self.optimizer.param_groups[place]
            for key, value in values.items():
                if isinstance(group[key], Tensor) and isinstance(value, Tensor):
                    group[key].copy_(value)
                else:
                    group[key] = value


def chosen_weights(optimizer: Optimizer) -> list[Tensor]:
    """The weights to copy: all of them, or the smallest ones with gradients; empty when the smallest is too large."""
    plain = {Tensor, torch.nn.Parameter}
    every = [weight for group in optimizer.param_groups for weight in group["params"] if type(weight) in plain]
    if sum(weight.numel() for weight in every) <= _MOST_ELEMENTS:
        return every
    chosen, left = list[Tensor](), _MOST_ELEMENTS
    for weight in sorted((each for each in every if each.grad is not None), key=Tensor.numel):
        left -= weight.numel()
        if left < 0:
            break
        chosen.append(weight)
    return chosen


def replica_of(optimizer: Optimizer, weights: Sequence[Tensor]) -> Replica:
    """A copy of the optimizer with everything that it holds, without hooks. Raises whatever copying may raise."""
    memo: dict[int, Any] = {}
    for group in optimizer.param_groups:
        memo |= {id(weight): torch.empty(0) for weight in group["params"]}  # in the place of what is left out
    for weight in weights:
        memo[id(weight)] = _weight_copied(weight)
    for weight in weights:
        vars(memo[id(weight)]).update(copy.deepcopy(vars(weight), memo))
    copied = _copied(optimizer, {id(weight) for weight in weights}, memo)
    own = tuple(memo[id(weight)] for weight in weights)
    held = [each for each in memo.values() if isinstance(each, Tensor)]
    gradients = [each.grad for each in own if each.grad is not None]
    return Replica(copied, own, (*held, *gradients))


def _is_same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.layout is other.layout is torch.strided and torch.equal(one, other)


def _weight_copied(weight: Tensor) -> Tensor:
    copied: Tensor = weight.detach().clone()
    if isinstance(weight, torch.nn.Parameter):
        copied = torch.nn.Parameter(copied, requires_grad=weight.requires_grad)
    copied.grad = None if weight.grad is None else weight.grad.detach().clone()
    return copied


def _copied(optimizer: Optimizer, chosen: set[int], memo: dict[int, Any]) -> Optimizer:
    """A copy of the optimizer and, with their own attributes, of those that it wraps; each steps without hooks."""
    copied: Optimizer = object.__new__(type(optimizer))
    memo[id(optimizer)] = copied
    held = {name: each for name, each in vars(optimizer).items() if name != "step" and not name.startswith(_OURS)}
    _copy_groups(held, chosen, memo)
    for each in held.values():
        if isinstance(each, Optimizer) and id(each) not in memo:
            _copied(each, chosen, memo)
    for name, each in held.items():
        is_hooks = name.endswith(_HOOKS) and isinstance(each, dict)
        vars(copied)[name] = OrderedDict() if is_hooks else copy.deepcopy(each, memo)
    vars(copied)["step"] = partial(unhooked_step(type(copied)), copied)
    return copied


def _copy_groups(held: dict[str, Any], chosen: set[int], memo: dict[int, Any]) -> None:
    """Copy groups and state into the memo: of the chosen weights alone, and once where wrappers share them."""
    groups, state = held.get("param_groups", []), held.get("state", {})
    for group in (each for each in groups if id(each) not in memo):
        left = {key: value for key, value in group.items() if key not in {"params", "param_names"}}
        memo[id(group)] = {
            "params": [memo[id(weight)] for weight in group["params"] if id(weight) in chosen],
            **copy.deepcopy(left, memo),
        }
    memo.setdefault(id(groups), [memo[id(group)] for group in groups])
    if id(state) not in memo:
        kept = {key: each for key, each in state.items() if not isinstance(key, Tensor) or id(key) in chosen}
        memo[id(state)] = defaultdict(dict)
        memo[id(state)].update({memo.get(id(key), key): copy.deepcopy(each, memo) for key, each in kept.items()})
