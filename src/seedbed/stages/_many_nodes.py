"""Whether there are so many nodes that their embedding, rather than the events, decides what a step costs.

Every node has a row of weights. The gradient has all rows, and Adam reads and writes all of them with their two moments
in every step, also those of nodes that the batch does not have.
"""

import logging
from collections.abc import Iterator

from seedbed.stages._config import ModelSettings

__all__ = ["embedding_bytes", "too_many_nodes", "warn_of_many_nodes"]

_MOST_WEIGHTS = 300_000 * 172  # 300,000 nodes of the default width
_SECONDS_A_WEIGHT = 0.246 / _MOST_WEIGHTS  # measured: 0.152 s of processor time to make the gradient, 0.094 s in Adam
_BYTES_A_WEIGHT = 4 * 4  # the weight, its gradient and two moments, float32 each

_logger = logging.getLogger("seedbed.stages")


def embedding_bytes(model: ModelSettings, num_nodes: int) -> int:
    """The memory of the nodes' embedding while it is trained by Adam."""
    return num_nodes * model.node_width * _BYTES_A_WEIGHT


def warn_of_many_nodes(model: ModelSettings, num_nodes: int) -> None:
    """Log a warning when the embedding is too large to train well, before hours are spent on it."""
    for sentence in too_many_nodes(model, num_nodes):
        _logger.warning("%s", sentence)


def too_many_nodes(model: ModelSettings, num_nodes: int) -> Iterator[str]:
    """What the embedding costs and what helps, in a sentence; nothing up to 300,000 nodes of the default width."""
    num_weights = num_nodes * model.node_width
    if num_weights <= _MOST_WEIGHTS:
        return
    narrower = _MOST_WEIGHTS // num_nodes
    smaller = f"set model.node_width to {narrower} or less, or " if narrower else ""
    yield (
        f"{num_nodes:,} nodes of model.node_width {model.node_width}: their embedding takes "
        f"{embedding_bytes(model, num_nodes) / 1e9:.1f} GB of memory while it is trained, and some "
        f"{num_weights * _SECONDS_A_WEIGHT:.2g} seconds of each step on one thread, since all of it is updated "
        f"every time; {smaller}give events of fewer nodes"
    )
