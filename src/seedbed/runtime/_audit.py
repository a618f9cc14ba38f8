"""Makes the ledger of a run from what its witness counted."""

from collections.abc import Mapping

import torch

from seedbed.contracts import AuditRun, Feature, FeatureAudit
from seedbed.runtime._capability import Capability
from seedbed.runtime._config import ResolvedConfig
from seedbed.runtime._host import device_name, peak_memory_bytes
from seedbed.runtime._tally import Tally

__all__ = ["make_audit"]


def make_audit(
    resolved: ResolvedConfig,
    capabilities: Mapping[Feature, Capability],
    device: torch.device,
    tally: Tally,
    wall_seconds: float,
) -> AuditRun:
    """The ledger of a run that took `wall_seconds`. The peak memory of the process is read now."""
    features = {feature: _feature(capabilities[feature], feature, tally) for feature in Feature}
    return AuditRun(
        mode=resolved.config.mode,
        sdpa=features[Feature.SDPA],
        flash=features[Feature.FLASH],
        amp=features[Feature.AMP],
        cdc=features[Feature.CDC],
        degraded=bool(tally.reasons),
        reasons=tuple(tally.reasons),
        incidents=tuple(tally.incidents),
        wall_time=wall_seconds,
        witness_time=tally.seconds,
        peak_mem=peak_memory_bytes(device),
        pytorch_version=torch.__version__,
        cuda_available=torch.cuda.is_available(),
        device_name=device_name(device),
        steps=tally.steps,
        steps_sampled=sum(tally.samples.values()),
        samples=dict(tally.samples),
        settings=resolved.settings(),
    )


def _feature(capability: Capability, feature: Feature, tally: Tally) -> FeatureAudit:
    observed = tally.observed(feature)
    return FeatureAudit(
        requested=capability.requested,
        eligible=capability.eligible,
        selected=capability.selected,
        observed=observed,
        used=capability.requested and observed is True,
        reason=capability.reason,
        kernels=dict(tally.kernels[feature]),
    )
