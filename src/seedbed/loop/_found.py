"""The settings that can be changed, found on the live objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from seedbed.change import Binding, LearningRate, Parameter
from seedbed.loop._objects import Objects

__all__ = ["Found", "found_settings"]


@final
@dataclass(frozen=True)
class Found:
    """One setting that was found."""

    key: str
    parameter: Parameter
    binding: Binding


def found_settings(objects: Objects, overrides: Mapping[str, Mapping[str, float]]) -> tuple[Found, ...]:
    """The learning rate of each optimizer, between a hundredth and ten times of what it is now."""
    found = []
    for name, optimizer in objects.optimizers.items():
        key = f"{name or 'optimizer'}.lr"
        binding = LearningRate(optimizer, objects.schedulers.get(name))
        limits = {"low": binding.read() / 100, "high": binding.read() * 10, **overrides.get(key, {})}
        found.append(Found(key, Parameter(key, "1", low=limits["low"], high=limits["high"]), binding))
    return tuple(found)
