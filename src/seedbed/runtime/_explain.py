"""Messages that say why attention did not run fused, and what to change."""

from seedbed.runtime._flags import SdpaFlags
from seedbed.runtime._sample import Sample

__all__ = ["explain_compiled", "explain_math", "explain_other_fused", "flags_advice"]


def flags_advice(flags: SdpaFlags) -> str:
    """What to do when the flash flag is switched off; empty when it is on."""
    if flags.flash:
        return ""
    return (
        "flash is switched off in this process: torch.backends.cuda.flash_sdp_enabled() is False, and PyTorch reads it "
        "on a CPU too; remove enable_flash_sdp(False) or sdpa_kernel(MATH)"
    )


def explain_math(sample: Sample, flags: SdpaFlags) -> str:
    """Why `scaled_dot_product_attention` ran as math: the flash flag, or the rules that the recorded calls meet."""
    if off := flags_advice(flags):
        return off
    if not sample.math_calls:
        return (
            "the call's arguments were not recorded; seedbed.runtime.why_not_fused(q, k, v, mask, dropout_p) gives the "
            "cause"
        )
    reasons = dict.fromkeys(reason for call in sample.math_calls for reason in call.why_not_fused())
    if reasons:
        return "; ".join(reasons)
    if any(call.mask_shape is not None for call in sample.math_calls):
        return "nothing in the call's shapes prevents flash, so its mask requires a gradient (detach the mask)"
    return "nothing in the call prevents flash; perhaps it ran inside sdpa_kernel(...)"


def explain_compiled(products: list[str], flags: SdpaFlags) -> str:
    """Why a compiled graph ran attention as separate operators."""
    cause = (
        flags_advice(flags)
        or "when the graph was compiled, flash was switched off or did not fit, and a graph keeps its kernels"
    )
    return (
        f"{' and '.join(products)} with a fused softmax ran instead, which is how math attention looks in a compiled "
        f"graph: {cause}. If the step has no attention, declare sdpa and flash off"
    )


def explain_other_fused(kernels: list[str]) -> str:
    """Why another fused kernel does not count as flash."""
    return (
        f"{', '.join(kernels)} ran instead: fused, but not flash (on CUDA flash takes no mask and only half precision; "
        "declare flash off to accept any fused kernel)"
    )
