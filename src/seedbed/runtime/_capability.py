"""Which requested features this machine can run, tested without changing any switch of the process."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import final

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend

from seedbed.contracts import Feature
from seedbed.runtime._compiler import compile_obstacle
from seedbed.runtime._config import RuntimeConfig, Switch
from seedbed.runtime._explain import explain_other_fused, flags_advice
from seedbed.runtime._flags import SdpaFlags, read_flags
from seedbed.runtime._probe import record
from seedbed.runtime._sample import ATTENTION_MATH, FLASH_KERNELS, FUSED_KERNELS

__all__ = ["Capability", "assess", "shortfalls"]


@final
@dataclass(frozen=True)
class Capability:
    """Whether a feature is requested, whether this machine can run it (None: switched off), why, and what to do.

    `auto`: the configuration left it to AUTO. Then only a proven loss counts, until the contract's own tool is used.
    """

    requested: bool
    eligible: bool | None
    reason: str
    advice: str = ""
    auto: bool = False

    @property
    def selected(self) -> bool:
        """Whether it is both requested and eligible."""
        return self.requested and self.eligible is True


def assess(config: RuntimeConfig, device: torch.device | str) -> dict[Feature, Capability]:
    """Assess every feature on `device` by trying it: one tiny attention call, one linear layer, one compiler run.

    What was tried once in this process is not tried again. Attention is not tried while another profiler or another
    thread's step needs the recorder; then PyTorch's own choice for the call is taken.
    """
    device = torch.device(device)
    probes: dict[Feature, Callable[[], Capability]] = {
        Feature.SDPA: lambda: _attention(device, FUSED_KERNELS, config.sdpa),
        Feature.FLASH: lambda: _attention(device, FLASH_KERNELS, config.flash),
        Feature.AMP: lambda: _mixed_precision(device, getattr(torch, config.amp_dtype), config.amp),
        Feature.CDC: lambda: _compile(config.cdc),
    }
    off = Capability(requested=False, eligible=None, reason="switched off, so not assessed")
    found = {feature: off if config.switch(feature) is Switch.OFF else probe() for feature, probe in probes.items()}
    return {feature: replace(one, auto=config.switch(feature) is Switch.AUTO) for feature, one in found.items()}


def shortfalls(capabilities: Mapping[Feature, Capability]) -> list[str]:
    """Why each requested feature cannot run on this machine; features with the same reason are named in one line."""
    missing: dict[str, list[Feature]] = {}
    for feature, capability in capabilities.items():
        if capability.requested and not capability.eligible:
            missing.setdefault(f"{capability.reason} ({capability.advice})", []).append(feature)
    return [f"{' and '.join(features)} requested and not eligible: {why}" for why, features in missing.items()]


def _attention(device: torch.device, wanted: frozenset[str], asked: Switch) -> Capability:
    """Whether one small call, fused unless the machine or a switch of the process prevents it, ran as wanted."""
    flags = read_flags()
    try:
        ran = _attention_kernels(device, flags)
        how = "a probe ran"
    except _NotRecorded as reason:
        ran = (_chosen_kernel(device),)
        how = f"PyTorch chooses (not profiled, because {reason})"
    if wanted & set(ran):
        return Capability(requested=True, eligible=True, reason=f"{how} {', '.join(ran)}")
    off = flags_advice(flags) or "this PyTorch has no such kernel for this device"
    why = explain_other_fused(list(ran)) if FUSED_KERNELS & set(ran) else f"{how} {', '.join(ran)}: {off}"
    return Capability(asked is Switch.ON, eligible=False, reason=why, advice="or declare it off")


class _NotRecorded(Exception):
    """Why the probe was not recorded."""


@cache
def _attention_kernels(device: torch.device, flags: SdpaFlags) -> tuple[str, ...]:  # noqa: ARG001  # the cache's key
    """The attention kernels of the small call under `flags`, the present ones. An error is not kept in the cache."""
    q = _query(device)
    with record() as recording, torch.no_grad():
        functional.scaled_dot_product_attention(q, q, q)
    if recording.unobserved:
        raise _NotRecorded(recording.unobserved)
    return tuple(sorted(recording.sample.attention.keys() & (FUSED_KERNELS | {ATTENTION_MATH})))


def _chosen_kernel(device: torch.device) -> str:
    q = _query(device)
    kernels = {
        SDPBackend.MATH: ATTENTION_MATH,
        SDPBackend.FLASH_ATTENTION: f"aten::_scaled_dot_product_flash_attention{'_for_cpu' * (device.type == 'cpu')}",
        SDPBackend.EFFICIENT_ATTENTION: "aten::_scaled_dot_product_efficient_attention",
        SDPBackend.CUDNN_ATTENTION: "aten::_scaled_dot_product_cudnn_attention",
        SDPBackend.OVERRIDEABLE: "aten::_scaled_dot_product_fused_attention_overrideable",
    }
    choice = torch._fused_sdp_choice(q, q, q)
    return next((kernel for backend, kernel in kernels.items() if backend.value == choice), f"backend {choice}")


def _query(device: torch.device) -> torch.Tensor:
    return torch.ones(1, 1, 8, 8, dtype=torch.float32 if device.type == "cpu" else torch.bfloat16, device=device)


def _mixed_precision(device: torch.device, dtype: torch.dtype, asked: Switch) -> Capability:
    if device.type != "cpu":
        eligible = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
        reason = f"{device.type} {'computes' if eligible else 'cannot compute'} in bfloat16"
        return Capability(asked is Switch.ON or eligible, eligible, reason, "" if eligible else "declare amp off")
    native = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    works = f"autocast to bfloat16 works on this CPU, {'natively' if native else 'emulated'}"
    if asked is Switch.ON:
        return Capability(requested=True, eligible=True, reason=works)
    benefit = f"a linear layer took {_autocast_ratio(dtype):.2f} of its float32 time, a whole model's gain is not shown"
    advice = "to use it, set amp on and compare the run's events per second"
    return Capability(requested=False, eligible=True, reason=f"auto is off: {works}; {benefit}", advice=advice)


@cache
def _autocast_ratio(dtype: torch.dtype, repeats: int = 5) -> float:
    """The time of a small linear layer, forward and backward, under autocast divided by its time without."""
    rows = torch.ones(256, 256)  # not random: a probe must leave the run's random numbers alone
    weight = torch.ones(256, 256, requires_grad=True)

    def fastest(enabled: bool) -> float:
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            with torch.enable_grad(), torch.autocast("cpu", dtype=dtype, enabled=enabled):
                torch.autograd.grad(functional.linear(rows, weight).sum(), weight)
            seconds.append(time.perf_counter() - begin)
        return min(seconds)

    return fastest(True) / fastest(False)


def _compile(asked: Switch) -> Capability:
    obstacle = compile_obstacle()
    if obstacle is None:
        return Capability(requested=True, eligible=True, reason="a C++ compiler works and the cache can be written")
    reason, advice = obstacle
    return Capability(requested=asked is Switch.ON, eligible=False, reason=reason, advice=advice)
