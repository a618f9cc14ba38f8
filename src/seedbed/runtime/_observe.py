"""Judges each feature by one sampled step: shown, lost (with the reason), or unknown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import final

from seedbed.contracts import Feature
from seedbed.runtime._compiler import CompileCounts
from seedbed.runtime._explain import explain_compiled, explain_math, explain_other_fused
from seedbed.runtime._flags import SdpaFlags
from seedbed.runtime._sample import ATTENTION_MATH, COMPILED_REGION, FLASH_KERNELS, FUSED_KERNELS, Sample

__all__ = ["FeatureObservation", "SampledStep", "observe"]


@final
@dataclass(frozen=True)
class SampledStep:
    """One sampled step: what ran in it, and the process's switches and compiler counters at its end.

    `compiled` counts since the witness began; `process` since the process began, because code that was compiled under
    an earlier witness may run under this one.
    """

    sample: Sample
    flags: SdpaFlags
    compiled: CompileCounts
    process: CompileCounts
    training: bool
    why_eager: str = ""


@final
@dataclass(frozen=True)
class FeatureObservation:
    """What one sampled step says of one feature.

    `shown` is None where the step did no work that could show the feature; `reason` says what ran instead, and why.
    `proven` is whether a loss is one also where nobody demanded the feature: attention fell to math, a frame to eager.
    """

    shown: bool | None
    kernels: Mapping[str, int]
    reason: str = ""
    proven: bool = False

    def undemanded(self) -> "FeatureObservation":
        """The same where nobody demanded the feature: what is not a proven loss is unknown."""
        return self if self.shown is not False or self.proven else replace(self, shown=None)


def observe(feature: Feature, step: SampledStep, amp_dtypes: Collection[str]) -> FeatureObservation:
    """Judge one feature by one sampled step; AMP is shown by dense operators in one of `amp_dtypes`."""
    match feature:
        case Feature.SDPA:
            return _attention(step, FUSED_KERNELS)
        case Feature.FLASH:
            return _attention(step, FLASH_KERNELS)
        case Feature.AMP:
            return _mixed_precision(step, amp_dtypes)
        case Feature.CDC:
            return _compiled(step)


def _attention(step: SampledStep, wanted: frozenset[str]) -> FeatureObservation:
    ran = step.sample.attention
    kernels = {name: count for name, count in ran.items() if name in FUSED_KERNELS or name == ATTENTION_MATH}
    if ATTENTION_MATH in ran:
        reason = f"{ATTENTION_MATH} ran instead: {explain_math(step.sample, step.flags)}"
        return FeatureObservation(False, kernels, reason, proven=True)
    if others := kernels.keys() - wanted:
        return FeatureObservation(False, kernels, explain_other_fused(sorted(others)))
    return FeatureObservation(True, kernels) if kernels else _unfused(step)


def _unfused(step: SampledStep) -> FeatureObservation:
    """Judge a step without any attention kernel: did it run the parts of hand-written or compiled math attention?"""
    ran = step.sample.attention
    products = ran.keys() & {"aten::bmm", "aten::baddbmm"}
    if "aten::_native_multi_head_attention" in ran:
        reason = (
            "aten::_native_multi_head_attention ran instead: the inference fast path of torch.nn's transformer layers "
            "has its own unfused attention (call torch.backends.mha.set_fastpath_enabled(False))"
        )
    elif products and step.sample.compiled_regions:
        reason = explain_compiled(sorted(products), step.flags)
    elif products and "aten::_softmax" in ran:
        reason = (
            f"{' and '.join(sorted(products))} with aten::_softmax ran instead: attention written out by hand, as "
            "torch.nn.MultiheadAttention does unless need_weights=False"
        )
    else:
        return FeatureObservation(None, {}, "no attention ran")
    return FeatureObservation(False, dict(ran), reason)


def _mixed_precision(step: SampledStep, amp_dtypes: Collection[str]) -> FeatureObservation:
    dense = step.sample.dense
    if not dense:
        return FeatureObservation(None, {})
    if not step.sample.dense_dtypes.isdisjoint(amp_dtypes):
        return FeatureObservation(True, dense)
    ran, wanted = (" and ".join(sorted(types)) for types in (step.sample.dense_dtypes, amp_dtypes))
    reason = f"dense operators ran in {ran}, none in {wanted}: run the step inside contract.autocast()"
    return FeatureObservation(False, dense, reason)


def _compiled(step: SampledStep) -> FeatureObservation:
    regions, counts = step.sample.compiled_regions, step.compiled
    kernels = {COMPILED_REGION: regions} if regions else {}
    if counts.frames_eager > 0:
        reason = f"compiled code fell back to eager frames: {step.why_eager}"
        return FeatureObservation(False, kernels, reason, proven=True)
    if regions and step.process.cache_bypassed:
        reason = (
            f"compiled regions ran, but every graph of this process ({step.process.cache_bypasses}) bypassed the "
            "on-disk cache: run with TORCH_LOGS=inductor and look for 'Bypassing FX Graph Cache because'"
        )
        return FeatureObservation(False, kernels, reason, proven=True)
    if regions:
        return FeatureObservation(True, kernels)
    if not step.training:  # one may evaluate eagerly what is trained compiled
        return FeatureObservation(None, {}, "no compiled region ran")
    cause = (
        "Dynamo saw no frame: nothing went through contract.compile(...), or TORCHDYNAMO_DISABLE or "
        "torch.compiler.set_stance switched it off"
        if counts.frames == 0
        else "what was compiled is not what this step called"
    )
    return FeatureObservation(False, {}, f"no compiled region ran, only eager operators: {cause}")
