"""A twin of an optimizer over a few elements of its weights: what a step makes of given gradients and settings."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings.proof._optimizers import UPDATES, UpdateKind, unhooked_step

__all__ = ["Part", "Settings", "State", "parts_of", "settings_of", "state_of", "stepped"]

_MAX_PARTS = 16  # weights
_MAX_WHOLE = 512  # elements: a larger weight is sampled, where its elements do not depend on each other
_NUM_PICKS = 128
_NUM_ROWS = 16  # of a sparse gradient

Settings = Mapping[int, Mapping[str, Any]]
"""The settings of parameter groups, by the group's index."""
State = dict[str, Any]
"""What an optimizer keeps for one weight."""


@final
@dataclass(frozen=True, eq=False)
class Part:
    """Elements of one weight: those at `picks`, an index of the tensor, or all. `group` is its group's index.

    Of a weight that is split among processes (a DTensor, as FSDP2's) they are elements of the part that is here.
    """

    weight: Tensor
    group: int
    picks: tuple[Tensor, ...] | None = field(default=None)

    def take(self, tensor: Tensor) -> Tensor:
        """A copy of these elements of a tensor of the weight's shape."""
        found = _here(tensor.detach())
        return found.clone() if self.picks is None else found[self.picks].clone()

    def gradient(self) -> Tensor | None:
        """A copy of the gradient of these elements, sparse where it is; None without one."""
        grad = self.weight.grad
        if grad is None:
            return None
        if _is_split(grad) or not grad.is_sparse:
            return self.take(grad)
        grad = grad.detach().coalesce()
        return grad.clone() if self.picks is None else _rows_of(grad, self.picks[0])


def parts_of(optimizer: Optimizer, cls: type[Optimizer], places: Sequence[int]) -> list[Part]:
    """A sample of the weights of these groups that have a gradient; empty when none has.

    Where the update of an element depends on the whole weight, the smallest weights are taken whole; otherwise a few
    elements of some weights, among them those of the largest gradients.
    """
    found = [
        (place, weight)
        for place in places
        for weight in optimizer.param_groups[place]["params"]
        if weight.grad is not None and _is_plain(weight)
    ]
    if UPDATES[cls.__name__] is not UpdateKind.WHOLE:
        found += [(place, weight) for place, weight in _split_weights(optimizer, places) if _here(weight).numel()]
    else:
        smallest = sorted(found, key=lambda each: each[1].numel())[:2]
        return [Part(weight, place) for place, weight in smallest]
    stride = max(1, -(-len(found) // _MAX_PARTS))
    return [Part(weight, place, _picks(weight)) for place, weight in found[::stride]]


def settings_of(optimizer: Optimizer) -> dict[int, dict[str, Any]]:
    """A copy of every group's settings."""
    return {
        place: {key: _copied(value) for key, value in group.items() if key not in {"params", "param_names"}}
        for place, group in enumerate(optimizer.param_groups)
    }


def state_of(optimizer: Optimizer, part: Part) -> State:
    """A copy of what the optimizer keeps for these elements."""
    kept = optimizer.state.get(part.weight, {})
    return {
        key: part.take(value) if isinstance(value, Tensor) and value.shape == part.weight.shape else _copied(value)
        for key, value in kept.items()
    }


def stepped(
    optimizer: Optimizer,
    cls: type[Optimizer],
    parts: Sequence[Part],
    start: Sequence[tuple[Tensor, State, Tensor | None]],
    settings: Settings,
) -> list[tuple[Tensor, State]]:
    """The elements and their state after one step from `start`, the elements, their state and gradient by part.

    No hook of the optimizer, and none for all optimizers, runs.
    """
    weights = [weight.clone() for weight, _, _ in start]
    for weight, (_, _, gradient) in zip(weights, start, strict=True):
        weight.grad = None if gradient is None else gradient.clone()
    places = sorted({part.group for part in parts})
    twin = cls([{**settings[place], "params": _of_group(weights, parts, place)} for place in places])  # type: ignore[call-arg]
    for group, place in zip(twin.param_groups, places, strict=True):
        group.update({key: _copied(value) for key, value in settings[place].items()})
    for weight, (_, state, _) in zip(weights, start, strict=True):
        if state:
            twin.state[weight] = {key: _copied(value) for key, value in state.items()}
    for name in ("grad_scale", "found_inf"):  # of mixed precision, read by kernels that unscale
        if name in vars(optimizer):
            setattr(twin, name, vars(optimizer)[name])
    unhooked_step(cls)(twin)
    return [(weight, dict(twin.state.get(weight, {}))) for weight in weights]


def _of_group(weights: Sequence[Tensor], parts: Sequence[Part], place: int) -> list[Tensor]:
    return [weight for weight, part in zip(weights, parts, strict=True) if part.group == place]


def _is_plain(weight: Tensor) -> bool:
    return type(weight) in {Tensor, torch.nn.Parameter}


def _split_weights(optimizer: Optimizer, places: Sequence[int]) -> list[tuple[int, Tensor]]:
    """The weights with a gradient of which this process holds a part, with the index of their group."""
    groups = [(place, optimizer.param_groups[place]["params"]) for place in places]
    return [(place, each) for place, weights in groups for each in weights if each.grad is not None and _is_split(each)]


def _is_split(tensor: Tensor) -> bool:
    module = sys.modules.get("torch.distributed.tensor")  # not imported: it takes seconds
    return module is not None and isinstance(tensor, module.DTensor)


def _here(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: all of it, unless it is split among several."""
    found: Tensor = tensor.to_local() if _is_split(tensor) else tensor  # type: ignore[attr-defined]
    return found


def _picks(split: Tensor) -> tuple[Tensor, ...] | None:
    weight, grad = _here(split), None if split.grad is None else _here(split.grad)
    if grad is None or weight.numel() <= _MAX_WHOLE:
        return None
    if grad.is_sparse:
        return (grad.detach().coalesce().indices()[0][:_NUM_ROWS],) if grad.sparse_dim() == 1 else None
    if grad.is_complex():
        grad = torch.view_as_real(grad)[..., 0]
    spread = torch.linspace(0, weight.numel() - 1, _NUM_PICKS, device=weight.device, dtype=torch.float64).long()
    largest = torch.stack([grad.argmax(), grad.argmin()])
    return torch.unravel_index(torch.cat([largest, spread]), weight.shape)


def _rows_of(grad: Tensor, rows: Tensor) -> Tensor:
    """The gradient of these rows, which are sorted, of a coalesced sparse one."""
    found = grad.indices()[0]
    kept = torch.isin(found, rows)
    places = torch.searchsorted(rows, found[kept])
    return torch.sparse_coo_tensor(
        places[None], grad.values()[kept], (len(rows), *grad.shape[1:]), check_invariants=False
    ).coalesce()


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        return type(value)(_copied(each) for each in value)
    return value
