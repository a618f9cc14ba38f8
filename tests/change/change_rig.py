"""A small training loop that uses every setting there is a binding for, with the circumstances that change how."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from seedbed.change import (
    Accumulation,
    BatchSize,
    Binding,
    ClipNorm,
    DropoutRate,
    Freeze,
    GroupSetting,
    LearningRate,
    LossWeight,
    LossWeights,
    MixtureSampler,
    MixtureWeight,
    OptimizerSetting,
    ResizableBatchSampler,
    UseReport,
    track_batches,
)


class Net(nn.Module):
    """An encoder with normalisation and dropout, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.encoder(x)))


@dataclass
class Rig:
    """One loop: `micro` is a micro-batch, `step` a whole optimizer step."""

    fused: bool = False
    amp: bool = False
    compile_model: bool = False
    compile_step: bool = False
    seen: list[UseReport] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.model = Net()
        groups = [{"params": [*part.parameters()], "name": name} for name, part in self.model.named_children()]
        self.optimizer = AdamW([each for each in groups if each["params"]], lr=torch.tensor(1e-2), fused=self.fused)
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"].clone()
        self.run = torch.compile(self.model, backend="eager") if self.compile_model else self.model
        self._step = torch.compile(self.optimizer.step, backend="eager") if self.compile_step else self.optimizer.step
        self.scaler = torch.amp.GradScaler("cpu", enabled=self.amp, init_scale=1024.0)
        self.weights = LossWeights({"main": 1.0, "aux": 0.1})
        self.clip = ClipNorm(self.optimizer, 1e-3)
        self.mixture = MixtureSampler({"near": 50, "far": 70}, {"near": 1.0, "far": 1.0}, 120, seed=3)
        self.batches = ResizableBatchSampler(self.mixture, 4, drop_last=True)
        self.accumulation = Accumulation(self.optimizer)
        self.feed = self._feed()

    def _feed(self) -> Iterator[list[Tensor]]:
        made = torch.Generator().manual_seed(1)
        sets = [TensorDataset(torch.randn(n, 3, generator=made), torch.randn(n, 1, generator=made)) for n in (50, 70)]
        joined: ConcatDataset[tuple[Tensor, ...]] = ConcatDataset(sets)
        loader = DataLoader(joined, batch_sampler=self.batches)
        return chain.from_iterable(track_batches(each, self.batches, self.mixture) for each in repeat(loader))

    def micro(self) -> None:
        """The forward and backward pass of one micro-batch."""
        x, y = next(self.feed)
        out = self.run(x)
        loss = self.weights.combine({"main": (out - y).square().mean(), "aux": out.square().mean()})
        self.scaler.scale(loss).backward()

    def update(self, *, poisoned: bool = False) -> None:
        """The optimizer step for the gradients gathered; poisoned ones are not finite, and mixed precision skips it."""
        if poisoned:
            gradient = self.model.head.weight.grad
            assert gradient is not None
            gradient.fill_(float("inf"))
        self.scaler.unscale_(self.optimizer)
        self.clip.clip(self.model.parameters())
        if self.amp:
            self.scaler.step(self.optimizer)
        else:
            self._step()
        self.scaler.update()
        self.optimizer.zero_grad()

    def step(self, *, poisoned: bool = False) -> None:
        for _ in range(self.accumulation.number()):
            self.micro()
        self.update(poisoned=poisoned)


@dataclass(frozen=True)
class BindingCase:
    """One binding: how it is built on a loop, the value to set, and a rival that takes it back."""

    build: Callable[[Rig], Binding]
    value: float
    rival: Callable[[Rig], object]
    in_forward: bool = False


def _set(key: str, value: object) -> Callable[[Rig], object]:
    return lambda rig: rig.optimizer.param_groups[0].update({key: value})


CASES: dict[str, BindingCase] = {
    "lr": BindingCase(lambda r: LearningRate(r.optimizer), 0.25, _set("lr", torch.tensor(0.5))),
    "lr of one group": BindingCase(
        lambda r: LearningRate(r.optimizer, group="head"),
        0.25,
        lambda r: r.optimizer.param_groups[1]["lr"].fill_(0.5),
    ),
    "weight decay": BindingCase(
        lambda r: GroupSetting(r.optimizer, OptimizerSetting.WEIGHT_DECAY), 0.25, _set("weight_decay", 0.5)
    ),
    "beta1": BindingCase(
        lambda r: GroupSetting(r.optimizer, OptimizerSetting.BETA1), 0.75, _set("betas", (0.5, 0.999))
    ),
    "beta2": BindingCase(
        lambda r: GroupSetting(r.optimizer, OptimizerSetting.BETA2, "encoder"), 0.75, _set("betas", (0.9, 0.5))
    ),
    "eps": BindingCase(lambda r: GroupSetting(r.optimizer, OptimizerSetting.EPS), 0.25, _set("eps", 0.5)),
    "accumulation": BindingCase(
        lambda r: r.accumulation, 2.0, lambda r: r.accumulation.restore({"accumulation": 1.0}), in_forward=True
    ),
    "clip norm": BindingCase(lambda r: r.clip, 0.5, lambda r: setattr(r.clip, "_max_norm", 0.25)),
    "freeze": BindingCase(
        lambda r: Freeze(r.model, "encoder", r.optimizer), 1.0, lambda r: r.model.encoder.requires_grad_(True)
    ),
    "dropout": BindingCase(
        lambda r: DropoutRate(r.model, r.optimizer), 0.25, lambda r: setattr(r.model.drop, "p", 0.5), in_forward=True
    ),
    "loss weight": BindingCase(
        lambda r: LossWeight(r.weights, "aux", r.optimizer), 0.5, lambda r: r.weights.put("aux", 0.1), in_forward=True
    ),
    "batch size": BindingCase(
        lambda r: BatchSize(r.batches, r.optimizer), 8.0, lambda r: r.batches.resize(4), in_forward=True
    ),
    "mixture": BindingCase(
        lambda r: MixtureWeight(r.mixture, "far", r.optimizer),
        3.0,
        lambda r: r.mixture.put("far", 1.0),
        in_forward=True,
    ),
}
