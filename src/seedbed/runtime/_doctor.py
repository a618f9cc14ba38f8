"""A check of this machine: every feature is really run, on a tiny model."""

import os
import warnings
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from seedbed.contracts import AuditRun, Feature, Message, RuntimeMode
from seedbed.runtime._attention import sdpa
from seedbed.runtime._config import RuntimeConfig, resolve_config
from seedbed.runtime._contract import Contract, declare
from seedbed.runtime._enforce import RuntimeDegraded
from seedbed.runtime._host import device_name, host_memory_bytes

__all__ = ["DoctorFeature", "DoctorFeatures", "DoctorReport", "doctor"]

_STEPS = 3  # the first compiles and so proves nothing, the second is sampled, the third is a spare one


@final
class DoctorFeature(Message):
    """Four facts about one feature on this machine, the reason, and what to do about it."""

    requested: bool
    eligible: bool | None
    selected: bool
    observed: bool | None
    reason: str
    advice: str
    kernels: dict[str, int]


@final
class DoctorFeatures(Message):
    """The facts about all four features."""

    sdpa: DoctorFeature
    flash: DoctorFeature
    amp: DoctorFeature
    cdc: DoctorFeature


@final
class DoctorReport(Message):
    """What ran on this machine; `reasons` say what was requested and not observed, `memory` is in bytes."""

    features: DoctorFeatures
    reasons: tuple[str, ...]
    pytorch_version: str
    cuda_available: bool
    device_name: str
    cores: int
    threads: int
    memory: int


def doctor(config: RuntimeConfig, device: torch.device | str) -> DoctorReport:
    """Declare `config` as COMPAT, run a tiny attention model under a witness, and report what was observed.

    With CDC selected it really compiles, which takes seconds, and less once the graph is in the on-disk cache.
    """
    compat = resolve_config(code=config.model_dump() | {"mode": RuntimeMode.COMPAT})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeDegraded)  # the report holds the same reasons
        contract = declare(compat, device=device)
        audit = _try(contract)
    return DoctorReport(
        features=DoctorFeatures(**{feature.value.lower(): _feature(feature, contract, audit) for feature in Feature}),
        reasons=audit.reasons,
        pytorch_version=torch.__version__,
        cuda_available=torch.cuda.is_available(),
        device_name=device_name(contract.device),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        memory=host_memory_bytes(),
    )


def _try(contract: Contract) -> AuditRun:
    weight = torch.ones(8, 8, device=contract.device)

    def probe(x: Tensor) -> Tensor:
        return torch.cos(sdpa(functional.linear(x, weight), x, x)).sum()

    run = contract.compile(probe)
    witness = contract.witness()
    x = torch.ones(2, 2, 8, 8, device=contract.device, requires_grad=True)
    for step in range(_STEPS):
        with witness.step(step), contract.autocast():
            run(x).backward()  # type: ignore[no-untyped-call]
    return witness.audit(0.0)


def _feature(feature: Feature, contract: Contract, audit: AuditRun) -> DoctorFeature:
    facts = audit.of(feature).model_dump(exclude={"used"})
    return DoctorFeature(**facts, advice=contract.capabilities[feature].advice)
