"""The live objects of a run, each kind by name, checked when they are given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, final

import torch
from torch import nn
from torch.optim import Optimizer

from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["Given", "Objects", "bare_module", "objects_of"]

Part = TypeVar("Part")

Given: TypeAlias = Part | Mapping[str, Part] | None
"""One object, several by name, or none."""


@final
@dataclass(frozen=True)
class Objects:
    """The models, optimizers and schedulers of a run by name; the name of a single one is empty."""

    models: Mapping[str, nn.Module] = field(default_factory=dict)
    optimizers: Mapping[str, Optimizer] = field(default_factory=dict)
    schedulers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first_optimizer(self) -> Optimizer | None:
        """The optimizer whose steps are counted, without what wraps it."""
        first = next(iter(self.optimizers.values()), None)
        return None if first is None else watchable(first)

    @property
    def device(self) -> torch.device:
        """The device of the first weight; the CPU where there is none."""
        weights = (weight for model in self.models.values() for weight in model.parameters())
        return next((weight.device for weight in weights), torch.device("cpu"))

    def with_others(self, others: "Objects") -> "Objects":
        """These, with `others` in the place of those of equal names."""
        return Objects(
            {**self.models, **others.models},
            {**self.optimizers, **others.optimizers},
            {**self.schedulers, **others.schedulers},
        )


def objects_of(model: Given[nn.Module], optimizer: Given[Optimizer], scheduler: Given[Any]) -> Objects:
    """The objects as they were given. Raises InvalidInput for what is none of them, and names the argument."""
    models, optimizers = _by_name("model", model), _by_name("optimizer", optimizer)
    schedulers = _by_name("scheduler", scheduler)
    for name, each in models.items():
        if not isinstance(each, nn.Module):
            raise InvalidInput(f"{_argument('model', name)}: expected a torch.nn.Module, found {_kind(each)}")
    for steps in optimizers.values():
        watchable(steps)
    for name, schedule in schedulers.items():
        if not callable(getattr(schedule, "step", None)):  # schedulers have no common class
            raise InvalidInput(
                f"{_argument('scheduler', name)}: expected a learning-rate scheduler, found {_kind(schedule)}"
            )
        if len(optimizers) > 1 and name not in optimizers:
            raise InvalidInput(
                f"{_argument('scheduler', name)} belongs to no optimizer of that name; expected one of "
                f"{', '.join(optimizers)}"
            )
    return Objects(models, optimizers, schedulers)


def bare_module(module: nn.Module) -> nn.Module:
    """The module within DistributedDataParallel, DataParallel and torch.compile, whose weights have plain names."""
    while True:
        inner = getattr(module, "_orig_mod", None)  # of torch.compile
        if inner is None and isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _by_name(argument: str, given: Given[Part]) -> dict[str, Part]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {"": given}
    for name in given:
        if not isinstance(name, str) or not name.replace("_", "").isalnum():
            raise InvalidInput(f"{argument}: expected names of letters, digits and _, found {name!r}")
    return dict(given)


def _argument(argument: str, name: str) -> str:
    return f"{argument}[{name!r}]" if name else argument


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
