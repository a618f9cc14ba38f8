"""Fused attention, and the rules by which PyTorch replaces it by plain math without a warning.

The rules were found by running PyTorch 2.13 on a CPU under its profiler; `tests/runtime` runs each of them again.
"""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn import functional

__all__ = ["AttentionCall", "sdpa", "why_not_fused"]


@final
@dataclass(frozen=True)
class AttentionCall:
    """What decides the kernel of one attention call: shapes, last strides, dropout, whether the mask needs a gradient.

    `mask_shape` is None without a mask. `mask_requires_grad` is None where it is not known: a profiler does not record
    it.
    """

    query_shape: tuple[int, ...]
    key_shape: tuple[int, ...]
    value_shape: tuple[int, ...]
    last_strides: tuple[int, ...]
    mask_shape: tuple[int, ...] | None
    mask_requires_grad: bool | None
    dropout_p: float

    def why_not_fused(self) -> list[str]:
        """Each known reason why this call runs as math on a CPU, with what to do about it; empty if there is none."""
        mask_ndim = len(self.mask_shape) if self.mask_shape is not None else 0
        rules = (
            (self.dropout_p > 0, f"dropout_p is {self.dropout_p:g} (apply dropout to the output instead)"),
            (self.mask_requires_grad is True, "the mask requires a gradient (detach it; encode time in query and key)"),
            (mask_ndim not in (0, 2, 4), f"the mask has {mask_ndim} dimensions (use 2 or 4)"),
            (len(self.query_shape) != 4, f"the query has {len(self.query_shape)} dimensions (use 4: batch, head, ...)"),
            (any(stride != 1 for stride in self.last_strides), "a last stride is not 1 (call .contiguous() first)"),
            (self._broadcasts(), "batch or head sizes differ (expand query, key and value to the same sizes)"),
            (self.query_shape[-1:] != self.value_shape[-1:], "value and query widths differ (pad or project them)"),
        )
        return [reason for holds, reason in rules if holds]

    def _broadcasts(self) -> bool:
        return not self.query_shape[:-2] == self.key_shape[:-2] == self.value_shape[:-2]


def why_not_fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout_p: float = 0.0) -> list[str]:
    """Why `scaled_dot_product_attention(q, k, v, mask, dropout_p)` would run as math on a CPU; empty if it would not.

    Shapes as for `sdpa`. It looks at the arguments only: it runs no kernel and reads no process-wide flag.
    """
    call = AttentionCall(
        query_shape=tuple(q.shape),
        key_shape=tuple(k.shape),
        value_shape=tuple(v.shape),
        last_strides=tuple(tensor.stride(-1) for tensor in (q, k, v)),
        mask_shape=None if mask is None else tuple(mask.shape),
        mask_requires_grad=mask is not None and mask.requires_grad,
        dropout_p=dropout_p,
    )
    return call.why_not_fused()


def sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, scale: float | None = None) -> Tensor:
    """Scaled dot product attention without a dropout argument, since dropout always makes it run as math.

    q is (batch, heads, queries, width), k and v are (batch, heads, keys, width); mask, boolean (True attends) or float
    (added), is (queries, keys) or broadcasts to (batch, heads, queries, keys). Returns (batch, heads, queries, width).
    `scale` is 1/sqrt(width) when None. Apply dropout to the result.
    """
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
