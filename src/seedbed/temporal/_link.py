"""Link prediction: how likely each source meets each of its candidate destinations at its time."""

from typing import final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from seedbed.temporal._arrays import Int64
from seedbed.temporal._blocks import Blocks
from seedbed.temporal._tgat import TGAT, LayerWrap, TGATConfig

__all__ = ["LinkPredictor", "link_queries"]


def link_queries(source: Int64, candidates: Int64, time: Int64) -> tuple[Int64, Int64]:
    """The (node, time) queries, two int64 [B + B*M], of sources [B], candidates [B, M] and times [B]."""
    node = np.concatenate([source, candidates.ravel()])
    return node, np.concatenate([time, np.repeat(time, candidates.shape[1])])


@final
class LinkPredictor(nn.Module):
    """TGAT with an MLP decoder. Its first weight is split into source and destination, so each is projected once."""

    def __init__(self, config: TGATConfig, wrap: LayerWrap = lambda layer: layer) -> None:
        super().__init__()
        width = config.embedding_width
        self.encoder = TGAT(config, wrap)
        self.source = nn.Linear(width, width)
        self.destination = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1)

    def forward(self, blocks: Blocks, num_sources: int) -> torch.Tensor:
        """Logits float32 [B, M] for blocks built from `link_queries` of B = num_sources."""
        embedding = self.encoder(blocks)
        source, destination = embedding[:num_sources], embedding[num_sources:]
        hidden = self.source(source).unsqueeze(1) + self.destination(destination).view(num_sources, -1, source.shape[1])
        logits: torch.Tensor = self.score(functional.relu(hidden)).squeeze(-1)
        return logits
