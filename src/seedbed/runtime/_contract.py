"""A declared runtime: what was asked, what the machine can do of it, and the means to use and to watch it."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast, final

import torch

from seedbed.contracts import Feature
from seedbed.runtime._capability import Capability, assess
from seedbed.runtime._compiler import import_inductor, salt_cache
from seedbed.runtime._config import ResolvedConfig
from seedbed.runtime._enforce import enforce
from seedbed.runtime._witness import Witness, shortfall

__all__ = ["Contract", "declare"]

_Target = TypeVar("_Target", bound=Callable[..., object])


@final
@dataclass(frozen=True)
class Contract:
    """A declared runtime, as `declare` makes it."""

    resolved: ResolvedConfig
    device: torch.device
    capabilities: Mapping[Feature, Capability]

    def requested(self, feature: Feature) -> bool:
        """Whether the run asked for the feature; an AUTO counts as what it came to."""
        return self.capabilities[feature].requested

    def selected(self, feature: Feature) -> bool:
        """Whether the run asked for the feature and the machine can do it."""
        return self.capabilities[feature].selected

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision where AMP is selected; otherwise a context that does nothing."""
        if not self.selected(Feature.AMP):
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.resolved.config.amp_dtype))

    def compile(self, target: _Target, **options: Any) -> _Target:
        """`torch.compile(target, **options)` where CDC is selected; otherwise `target` unchanged.

        A module is compiled in place and returned, so that its parameters keep their names in a checkpoint.
        """
        if not self.selected(Feature.CDC):
            return target
        if options.get("backend", "inductor") == "inductor":
            import_inductor()
        salt_cache()
        if isinstance(target, torch.nn.Module):
            target.compile(**options)
            return target
        return cast("_Target", torch.compile(target, **options))

    def witness(self, clock: Callable[[], float] = time.perf_counter) -> Witness:
        """A new witness for one run under this contract; `clock` gives seconds and times the witness's own cost."""
        return Witness(self.resolved, self.capabilities, self.device, clock)


def declare(resolved: ResolvedConfig, *, device: torch.device | str) -> Contract:
    """Hold the machine to the configuration before the first step.

    Raises ContractBroken in STRICT when something asked for is not eligible; in COMPAT warns RuntimeDegraded for each.
    """
    device = torch.device(device)
    capabilities = assess(resolved.config, device)
    for feature, capability in capabilities.items():
        if reason := shortfall(feature, capability):
            enforce(resolved.config.mode, reason, "before the first step")
    return Contract(resolved, device, capabilities)
