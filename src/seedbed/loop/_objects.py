"""The live objects of a run as they were given, checked."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._schedule import innermost, optimizers_of
from seedbed.errors import InvalidInput
from seedbed.loop.settings import LiveObjects

__all__ = ["Given", "bound_together", "device_of", "first_optimizer", "objects_of"]

Part = TypeVar("Part")

Given: TypeAlias = Part | Mapping[str, Part] | None
"""One object, several by name, or none."""


def objects_of(model: Given[nn.Module], optimizer: Given[Optimizer], scheduler: Given[Any]) -> LiveObjects:
    """The objects as they were given. Raises InvalidInput for what is none of them, and names the argument."""
    objects = LiveObjects.of(model, optimizer, scheduler)
    for name, each in objects.models.items():
        if not isinstance(each, nn.Module):
            raise InvalidInput(
                f"{_argument('model', name)}: expected a torch.nn.Module, or a dictionary of them by name, found "
                f"{_kind(each)}"
            )
    for steps in objects.optimizers.values():
        watchable(steps)
    for name, schedule in objects.schedulers.items():
        if not callable(getattr(schedule, "step", None)):  # schedulers have no common class
            raise InvalidInput(
                f"{_argument('scheduler', name)}: expected a learning-rate scheduler, found {_kind(schedule)}"
            )
    return objects


def bound_together(objects: LiveObjects, others: LiveObjects) -> LiveObjects:
    """The objects, with `others` in the place of those of equal names.

    Raises InvalidInput for a scheduler whose optimizer is not among them: nobody would see what it writes.
    """
    together = objects.updated(others)
    bound = [*together.watched().values()]
    for name, scheduler in together.schedulers.items():
        for own in optimizers_of(scheduler):
            if not any(own is each for each in bound):
                raise InvalidInput(
                    f"{_argument('scheduler', name)}: the {_kind(innermost(scheduler))} writes the rate of "
                    f"{_other(own, bound)}; bind its optimizer with it, as optimizer="
                )
    return together


def first_optimizer(objects: LiveObjects) -> Optimizer | None:
    """The optimizer whose steps are counted, without what wraps it."""
    first = next(iter(objects.optimizers.values()), None)
    return None if first is None else watchable(first)


def device_of(objects: LiveObjects) -> torch.device:
    """The device of the first weight; the CPU where there is none."""
    weights = (weight for model in objects.models.values() for weight in model.parameters())
    return next((weight.device for weight in weights), torch.device("cpu"))


def _argument(argument: str, name: str) -> str:
    return f"{argument}[{name!r}]" if name else argument


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _other(optimizer: Optimizer, bound: Sequence[Optimizer]) -> str:
    another = "another" if any(type(each) is type(optimizer) for each in bound) else "the"
    return f"{another} {type(optimizer).__name__}, which is not bound"
