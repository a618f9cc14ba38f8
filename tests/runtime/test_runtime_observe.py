"""The judgement of a sampled step on its own, with kernels that this machine may not have."""

import pytest

from seedbed.contracts import Feature
from seedbed.runtime._compiler import CompileCounts
from seedbed.runtime._flags import SdpaFlags
from seedbed.runtime._observe import FeatureObservation, SampledStep, observe
from seedbed.runtime._sample import Sample

ON = SdpaFlags(flash=True, mem_efficient=True, cudnn=True, math=True)
FLASH = "aten::_scaled_dot_product_flash_attention"
EFFICIENT = "aten::_scaled_dot_product_efficient_attention"


def judge(feature: Feature, sample: Sample, flags: SdpaFlags = ON) -> FeatureObservation:
    return observe(feature, SampledStep(sample, flags, CompileCounts(), CompileCounts(), training=True), ["bfloat16"])


@pytest.mark.parametrize(
    ("ran", "sdpa", "flash"),
    [
        ({FLASH: 2}, True, True),
        ({EFFICIENT: 2}, True, False),
        ({FLASH: 1, EFFICIENT: 1}, True, False),
        ({FLASH: 1, "aten::_scaled_dot_product_attention_math": 1}, False, False),
        ({FLASH: 1, "aten::bmm": 2, "aten::_softmax": 1}, True, True),
        ({"aten::baddbmm": 1, "aten::_softmax": 1}, False, False),
        ({"aten::bmm": 1}, None, None),
        ({"aten::_softmax": 1}, None, None),
        ({}, None, None),
    ],
)
def test_fused_is_not_always_flash_and_parts_are_not_attention(ran, sdpa, flash) -> None:
    seen = judge(Feature.SDPA, Sample(attention=ran)), judge(Feature.FLASH, Sample(attention=ran))
    assert [observation.shown for observation in seen] == [sdpa, flash]
    assert ["ran instead" in observation.reason for observation in seen] == [sdpa is False, flash is False]


def test_another_fused_kernel_is_named() -> None:
    assert EFFICIENT in judge(Feature.FLASH, Sample(attention={EFFICIENT: 1})).reason


def test_products_in_a_compiled_region_count_as_math_with_the_switch_as_cause() -> None:
    sample = Sample(attention={"aten::bmm": 4}, compiled_regions=1)
    assert "flash_sdp_enabled() is False" in judge(Feature.FLASH, sample, ON._replace(flash=False)).reason
    assert "when the graph was compiled" in judge(Feature.FLASH, sample).reason


def test_types_are_told_apart_only_where_something_dense_ran() -> None:
    assert judge(Feature.AMP, Sample()).shown is None
    assert judge(Feature.AMP, Sample(dense={"aten::mm float32": 1})).shown is False
    assert judge(Feature.AMP, Sample(dense={"aten::mm float32": 1, "aten::mm bfloat16": 1})).shown is True


@pytest.mark.parametrize(
    ("process", "shown"),
    [
        (CompileCounts(frames=1, frames_ok=1), True),  # a backend that has no cache
        (CompileCounts(1, 1, cache_misses=1), True),
        (CompileCounts(1, 1, cache_hits=1, cache_bypasses=3), True),
        (CompileCounts(1, 1, cache_bypasses=3), False),
    ],
)
def test_a_cache_that_every_graph_bypassed_was_not_used(process, shown) -> None:
    # The witness began after everything was compiled: its own counts are all zero.
    step = SampledStep(Sample(compiled_regions=2), ON, CompileCounts(), process, training=True)
    seen = observe(Feature.CDC, step, ["bfloat16"])
    assert (seen.shown, seen.kernels) == (shown, {"Torch-Compiled Region": 2})
    assert ("every graph of this process (3) bypassed the on-disk cache" in seen.reason) == (not shown)
