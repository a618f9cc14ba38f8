"""The live training state: model, optimizer and scheduler, one step at a time.

Every step draws its negatives, neighbours and dropout by (seed, step), and an evaluation its neighbours by the seed and
the question alone. So a resumed run gives the same results as an uninterrupted one, without the stored state of any
generator, and scores do not depend on the batches of an evaluation.
"""

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from torch.nn import functional

from seedbed.errors import Diverged
from seedbed.runtime import Contract
from seedbed.stages._config import TrainConfig, TrainingSettings
from seedbed.stages._dataset import LinkDataset
from seedbed.temporal import LinkPredictor, QuestionDraw, TGATConfig
from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._link_queries import PairScale, link_queries

__all__ = ["Trainer"]

_DIVERGED = "lower training.learning_rate, or look at the features, and start a new run"


@final
class Trainer:
    """Owns model, optimizer and scheduler; `step` trains one batch, and `score` scores candidates."""

    def __init__(self, config: TrainConfig, data: LinkDataset, contract: Contract) -> None:
        settings = config.training
        self.data = data
        self._seed, self._batch_size, self._contract = settings.seed, settings.batch_size, contract
        self._uniform, self._among = config.model.neighbours == "uniform", settings.negatives
        self.steps_per_epoch = math.ceil(len(data.split.train) / settings.batch_size)
        self.num_steps = self.steps_per_epoch * settings.epochs
        self.evaluate_every = math.ceil(self.steps_per_epoch / settings.evaluations_per_epoch)
        torch.manual_seed(settings.seed)
        model = LinkPredictor(
            _widths(config, data),
            lambda layer: contract.compile(layer, dynamic=True),
            pair_features=config.model.pair_features,
        )
        self.model = model.to(contract.device)
        self._history = data.history if config.model.pair_features else None
        self._pair_scale = PairScale(*data.periods, len(data.split.train))
        self.optimizer = torch.optim.Adam(_groups(self.model, settings), lr=settings.learning_rate, fused=True)
        shape = _warmup_cosine(settings.warmup_steps, self.num_steps) if settings.schedule == "warmup_cosine" else _flat
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, shape)
        self._used_rate: float | None = None

    @property
    def learning_rate(self) -> float:
        """The learning rate that the last optimizer step used; before the first `step`, the one that it will use.

        The optimizer holds the next step's rate as soon as a step is taken, and a change may still replace that.
        """
        return float(self.optimizer.param_groups[0]["lr"]) if self._used_rate is None else self._used_rate

    def batch(self, step: int) -> range:
        """The training events of a step; steps are counted from 0 over all epochs."""
        first = (step % self.steps_per_epoch) * self._batch_size
        return range(first, min(first + self._batch_size, len(self.data.split.train)))

    def step(self, step: int) -> float:
        """Take one optimizer step over one batch and return its mean binary cross-entropy.

        Raises Diverged, before the step, when the loss is not finite.
        """
        self.model.train()
        rng = np.random.default_rng((self._seed, 1, step))
        torch.manual_seed(int(rng.integers(2**62)))
        source, destination, time = self.data.events(self.batch(step))
        candidates = np.column_stack([destination, self.data.negatives.random(time, 1, rng, self._among)])
        loss = self._loss(self._logits(source, candidates, time, QuestionDraw((self._seed, 1, step))))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"step {step + 1}: the loss is {value}; {_DIVERGED}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._used_rate = float(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        self.scheduler.step()
        return value

    @torch.no_grad()
    def score(self, source: Int64, candidates: Int64, time: Int64) -> Float64:
        """Logits float64 [B, M] of sources [B] against candidates [B, M] at times [B], in evaluation mode.

        Raises Diverged when any is not finite.
        """
        self.model.eval()
        scores: Float64 = self._logits(source, candidates, time, QuestionDraw((self._seed, 2))).double().cpu().numpy()
        if not np.isfinite(scores).all():
            raise Diverged(f"an evaluation's scores are not all finite; {_DIVERGED}")
        return scores

    def _logits(self, source: Int64, candidates: Int64, time: Int64, draw: QuestionDraw) -> torch.Tensor:
        device, asked = self._contract.device, link_queries(source, candidates, time)
        blocks = self.data.builder.build(asked.node, asked.time, draw=draw if self._uniform else None).to(device)
        links = asked.links(self._history, self._pair_scale).to(device)
        with self._contract.autocast():
            logits: torch.Tensor = self.model(blocks, links)
        return logits.float()

    @staticmethod
    def _loss(logits: torch.Tensor) -> torch.Tensor:
        """The mean binary cross-entropy; the first candidate of each row is the true one."""
        truth = torch.zeros_like(logits)
        truth[:, 0] = 1.0
        return functional.binary_cross_entropy_with_logits(logits, truth)


def _groups(model: LinkPredictor, settings: TrainingSettings) -> list[dict[str, Any]]:
    """The optimizer's parameter groups: the decoder's pair features, if it has them, come last, at their own rate."""
    pair = list(model.pair_parameters())
    of_pair = {id(parameter) for parameter in pair}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in of_pair]
    return [{"params": rest}, *([{"params": pair, "lr": settings.pair_learning_rate}] if pair else [])]


def _widths(config: TrainConfig, data: LinkDataset) -> TGATConfig:
    shortest, longest = data.periods
    model = config.model
    return TGATConfig(
        num_nodes=data.stream.num_nodes,
        num_features=data.builder.num_features,
        num_neighbours=model.num_neighbours,
        node_width=model.node_width,
        time_width=model.time_width,
        embedding_width=model.embedding_width,
        num_heads=model.num_heads,
        dropout=model.dropout,
        shortest=shortest,
        longest=longest,
    )


def _flat(step: int) -> float:  # noqa: ARG001  a schedule takes the step
    return 1.0


def _warmup_cosine(warmup: int, total: int) -> Callable[[int], float]:
    """A factor that rises over `warmup` steps to 1 and falls along half a cosine to a tenth at `total`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = min(1.0, (step - warmup) / max(1, total - warmup))
        return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))

    return factor
