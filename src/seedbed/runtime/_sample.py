"""What a profile saw, reduced to what the four features need.

Operators are recorded when the host dispatches them, for every device. Work replayed from a CUDA graph is not
dispatched again, so it is not seen.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from seedbed.runtime._attention import AttentionCall

__all__ = [
    "ATTENTION_MATH",
    "COMPILED_REGION",
    "FLASH_KERNELS",
    "FUSED_KERNELS",
    "Sample",
    "summarize",
]

COMPILED_REGION = "Torch-Compiled Region"
ATTENTION_MATH = "aten::_scaled_dot_product_attention_math"
FLASH_KERNELS = frozenset(
    {"aten::_scaled_dot_product_flash_attention_for_cpu", "aten::_scaled_dot_product_flash_attention"}
)
FUSED_KERNELS = FLASH_KERNELS | {
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_scaled_dot_product_fused_attention_overrideable",
}
# The operators that attention consists of where no attention kernel runs.
_ATTENTION_PARTS = frozenset({"aten::_native_multi_head_attention", "aten::bmm", "aten::baddbmm", "aten::_softmax"})
_ATTENTION = FUSED_KERNELS | _ATTENTION_PARTS | {ATTENTION_MATH}
# The operators that autocast runs in the lower type, and that mixed precision can make faster.
_DENSE = frozenset(
    {"aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::convolution", "mkldnn::_linear_pointwise"}
)
_DENSE_OR_FUSED = _DENSE | FUSED_KERNELS
_DTYPES = {"float": "float32", "double": "float64", "c10::BFloat16": "bfloat16", "c10::Half": "float16"}


@final
@dataclass(frozen=True)
class Sample:
    """What ran: attention kernels and their parts, dense operators by type, compiled regions, calls run as math.

    Dense operators and calls run as math are filled only by a detailed recording.
    """

    attention: Mapping[str, int] = field(default_factory=dict)
    dense: Mapping[str, int] = field(default_factory=dict)
    compiled_regions: int = 0
    math_calls: tuple[AttentionCall, ...] = ()

    @property
    def dense_dtypes(self) -> frozenset[str]:
        """The data types that dense operators ran in."""
        return frozenset(name.rpartition(" ")[2] for name in self.dense)

    def __add__(self, other: "Sample") -> "Sample":
        """Both together."""
        return Sample(
            dict(Counter(self.attention) + Counter(other.attention)),
            dict(Counter(self.dense) + Counter(other.dense)),
            self.compiled_regions + other.compiled_regions,
            self.math_calls + other.math_calls,
        )


def summarize(events: list[Any], detailed: bool) -> Sample:  # torch gives its event class no public type
    """Reduce a profile's events; `detailed` where it recorded types and arguments."""
    attention: Counter[str] = Counter()
    dense: Counter[str] = Counter()
    regions = 0
    math_calls: list[AttentionCall] = []
    for event in events:
        name = event.name()
        if name in _ATTENTION:
            attention[name] += 1
        if detailed and name in _DENSE_OR_FUSED:
            dense[f"{name} {_dtype(event)}"] += 1
        elif detailed and name == ATTENTION_MATH:
            math_calls.append(_call(event))
        elif name.startswith(COMPILED_REGION):
            regions += 1
    return Sample(dict(attention), dict(dense), regions, tuple(math_calls))


def _dtype(event: Any) -> str:
    # The second tensor is a matrix, weight or key in each of these operators; the first may be a bias, the last a mask.
    types = [_DTYPES[name] for name in event.dtypes() if name in _DTYPES]
    return types[1] if len(types) > 1 else "unknown"


def _call(event: Any) -> AttentionCall:
    """The arguments of `_scaled_dot_product_attention_math`: query, key, value, mask, dropout_p, ..."""
    query, key, value, mask = (tuple(shape) for shape in event.shapes()[:4])
    strides = event.structured_input_strides()[:3]
    return AttentionCall(
        query_shape=query,
        key_shape=key,
        value_shape=value,
        last_strides=tuple(stride[-1] for stride in strides if stride),
        mask_shape=mask or None,
        mask_requires_grad=None,
        dropout_p=float(event.concrete_inputs()[4] or 0.0),
    )
