"""The live objects of a run as they were given, checked."""

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput
from seedbed.loop.settings import LiveObjects
from seedbed.loop.settings._live_objects import argument_words, class_words

__all__ = ["Given", "device_of", "first_optimizer", "objects_of"]

Part = TypeVar("Part")

Given: TypeAlias = Part | Mapping[str, Part] | None
"""One object, several by name, or none."""


def objects_of(model: Given[nn.Module], optimizer: Given[Optimizer], scheduler: Given[Any]) -> LiveObjects:
    """The objects as they were given. Raises InvalidInput for what is none of them, and names the argument."""
    for argument, given in (("model", model), ("optimizer", optimizer), ("scheduler", scheduler)):
        if isinstance(given, list | tuple | set):
            raise InvalidInput(
                f"{argument}: expected one object, or a dictionary of them by name, found {class_words(given)}; give "
                "several as {'first': ..., 'second': ...}"
            )
    objects = LiveObjects.of(model, optimizer, scheduler)
    for name, each in objects.models.items():
        if not isinstance(each, nn.Module):
            raise InvalidInput(
                f"{argument_words('model', name)}: expected a torch.nn.Module, or a dictionary of them by name, found "
                f"{class_words(each)}"
            )
    for steps in objects.optimizers.values():
        watchable(steps)
    for name, schedule in objects.schedulers.items():
        if not callable(getattr(schedule, "step", None)):  # schedulers have no common class
            raise InvalidInput(
                f"{argument_words('scheduler', name)}: expected a learning-rate scheduler, found "
                f"{class_words(schedule)}"
            )
    return objects


def first_optimizer(objects: LiveObjects) -> Optimizer | None:
    """The optimizer whose steps are counted, without what wraps it."""
    first = next(iter(objects.optimizers.values()), None)
    return None if first is None else watchable(first)


def device_of(objects: LiveObjects) -> torch.device:
    """The device of the first weight; the CPU where there is none."""
    weights = (weight for model in objects.models.values() for weight in model.parameters())
    return next((weight.device for weight in weights), torch.device("cpu"))
