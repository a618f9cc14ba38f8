"""Makes the ledger of a run from what its witness counted."""

from collections.abc import Mapping, Sequence

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
    unobserved: Sequence[str] = (),
) -> AuditRun:
    """The ledger of a run that took `wall_seconds`; `unobserved` are incidents so far. The peak memory is read now."""
    features = {feature: _feature(capabilities[feature], feature, tally) for feature in Feature}
    return AuditRun(
        mode=resolved.config.mode,
        sdpa=features[Feature.SDPA],
        flash=features[Feature.FLASH],
        amp=features[Feature.AMP],
        cdc=features[Feature.CDC],
        degraded=bool(tally.reasons),
        reasons=tuple(tally.reasons),
        incidents=(*tally.incidents, *unobserved),
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
    # What AUTO did not request and the loop did by itself, as autocast on a CPU, was requested by the loop.
    requested = capability.requested or (capability.auto and observed is True)
    return FeatureAudit(
        requested=requested,
        eligible=capability.eligible,
        selected=requested and capability.eligible is True,
        observed=observed,
        used=requested and observed is True,
        reason=f"{capability.reason}{_remark(capability, feature, tally)}",
        kernels=dict(tally.kernels[feature]),
    )


def _remark(capability: Capability, feature: Feature, tally: Tally) -> str:
    """What the samples add to the reason of a feature: why it is unknown, or who requested it."""
    observed, sampled = tally.observed(feature), sum(tally.samples.values())
    if capability.auto and not capability.requested and observed:
        return "; requested by the loop itself"
    if observed is not None or not (capability.selected or capability.auto):
        return ""
    if not sampled:
        return "; unknown: no step was sampled"
    return f"; unknown after {sampled} sampled steps: {tally.unknown.get(feature, 'nothing could show it')}"
