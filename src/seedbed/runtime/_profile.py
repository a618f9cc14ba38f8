"""A profile of some work, reduced to what the four features need.

Operators are recorded when the host dispatches them, for every device. Work replayed from a CUDA graph is not
dispatched again, so it is not seen.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch.autograd.profiler import profile

from seedbed.errors import InvalidInput
from seedbed.runtime._attention import AttentionCall

__all__ = [
    "ATTENTION_MATH",
    "COMPILED_REGION",
    "FLASH_KERNELS",
    "FUSED_KERNELS",
    "Recording",
    "Sample",
    "profiler_is_busy",
    "record",
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


@final
@dataclass
class Recording:
    """What a recorded block ran, and the seconds that the profiler itself cost; filled when the block ends."""

    sample: Sample = field(default_factory=Sample)
    seconds: float = 0.0


@contextmanager
def record(clock: Callable[[], float] = time.perf_counter, *, detailed: bool = True) -> Iterator[Recording]:
    """Profile the body; the recording is complete once the body has ended.

    `detailed` adds data types and the arguments of calls run as math. It costs about three times as much (10
    microseconds per operator). Raises InvalidInput when another profiler runs in this thread.
    """
    if profiler_is_busy():
        raise InvalidInput("Another profiler is running in this thread; only one can run: stop it before declaring.")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # kineto reads it at its first start; without it, it logs each one
    recording = Recording()
    profiler: Any = profile(record_shapes=detailed)  # torch leaves its context methods untyped
    begin = clock()
    profiler.__enter__()
    entered = clock()
    try:
        yield recording
    finally:
        left = clock()
        profiler.__exit__(None, None, None)
    events = profiler.kineto_results.events() if profiler.kineto_results else []
    recording.sample = _summarize(events, detailed)
    recording.seconds = (entered - begin) + (clock() - left)


def profiler_is_busy() -> bool:
    """Whether another profiler already runs in this thread; only one can."""
    return bool(torch._C._autograd._profiler_enabled())


def _summarize(events: list[Any], detailed: bool) -> Sample:  # torch gives its event class no public type
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
