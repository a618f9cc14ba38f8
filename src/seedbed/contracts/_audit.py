"""What a runtime contract asked for, and what its witness saw: the ledger of one run."""

from typing import Literal

from pydantic import Field

from seedbed.contracts._enums import Feature, RuntimeMode
from seedbed.contracts._message import Message

__all__ = ["AuditRun", "FeatureAudit", "Setting"]


class Setting(Message):
    """One resolved setting and where its value came from."""

    value: str | int | None
    source: Literal["DEFAULT", "FILE", "ENVIRONMENT", "CODE"]


class FeatureAudit(Message):
    """Four facts about one acceleration, kept apart, and the evidence behind the last.

    `eligible` is None where a feature was switched off and so not assessed. `observed` is True when every sampled step
    that should have shown it did, False when one did not, None when no sampled step could tell.
    """

    requested: bool
    eligible: bool | None
    selected: bool
    observed: bool | None
    used: bool = Field(description="requested and observed; never copied from what was asked")
    reason: str
    kernels: dict[str, int] = Field(description="what the sampled steps ran, name -> times dispatched")


class AuditRun(Message):
    """`audit_run.json`: one run's runtime ledger. `wall_time` in seconds, `peak_mem` in bytes (host plus CUDA)."""

    schema_version: Literal[1] = 1
    mode: RuntimeMode
    sdpa: FeatureAudit
    flash: FeatureAudit
    amp: FeatureAudit
    cdc: FeatureAudit
    degraded: bool
    reasons: tuple[str, ...]
    incidents: tuple[str, ...] = Field(description="what disagreed with a prediction or kept a step from being sampled")
    wall_time: float = Field(ge=0)
    witness_time: float = Field(ge=0, description="seconds that sampling added outside the sampled steps themselves")
    peak_mem: int = Field(ge=0)
    pytorch_version: str
    cuda_available: bool
    device_name: str
    steps: int = Field(ge=0)
    steps_sampled: int = Field(ge=0)
    samples: dict[str, int] = Field(description="sampled steps by key: phase, shape class and the process's flags")
    settings: dict[str, Setting]

    def of(self, feature: Feature) -> FeatureAudit:
        """One feature's four facts."""
        return {Feature.SDPA: self.sdpa, Feature.FLASH: self.flash, Feature.AMP: self.amp, Feature.CDC: self.cdc}[
            feature
        ]
