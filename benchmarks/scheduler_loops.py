"""A small training loop in float64, built by a recipe, under any of PyTorch's schedules.

Gradients are zeroed in place, as zero_grad(set_to_none=False) does.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR
from torch.utils.data import DataLoader, TensorDataset

from seedbed.change import ResizableBatchSampler, track_batches

RATES = (1e-2, 2e-3)
FLOOR = 1e-4
ROWS = 600

Build = Callable[[Optimizer, "Recipe"], LRScheduler | None]


@final
@dataclass(frozen=True)
class Recipe:
    """How a loop is built: factors on each group's base rate and on the schedule's floor, and the other settings."""

    factors: tuple[float, float] = (1.0, 1.0)
    floor: float = 1.0
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.99
    momentum: float | None = None
    frozen: bool = False
    batch_size: int = 4


def _peaks(recipe: Recipe) -> list[float]:
    return [10 * rate * factor for rate, factor in zip(RATES, recipe.factors, strict=True)]


def _sequential(o: Optimizer, recipe: Recipe) -> LRScheduler:
    warm_up = lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=4)
    cosine = lr_scheduler.CosineAnnealingLR(o, T_max=30, eta_min=FLOOR * recipe.floor)
    return lr_scheduler.SequentialLR(o, [warm_up, cosine], milestones=[4])


def _swa(o: Optimizer, recipe: Recipe) -> LRScheduler:
    targets = [0.3 * rate * factor for rate, factor in zip(RATES, recipe.factors, strict=True)]
    return SWALR(o, swa_lr=targets, anneal_epochs=15)  # type: ignore[arg-type]  # it takes one for each group too


def _chained(o: Optimizer, _recipe: Recipe) -> LRScheduler:
    return lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, factor=0.5, total_iters=10), lr_scheduler.ExponentialLR(o, 0.95)]
    )


SCHEDULES: dict[str, Build] = {
    "none": lambda *_: None,
    "LambdaLR": lambda o, _: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t)),
    "StepLR": lambda o, _: lr_scheduler.StepLR(o, step_size=4, gamma=0.5),
    "MultiStepLR": lambda o, _: lr_scheduler.MultiStepLR(o, [5, 9, 14], gamma=0.5),
    "CosineAnnealingLR": lambda o, r: lr_scheduler.CosineAnnealingLR(o, T_max=30, eta_min=FLOOR * r.floor),
    "CosineAnnealingWarmRestarts": lambda o, r: lr_scheduler.CosineAnnealingWarmRestarts(
        o, T_0=5, eta_min=FLOOR * r.floor
    ),
    "OneCycleLR": lambda o, r: lr_scheduler.OneCycleLR(o, max_lr=_peaks(r), total_steps=60),
    "LinearLR": lambda o, _: lr_scheduler.LinearLR(o, start_factor=0.2, total_iters=15),
    "ExponentialLR": lambda o, _: lr_scheduler.ExponentialLR(o, 0.9),
    "ReduceLROnPlateau": lambda o, _: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2),
    "SWALR": _swa,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}


class Net(nn.Module):
    """An encoder and a head, two parameter groups."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 6, dtype=torch.float64)
        self.head = nn.Linear(6, 1, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions [rows, 1] for x [rows, 3]."""
        out: Tensor = self.head(torch.tanh(self.encoder(x)))
        return out


def _data() -> TensorDataset:
    made = torch.Generator().manual_seed(1)
    return TensorDataset(*(torch.randn(ROWS, n, generator=made, dtype=torch.float64) for n in (3, 1)))


@final
class Loop:
    """A training loop built by a recipe; it reads its rows in order, beginning at `first`."""

    def __init__(self, schedule: str, recipe: Recipe, first: int = 0) -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.model.encoder.requires_grad_(not recipe.frozen)
        self.optimizer = _optimizer(self.model, recipe)
        self.scheduler = SCHEDULES[schedule](self.optimizer, recipe)
        self.batches = ResizableBatchSampler(range(first, ROWS), recipe.batch_size)
        self.row = first
        self._feed: Iterator[list[Tensor]] = track_batches(
            DataLoader(_data(), batch_sampler=self.batches), self.batches
        )

    def step(self) -> None:
        """One optimizer step and one step of the schedule."""
        x, y = next(self._feed)
        self.row += len(x)
        self.optimizer.zero_grad(set_to_none=False)
        (self.model(x) - y).square().mean().backward()
        self.optimizer.step()
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(1.0)
        elif self.scheduler is not None:
            self.scheduler.step()

    def weights(self) -> Tensor:
        """All weights in one vector."""
        return torch.cat([weight.detach().flatten() for weight in self.model.parameters()])

    def saved(self) -> dict[str, Any]:
        """The state_dicts of model, optimizer and scheduler, as a script saves them."""
        kept = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return copy.deepcopy(kept | ({"scheduler": self.scheduler.state_dict()} if self.scheduler else {}))

    def load(self, saved: dict[str, Any]) -> None:
        """Load such states as a script does."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(saved["scheduler"])

    def take_moments(self, other: "Loop") -> None:
        """Copy the weights and the optimizer's moments of another loop, but not its settings."""
        self.model.load_state_dict(other.model.state_dict())
        moments = copy.deepcopy(other.optimizer.state_dict()["state"])
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})

    def rate(self, group: int) -> float:
        """A group's present learning rate."""
        return float(self.optimizer.param_groups[group]["lr"])


def _optimizer(model: Net, recipe: Recipe) -> Optimizer:
    rates = [rate * factor for rate, factor in zip(RATES, recipe.factors, strict=True)]
    parts = (model.encoder, model.head)
    groups: list[dict[str, Any]] = [
        {"params": [*part.parameters()], "lr": rate} for part, rate in zip(parts, rates, strict=True)
    ]
    if recipe.momentum is not None:
        return SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    return AdamW(groups, betas=(recipe.beta1, recipe.beta2), weight_decay=recipe.weight_decay)
