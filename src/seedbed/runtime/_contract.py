"""A declared runtime: what was asked, what the machine can do of it, and the means to use and to watch it."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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

    def compile(self, target: _Target, **options: object) -> _Target:
        """`torch.compile(target, **options)` where CDC is selected; otherwise `target` unchanged.

        A module is compiled in place and returned, so that its parameters keep their names in a checkpoint.
        """
        if not self.selected(Feature.CDC):
            return target
        if options.get("backend", "inductor") == "inductor":
            import_inductor()
        salt_cache()
        settings: dict[str, Any] = options
        if isinstance(target, torch.nn.Module):
            return _compile_in_place(target, settings)
        return cast("_Target", torch.compile(target, **settings))

    def witness(self, clock: Callable[[], float] = time.perf_counter) -> Witness:
        """A new witness for one run under this contract; `clock` gives seconds and times the witness's own cost."""
        return Witness(self.resolved, self.capabilities, self.device, clock)


def _compile_in_place(module: _Module, options: dict[str, Any]) -> _Module:
    # `Module.compile` compiles `_call_impl` itself, a frame of torch's own that Dynamo skips: a module whose forward is
    # torch's as well (Linear, Sequential) then runs eager without a word. A frame of ours around it is not skipped.
    def call(*args: Any, **kwargs: Any) -> Any:
        return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    module._compiled_call_impl = torch.compile(call, **options)
    return module


def declare(resolved: ResolvedConfig, *, device: torch.device | str) -> Contract:
    """Hold the machine to the configuration before the first step.

    Raises ContractBroken in STRICT when something asked for is not eligible, where COMPAT warns of each,
    and InvalidInput for a device that this PyTorch cannot use.
    """
    device = usable_device(device)
    capabilities = assess(resolved.config, device)
    enforce(resolved.config.mode, shortfalls(capabilities), "before the first step")
    return Contract(resolved, device, capabilities)
