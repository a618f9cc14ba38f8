"""Why attention did not run fused, in words that say what to change."""

from seedbed.runtime._flags import SdpaFlags
from seedbed.runtime._profile import Sample

__all__ = ["explain_compiled", "explain_math", "explain_other_fused", "flags_advice"]


def flags_advice(flags: SdpaFlags) -> str:
    """The switched-off flash flag as a cause, or nothing when it is on."""
    if flags.flash:
        return ""
    return (
        "flash is switched off in this process, torch.backends.cuda.flash_sdp_enabled() is False, which holds on a CPU "
        "too: remove enable_flash_sdp(False) or sdpa_kernel(MATH)"
    )


def explain_math(sample: Sample, flags: SdpaFlags) -> str:
    """Why `scaled_dot_product_attention` fell to math: the switch, then the rules that the recorded calls meet."""
    if off := flags_advice(flags):
        return off
    if not sample.math_calls:
        return (
            "the call was not recorded in full; seedbed.runtime.silent_turns(q, k, v, mask, dropout_p) tells its cause"
        )
    turns = dict.fromkeys(turn for call in sample.math_calls for turn in call.turns())
    if turns:
        return "; ".join(turns)
    if any(call.mask_shape is not None for call in sample.math_calls):
        return "nothing in the call's shapes forbids flash, so its mask requires a gradient (detach the mask)"
    return "nothing in the call forbids flash; sdpa_kernel(...) may have been in force around it"


def explain_compiled(products: list[str], flags: SdpaFlags) -> str:
    """A compiled graph that holds attention only in pieces."""
    cause = (
        flags_advice(flags) or "flash was not allowed or not fit when the graph was compiled, and it keeps what it has"
    )
    return (
        f"{' and '.join(products)} with a fused softmax ran instead, which is all that a compiled graph shows of math "
        f"attention: {cause}. If the step holds no attention, declare sdpa and flash off"
    )


def explain_other_fused(kernels: list[str]) -> str:
    """Flash was asked for and another fused kernel ran."""
    return (
        f"{', '.join(kernels)} ran instead: fused, but not flash (on CUDA flash takes no mask and only half precision; "
        "declare flash off to accept any fused kernel)"
    )
