"""The tensors of a training, each by a name that says what it is and where."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import plain_model

__all__ = ["BATCH", "GRADIENT", "STATE", "WEIGHT", "batch_parts", "gradients", "optimizer_states", "weights"]

BATCH, GRADIENT, STATE, WEIGHT = "batch", "gradient", "optimizer", "weight"


def weights(objects: LiveObjects) -> Iterator[tuple[str, Tensor]]:
    """The weights and buffers of the models, in the order of their modules."""
    for model_name, path, tensor in _of_models(objects):
        yield f"{WEIGHT} {model_name}{path}", tensor


def gradients(objects: LiveObjects, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """The gradients that a step of `optimizer` begins with; the last weight comes first, as in a backward pass."""
    names = _names(objects)
    for place, weight in reversed(list(_of_optimizer(optimizer))):
        if weight.grad is not None:
            yield f"{GRADIENT} {names.get(id(weight), place)}", weight.grad


def optimizer_states(objects: LiveObjects) -> Iterator[tuple[str, Tensor]]:
    """What the optimizers keep for each weight."""
    names = _names(objects)
    for optimizer_name, optimizer in objects.watched().items():
        for place, weight in _of_optimizer(optimizer):
            for key, value in sorted(optimizer.state.get(weight, {}).items()):
                if isinstance(value, Tensor):
                    prefix = f"{optimizer_name}/" if optimizer_name else ""
                    yield f"{STATE} {prefix}{names.get(id(weight), place)}.{key}", value


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


def _of_models(objects: LiveObjects) -> Iterator[tuple[str, str, Tensor]]:
    for name, model in objects.models.items():
        inner, prefix = plain_model(model), f"{name}/" if name else ""
        for path, weight in inner.named_parameters():
            yield prefix, path, weight
        for path, buffer in inner.named_buffers():
            yield prefix, path, buffer


def _names(objects: LiveObjects) -> dict[int, str]:
    return {id(tensor): f"{prefix}{path}" for prefix, path, tensor in _of_models(objects)}


def _of_optimizer(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for number, group in enumerate(optimizer.param_groups):
        for place, weight in enumerate(group["params"]):
            yield f"group {number}.{place}", weight
