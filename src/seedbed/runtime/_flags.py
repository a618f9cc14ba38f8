"""The process's switches for attention, autograd and autocast. They are read and never set."""

from collections.abc import Callable
from typing import NamedTuple

import torch

__all__ = ["ProcessState", "SdpaFlags", "read_flags", "read_state", "switches"]


# In the order of SdpaFlags: what torch.backends.cuda.flash_sdp_enabled and its like call, read at every step.
_SWITCHES: tuple[Callable[[], bool], ...] = (
    torch._C._get_flash_sdp_enabled,
    torch._C._get_mem_efficient_sdp_enabled,
    torch._C._get_cudnn_sdp_enabled,
    torch._C._get_math_sdp_enabled,
)


class SdpaFlags(NamedTuple):
    """The process-wide switches of scaled dot product attention. Despite their CUDA name they count on a CPU too."""

    flash: bool
    mem_efficient: bool
    cudnn: bool
    math: bool

    def __str__(self) -> str:
        return "+".join(name for name, allowed in self._asdict().items() if allowed) or "none"


class ProcessState(NamedTuple):
    """Switches that decide which kernels a step runs, cheap enough to compare at every step."""

    grad: bool
    autocast: str
    flags: SdpaFlags

    def __str__(self) -> str:
        return f"grad={'on' if self.grad else 'off'} autocast={self.autocast} sdpa={self.flags}"


def switches(device_type: str) -> tuple[object, ...]:
    """All that `read_state` tells of this thread, as it is: to compare it at every step, in a microsecond."""
    flash, mem_efficient, cudnn, math = _SWITCHES
    autocast = None
    if torch._C._is_any_autocast_enabled() and torch.is_autocast_enabled(device_type):
        autocast = torch.get_autocast_dtype(device_type)
    return torch.is_grad_enabled(), autocast, flash(), mem_efficient(), cudnn(), math()


def read_flags() -> SdpaFlags:
    """The attention switches now."""
    return SdpaFlags(*[read() for read in _SWITCHES])


def read_state(device_type: str) -> ProcessState:
    """The state of this thread now."""
    autocast = str(torch.get_autocast_dtype(device_type)) if torch.is_autocast_enabled(device_type) else "off"
    return ProcessState(torch.is_grad_enabled(), autocast.removeprefix("torch."), read_flags())
