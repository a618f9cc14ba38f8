"""TGAT: inductive representation learning on temporal graphs (Xu et al., ICLR 2020), arranged for fused attention.

Shape suffixes: Q distinct queries, K neighbour slots, H heads, C width of a head, D embedding width, N node width,
T time width, E event feature width, R = N + E + T the width of a neighbour's row (N is D above the first layer).

Every query is one row, so the products can be regrouped exactly: W_K is multiplied into the query, and W_V is applied
after the weighted sum. This gives H query rows, one for each head. They are the queries of a one-head attention over
the raw rows, so neighbours are never projected and the fused kernel still runs. Dropout is outside the kernel, and time
is a part of the rows and not a bias in the mask, because either would turn fused attention off without a warning.
"""

import math
from collections.abc import Callable
from typing import final

import torch
from torch import nn
from torch.nn import functional

from seedbed.contracts import Message
from seedbed.temporal._blocks import Blocks

__all__ = ["TGAT", "LayerWrap", "TGATConfig", "TemporalAttention", "TimeEncoding"]

LayerWrap = Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]


@final
class TGATConfig(Message):
    """Widths and depths of the model; `shortest` and `longest` are the limits of the initial periods, in time units."""

    num_nodes: int
    num_features: int
    num_neighbours: tuple[int, ...] = (10, 10)
    node_width: int = 172
    time_width: int = 100
    embedding_width: int = 172
    num_heads: int = 2
    dropout: float = 0.1
    shortest: float = 60.0
    longest: float = 4e7


@final
class TimeEncoding(nn.Module):
    """Bochner's functional time encoding: cos(w t + b); the initial periods are spaced geometrically between limits.

    The logarithms of the frequencies are learnt, so that one optimizer step changes a period of a minute and one of a
    year by the same ratio. If the frequencies themselves were learnt, the first steps would destroy the long periods.
    """

    def __init__(self, width: int, shortest: float, longest: float) -> None:
        super().__init__()
        periods = torch.logspace(math.log10(shortest), math.log10(longest), width, dtype=torch.float64)
        self.log_frequency = nn.Parameter((2 * math.pi / periods).log().float())
        self.phase = nn.Parameter(torch.zeros(width))

    def forward(self, elapsed: torch.Tensor) -> torch.Tensor:
        """float32 [...] time units -> float32 [..., T]."""
        return torch.cos(torch.addcmul(self.phase, elapsed.unsqueeze(-1), self.log_frequency.exp()))


@final
class TemporalAttention(nn.Module):
    """One layer: each query attends to the rows of its earlier neighbours, then merges the result with its embedding.

    A query's heads depend only on its own embedding, so `ask` runs once for each distinct embedding (in the first
    layer: for each node, at any time) and `attend` runs once for each query.
    """

    def __init__(self, config: TGATConfig, own_width: int) -> None:
        super().__init__()
        width, heads = config.embedding_width, config.num_heads
        row_width = own_width + config.num_features + config.time_width
        self.num_heads, self.head_width = heads, width // heads
        self.query = nn.Linear(own_width, width)
        self.query_now = nn.Linear(config.time_width, width, bias=False)
        self.key_HCR = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, row_width)).view(heads, -1, row_width))
        self.value_HCR = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, row_width)).view(heads, -1, row_width))
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(width)
        self.merge_own = nn.Linear(own_width, width)
        self.merge_seen = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(width, width)

    def ask(self, own_UN: torch.Tensor, now_T: torch.Tensor) -> torch.Tensor:
        """The folded heads and the own part of the merge, float32 [U, H*R + D]; `now_T` encodes elapsed time 0."""
        query_UD = self.query(own_UN) + self.query_now(now_T)
        query_UHC = query_UD.view(-1, self.num_heads, self.head_width)
        folded_UHR = torch.einsum("uhc,hcr->uhr", query_UHC, self.key_HCR)
        return torch.cat([folded_UHR.flatten(1), self.merge_own(own_UN)], dim=1)

    def attend(self, asked_Q: torch.Tensor, rows_QKR: torch.Tensor, mask_QK: torch.Tensor) -> torch.Tensor:
        """Embeddings float32 [Q, D] from the result of `ask` [Q, H*R + D], the neighbours' rows and their mask."""
        num_queries, _, row_width = rows_QKR.shape
        folded_width = self.num_heads * row_width
        folded_QHR = asked_Q[:, :folded_width].view(num_queries, self.num_heads, row_width)
        rows = rows_QKR.unsqueeze(1)
        pooled_QHR = functional.scaled_dot_product_attention(
            folded_QHR.unsqueeze(1),
            rows,
            rows,
            attn_mask=mask_QK[:, None, None, :],
            scale=self.head_width**-0.5,
        ).squeeze(1)
        value_QHC = torch.einsum("qhr,hcr->qhc", pooled_QHR, self.value_HCR)
        seen_QD = self.norm(self.dropout(self.out(value_QHC.reshape(num_queries, -1))))
        merged: torch.Tensor = self.merge(functional.relu(asked_Q[:, folded_width:] + self.merge_seen(seen_QD)))
        return merged


@final
class TGAT(nn.Module):
    """Computes embeddings of (node, time) queries from the events of each node strictly before.

    `wrap` is applied once to each of the two functions that compute a layer, so that a caller can compile them. Gathers
    and their gradients are outside of them, in kernels whose sums do not depend on the timing of threads.
    """

    def __init__(self, config: TGATConfig, wrap: LayerWrap) -> None:
        super().__init__()
        self.config = config
        self.nodes = nn.Embedding(config.num_nodes, config.node_width)
        self.time = TimeEncoding(config.time_width, config.shortest, config.longest)
        own_widths = [config.node_width] + [config.embedding_width] * (len(config.num_neighbours) - 1)
        self.layers = nn.ModuleList(TemporalAttention(config, width) for width in own_widths)
        self._ask, self._attend = wrap(_ask), wrap(_attend)

    def forward(self, blocks: Blocks) -> torch.Tensor:
        """float32 [R, D], one embedding for each query, in the order of the queries."""
        below = self.nodes.weight
        for attention, block in zip(self.layers, blocks.layers, strict=True):
            asked = self._ask(attention, self.time, functional.embedding(block.distinct, below))
            neighbours = functional.embedding(block.neighbour, below)
            below = self._attend(
                attention,
                self.time,
                functional.embedding(block.own, asked),
                neighbours,
                block.features,
                block.elapsed,
                block.mask,
            )
        return functional.embedding(blocks.root, below)


def _ask(attention: TemporalAttention, time: TimeEncoding, own: torch.Tensor) -> torch.Tensor:
    return attention.ask(own, time(own.new_zeros(())))


def _attend(
    attention: TemporalAttention,
    time: TimeEncoding,
    asked: torch.Tensor,
    neighbours: torch.Tensor,
    features: torch.Tensor,
    elapsed: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    return attention.attend(asked, torch.cat([neighbours, features, time(elapsed)], dim=-1), mask)
