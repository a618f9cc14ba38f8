"""Link prediction: how likely each source meets each of its candidate destinations at its time."""

from collections.abc import Iterator
from typing import final

import torch
from torch import nn
from torch.nn import functional

from seedbed.temporal._blocks import Blocks
from seedbed.temporal._link_queries import NUM_PAIR_FEATURES, Links
from seedbed.temporal._tgat import TGAT, LayerWrap, TGATConfig

__all__ = ["LinkPredictor"]

PAIR_WIDTH = 32


@final
class LinkPredictor(nn.Module):
    """TGAT with an MLP decoder. Its first weight is split into source and destination, so each is projected once.

    An embedding says what one node did; neither end's says when these two last met. So with `pair_features` a small
    head reads that (see `pair_features`), and its logit is added.
    """

    def __init__(
        self, config: TGATConfig, wrap: LayerWrap = lambda layer: layer, *, pair_features: bool = False
    ) -> None:
        super().__init__()
        width = config.embedding_width
        self.encoder = TGAT(config, wrap)
        self.source = nn.Linear(width, width)
        self.destination = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1)
        # The last parameters to be drawn, so that all others begin alike with it and without.
        self.pair = _pair_head() if pair_features else None

    def pair_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of the head that reads pair features; none without it."""
        return iter(()) if self.pair is None else self.pair.parameters()

    def forward(self, blocks: Blocks, links: Links) -> torch.Tensor:
        """Logits float32 [B, M] for the links of `link_queries`, and the blocks built from its nodes and times."""
        embedding = self.encoder(blocks)
        source = self.source(embedding[: links.num_sources])
        destination = self.destination(embedding[links.num_sources :])
        hidden = functional.embedding(links.source, source) + functional.embedding(links.destination, destination)
        logits = self.score(functional.relu(hidden))
        if self.pair is not None:
            logits = logits + self.pair(links.past)
        candidates: torch.Tensor = functional.embedding(links.candidate, logits).squeeze(-1)
        return candidates


def _pair_head() -> nn.Module:
    return nn.Sequential(nn.Linear(NUM_PAIR_FEATURES, PAIR_WIDTH), nn.ReLU(), nn.Linear(PAIR_WIDTH, 1))
