"""The live objects of the training plant, and hooks that observe which values its optimizer steps use."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seedbed.change import Binding, ClipNorm
from seedbed.loop.settings import LiveObjects, Settings
from seedbed.runtime import declare, resolve_config
from seedbed.soak.training._settings import CLIP_NORM, DROPOUT, LEARNING_RATE, NO_CLIP, WEIGHT_DECAY
from seedbed.stages import CandidateDraw, LinkDataset, TrainConfig, Trainer, batches
from seedbed.temporal import RankingScores

__all__ = ["LiveTraining", "ObservedStep", "one_thread"]

_PARTS = ("model", "optimizer", "scheduler")


@final
@dataclass(slots=True)
class ObservedStep:
    """One optimizer step as the hooks observed it: the values that it used, and the gradient's 2-norm before clipping.

    `update_ratio` is the 2-norm of the weights' change, divided by that of the weights.
    """

    used: dict[str, float]
    gradient_norm: float
    update_ratio: float = 0.0
    loss: float = field(default=float("nan"))


@final
class LiveTraining:
    """A trainer, and a binding for each of the plant's settings, which are found on it as those of any loop are.

    The values used are observed without the bindings: learning rate and weight decay from the optimizer's group as a
    step begins, dropout from each module as it runs in training mode, the clip norm from the call that clips.
    """

    def __init__(self, config: TrainConfig, data: LinkDataset) -> None:
        asked = {"mode": "compat", "cdc": "off", "amp": "off"}
        self.trainer = Trainer(config, data, declare(resolve_config(code=asked), device=torch.device("cpu")))
        self._config, self._data = config, data
        live = LiveObjects.of(self.trainer.model, self.trainer.optimizer, self.trainer.scheduler)
        found = {each.key: each.binding for each in Settings(live).found}
        self._clip = ClipNorm(self.trainer.optimizer, NO_CLIP)
        self.bindings: Mapping[str, Binding] = {
            LEARNING_RATE: found[LEARNING_RATE],
            WEIGHT_DECAY: found[WEIGHT_DECAY],
            CLIP_NORM: self._clip,
            DROPOUT: found[DROPOUT],
        }
        self._weights = list(self.trainer.model.parameters())
        self._dropout_rates: set[float] = set()
        self._steps: list[ObservedStep] = []
        self._before = torch.empty(0)
        self._register_hooks()

    def step(self, number: int) -> ObservedStep:
        """Take optimizer step `number`, counted from 0. Raises Diverged."""
        self._dropout_rates.clear()
        loss = self.trainer.step(number)
        seen = self._steps.pop()
        seen.loss = loss
        return seen

    def validate(self) -> list[float]:
        """The AP of each batch of validation events. Raises Diverged."""
        settings = self._config.training
        questions = CandidateDraw(("random",), 1, settings.seed, settings.negatives)
        events = self._data.split.validation[: settings.validation_events]
        found = []
        for batch in batches(events, settings.batch_size):
            scores = questions.score(self._data, batch, self.trainer.score)["random"]
            found.append(RankingScores.joined([scores]).metrics()["ap"])
        return found

    def state(self) -> dict[str, Any]:
        """A copy of the states of model, optimizer and scheduler."""
        trainer = self.trainer
        states = (trainer.model.state_dict(), trainer.optimizer.state_dict(), trainer.scheduler.state_dict())
        return copy.deepcopy(dict(zip(_PARTS, states, strict=True)))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a copy that `state` gave."""
        for name in _PARTS:
            getattr(self.trainer, name).load_state_dict(state[name])
        self._steps.clear()

    def _register_hooks(self) -> None:
        for module in self.trainer.model.modules():
            if isinstance(module, nn.Dropout):
                module.register_forward_pre_hook(self._observe_dropout)
        self.trainer.optimizer.register_step_pre_hook(self._before_step)
        self.trainer.optimizer.register_step_post_hook(self._after_step)

    def _observe_dropout(self, module: nn.Module, _args: tuple[Any, ...]) -> None:
        if module.training:
            self._dropout_rates.add(float(module.p))  # type: ignore[arg-type]  # what nn.Dropout holds

    def _before_step(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        limit, norm = self._clip.read(), self._clip.clip(self._weights)
        group = optimizer.param_groups[0]
        used = {LEARNING_RATE: float(group["lr"]), WEIGHT_DECAY: float(group["weight_decay"]), CLIP_NORM: limit}
        if len(self._dropout_rates) == 1:
            used[DROPOUT] = next(iter(self._dropout_rates))
        self._steps.append(ObservedStep(used, float(norm)))
        self._before = _flat(self._weights)

    def _after_step(self, _optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        moved = torch.linalg.vector_norm(_flat(self._weights) - self._before)
        self._steps[-1].update_ratio = float(moved / torch.linalg.vector_norm(self._before))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread in this block, so that sums have the same order on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _flat(weights: list[nn.Parameter]) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in weights])
