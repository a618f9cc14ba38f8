"""A declared runtime: what was requested, what the machine can run, and functions to use it and to witness it."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast, final

import torch

from seedbed.contracts import Feature
from seedbed.runtime._capability import Capability, assess, shortfalls
from seedbed.runtime._compiler import import_inductor, salt_cache
from seedbed.runtime._config import ResolvedConfig
from seedbed.runtime._enforce import enforce
from seedbed.runtime._host import usable_device
from seedbed.runtime._witness import Witness

__all__ = ["Contract", "declare"]

_Target = TypeVar("_Target", bound=Callable[..., object])
_Module = TypeVar("_Module", bound=torch.nn.Module)


@final
@dataclass(frozen=True)
class Contract:
    """A declared runtime, made by `declare`."""

    resolved: ResolvedConfig
    device: torch.device
    capabilities: Mapping[Feature, Capability]

    @cached_property
    def _demanded(self) -> set[Feature]:
        """The features whose tool was used: from then on they are demanded where they were left to AUTO."""
        return set()

    def requested(self, feature: Feature) -> bool:
        """Whether the run requested the feature; AUTO counts as what it was resolved to."""
        return self.capabilities[feature].requested

    def selected(self, feature: Feature) -> bool:
        """Whether the run requested the feature and the machine can run it."""
        return self.capabilities[feature].selected

    def autocast(self) -> AbstractContextManager[object]:
        """A context with mixed precision where AMP is selected; otherwise a context that does nothing."""
        if not self.selected(Feature.AMP):
            return nullcontext()
        self._demanded.add(Feature.AMP)
        return torch.autocast(self.device.type, dtype=getattr(torch, self.resolved.config.amp_dtype))

    def compile(self, target: _Target, **options: object) -> _Target:
        """`torch.compile(target, **options)` where CDC is selected; otherwise `target` unchanged.

        A module is compiled in place and returned, so that its parameters keep their names in a checkpoint.
        """
        if not self.selected(Feature.CDC):
            return target
        self._demanded.add(Feature.CDC)
        if options.get("backend", "inductor") == "inductor":
            import_inductor()
        salt_cache()
        settings: dict[str, Any] = options
        if isinstance(target, torch.nn.Module):
            return _compile_in_place(target, settings)
        return cast("_Target", torch.compile(target, **settings))

    def witness(self, clock: Callable[[], float] = time.perf_counter) -> Witness:
        """A new witness for one run under this contract; `clock` returns seconds, to measure the witness's own cost."""
        return Witness(self.resolved, self.capabilities, self.device, clock, self._demanded)


def _compile_in_place(module: _Module, options: dict[str, Any]) -> _Module:
    # `Module.compile` compiles `_call_impl`, a frame of torch that Dynamo skips. If the module's forward is torch's as
    # well (Linear, Sequential), it then runs eager without a warning. Dynamo does not skip this frame around it.
    def call(*args: Any, **kwargs: Any) -> Any:
        return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    module._compiled_call_impl = torch.compile(call, **options)
    return module


def declare(resolved: ResolvedConfig, *, device: torch.device | str) -> Contract:
    """Check before the first step that the machine can run what the configuration requests.

    When a requested feature is not eligible, STRICT raises ContractBroken and COMPAT warns for each reason. Raises
    InvalidInput for a device that this PyTorch cannot use.
    """
    device = usable_device(device)
    capabilities = assess(resolved.config, device)
    enforce(resolved.config.mode, shortfalls(capabilities), "before the first step")
    return Contract(resolved, device, capabilities)
