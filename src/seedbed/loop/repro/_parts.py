"""The tensors of a training, each by a name that says what it is and where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from torch import Tensor
from torch.optim import Optimizer

from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model

__all__ = ["BATCH", "GRADIENT", "STATE", "WEIGHT", "Named", "batch_parts"]

BATCH, GRADIENT, STATE, WEIGHT = "batch", "gradient", "optimizer", "weight"


@final
@dataclass(frozen=True)
class Named:
    """The weights and buffers of the models, in the order of their modules, as one walk through them found them."""

    objects: LiveObjects
    tensors: Mapping[str, Tensor]
    names: Mapping[int, str]  # by identity, which is that of a tensor as long as it is kept in `tensors`

    @classmethod
    def of(cls, objects: LiveObjects) -> Self:
        """Walk through the models."""
        tensors = dict(_of_models(objects))
        names: dict[int, str] = {}
        for name, tensor in tensors.items():
            names.setdefault(id(tensor), name)
        return cls(objects, tensors, names)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """The weights and buffers."""
        for name, tensor in self.tensors.items():
            yield f"{WEIGHT} {name}", tensor

    def knows(self, optimizer: Optimizer) -> bool:
        """Whether the models had every weight of this optimizer."""
        return all(id(weight) in self.names for group in optimizer.param_groups for weight in group["params"])

    def gradients(self, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
        """The gradients that a step of `optimizer` begins with; the last weight comes first, as in a backward pass."""
        for place, weight in reversed(list(_of_optimizer(optimizer))):
            if weight.grad is not None:
                yield f"{GRADIENT} {self.names.get(id(weight), place)}", weight.grad

    def optimizer_states(self) -> Iterator[tuple[str, Tensor]]:
        """What the optimizers keep for each weight."""
        for optimizer_name, optimizer in self.objects.watched().items():
            prefix = f"{STATE} {optimizer_name}/" if optimizer_name else f"{STATE} "
            for place, weight in _of_optimizer(optimizer):
                if not (state := optimizer.state.get(weight)):
                    continue
                name = f"{prefix}{self.names.get(id(weight), place)}"
                for key in sorted(state):
                    if isinstance(state[key], Tensor):
                        yield f"{name}.{key}", state[key]


def batch_parts(batch: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The tensors, arrays, numbers and texts in a batch. Of anything else nothing is known."""
    if isinstance(batch, Mapping):
        for key, each in batch.items():
            yield from batch_parts(each, f"{place}.{key}")
    elif isinstance(batch, list | tuple):
        for number, each in enumerate(batch):
            yield from batch_parts(each, f"{place}.{number}")
    elif isinstance(batch, Tensor | str | int | float | bytes) or type(batch).__module__ == "numpy":
        yield f"{BATCH} {place}", batch


def _of_models(objects: LiveObjects) -> Iterator[tuple[str, Tensor]]:
    for name, model in objects.models.items():
        prefix, seen = f"{name}/" if name else "", set()
        for place, module in plain_model(model).named_modules():
            path = f"{prefix}{place}." if place else prefix
            # `named_parameters` and `named_buffers` walk through all modules once more, each.
            for key, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None and id(tensor) not in seen:  # a tied weight has the name of its first place
                    seen.add(id(tensor))
                    yield f"{path}{key}", tensor


def _of_optimizer(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for number, group in enumerate(optimizer.param_groups):
        for place, weight in enumerate(group["params"]):
            yield f"group {number}.{place}", weight
