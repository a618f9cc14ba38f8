"""The runtime audit of one run: what its contract requested, and what the witness saw."""

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
    """Four separate facts about one acceleration, and the evidence for the last one.

    `eligible` is None when a feature was switched off and therefore not assessed. `observed` is True when every sampled
    step that should show it did, False when one did not, None when no sampled step could show it.
    """

    requested: bool
    eligible: bool | None
    selected: bool
    observed: bool | None
    used: bool = Field(description="requested and observed; never copied from what was asked")
    reason: str
    kernels: dict[str, int] = Field(description="what the sampled steps ran, name -> times dispatched")


class AuditRun(Message):
    """`audit_run.json`: the runtime audit of one run. `wall_time` in seconds, `peak_mem` in bytes (host plus CUDA)."""

    schema_version: Literal[1] = 1
    mode: RuntimeMode
    sdpa: FeatureAudit
    flash: FeatureAudit
    amp: FeatureAudit
    cdc: FeatureAudit
    degraded: bool
    reasons: tuple[str, ...]
    incidents: tuple[str, ...] = Field(description="what contradicted a prediction or prevented the sampling of a step")
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
        """The four facts about one feature."""
        return {Feature.SDPA: self.sdpa, Feature.FLASH: self.flash, Feature.AMP: self.amp, Feature.CDC: self.cdc}[
            feature
        ]
