"""Schedules of libraries and of somebody's own, and what wraps them: what an absolute change means under each."""

import math
import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.optim import SGD, AdamW, Optimizer, lr_scheduler

from seedbed.change import ChangeEngine, Delta, LearningRate, Operation, Parameter, Scale, Schedule, Set, summary
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal

STEPS, AT = 16, 6


class Logged(lr_scheduler.LambdaLR):
    """A subclass that logs what it writes."""

    def __init__(self, optimizer: Optimizer, curve: Callable[[int], float]) -> None:
        self.written: list[list[float]] = []
        super().__init__(optimizer, curve)

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        self.written.append([float(rate) for rate in self.get_last_lr()])


class Own(lr_scheduler.CosineAnnealingLR):
    """A subclass that replaces the curve."""

    def get_lr(self) -> list[float | Tensor]:
        return [0.05 + 0.05 * math.cos(self.last_epoch) for _ in self.base_lrs]


class TimmLike:
    """The interface of timm's schedulers: told the number of updates, they compute each rate from base values.

    A group may have an `lr_scale`, by which its rate is multiplied. It warms up in a line and decays by a cosine.
    """

    param_group_field = "lr"

    def __init__(self, optimizer: Any, t_initial: int, lr_min: float, warmup_t: int, warmup_lr_init: float) -> None:
        self.optimizer, self.t_initial, self.lr_min = optimizer, t_initial, lr_min
        self.warmup_t, self.warmup_lr_init, self.num_updates = warmup_t, warmup_lr_init, 0
        self.base_values = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self.update_groups([warmup_lr_init] * len(self.base_values))

    def _get_lr(self, t: int) -> list[float]:
        if t < self.warmup_t:
            return [self.warmup_lr_init + t * (v - self.warmup_lr_init) / self.warmup_t for v in self.base_values]
        share = 0.5 * (1 + math.cos(math.pi * t / self.t_initial))
        return [self.lr_min + (value - self.lr_min) * share for value in self.base_values]

    def update_groups(self, values: list[float]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = value * group.get("lr_scale", 1.0)

    def step_update(self, num_updates: int) -> None:
        self.update_groups(self._get_lr(num_updates))

    def step(self) -> None:
        self.num_updates += 1
        self.step_update(self.num_updates)


class Said:
    """A schedule of somebody's own that says that its curve may be scaled."""

    def __init__(self, optimizer: Optimizer, *, is_proportional: bool) -> None:
        self.optimizer, self.is_proportional, self.num = optimizer, is_proportional, 0
        self.bases = [group["lr"] for group in optimizer.param_groups]

    def step(self) -> None:
        self.num += 1
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = base / (1 + 0.1 * self.num)


SCALED: dict[str, Callable[[Optimizer], Any]] = {
    "a subclass that logs": lambda o: Logged(o, lambda step: 0.9**step),
    "that subclass within a container": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.5, 1.0, 4), Logged(o, lambda step: 0.9**step)], milestones=[4]
    ),
    "timm's": lambda o: TimmLike(o, 20, 1e-3, 4, 1e-2),
    "one's own that says so": lambda o: Said(o, is_proportional=True),
    "wrapped, of PyTorch": lambda o: Accelerated(lr_scheduler.LambdaLR(o, lambda step: 0.9**step), o),
}
PINNED: dict[str, Callable[[Optimizer], Any]] = {
    "a subclass with a curve of its own": lambda o: Own(o, 10),
    "one's own that says that it may not": lambda o: Said(o, is_proportional=False),
    "one's own that says nothing": lambda o: SimpleNamespace(step=Said(o, is_proportional=True).step),
    "wrapped, one's own": lambda o: Accelerated(Own(o, 10), o),
}


class Accelerated:
    """As accelerate's schedulers: no LRScheduler, and holds one as its `scheduler`."""

    def __init__(self, scheduler: Any, optimizer: Optimizer) -> None:
        self.scheduler, self.optimizers = scheduler, [optimizer]

    def step(self) -> None:
        self.scheduler.step()


class AcceleratedOptimizer(Optimizer):
    """As accelerate's optimizers: of the class Optimizer, whose constructor it never calls."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


class AheadOf:
    """A wrapper that holds what it wraps under a name of its own."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._fast, self.param_groups = optimizer, optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self._fast.step(closure)


class LightningLike:
    """As Lightning's optimizers: it takes over what the optimizer has, its class too, and holds it as `_optimizer`."""

    def __init__(self, optimizer: Optimizer) -> None:
        vars(self).update({key: each for key, each in vars(optimizer).items() if key != "step"})
        self._optimizer = optimizer
        self.__class__ = type("Lightning", (LightningLike, type(optimizer)), {})

    def step(self, closure: Any = None) -> Any:
        return self._optimizer.step(closure)


def _twice(optimizer: Optimizer) -> LightningLike:
    return LightningLike(AcceleratedOptimizer(optimizer))


def looped(
    build: Callable[[Optimizer], Any], op: Operation | None, wrap: Callable[[Optimizer], Any] = lambda o: o
) -> tuple[list[list[float]], ChangeEngine]:
    """What each update took from both weights by a gradient of 1, and the engine."""
    weights = [nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2)]
    groups: list[dict[str, Any]] = [{"params": [weights[0]]}, {"params": [weights[1]], "lr_scale": 0.5}]
    optimizer = SGD(groups, lr=0.1)
    wrapped = wrap(optimizer)
    scheduler, used = build(wrapped), list[list[float]]()
    bound = {"lr": LearningRate(wrapped, scheduler)}
    engine = ChangeEngine(MemoryJournal(), bound, [Parameter("lr", "1", low=0.0, high=9.0)])
    for step in range(STEPS):
        if op is not None and step == AT:
            engine.propose(Delta("lr", op, "test", "me"), step)
        before = [each.detach().clone() for each in weights]
        for each in weights:
            each.grad = torch.ones_like(each)
        wrapped.step()
        used.append([float((b - w.detach())[0]) for b, w in zip(before, weights, strict=True)])
        scheduler.step()
    engine.close()
    return used, engine


@pytest.mark.filterwarnings("ignore:The epoch parameter in")
@pytest.mark.parametrize("op", [Scale(0.5), Set(0.03)])
@pytest.mark.parametrize("kind", SCALED)
def test_the_curve_of_a_known_schedule_is_scaled_by_any_change(kind: str, op: Operation) -> None:
    (changed, engine), (twin, _) = looped(SCALED[kind], op), looped(SCALED[kind], None)
    factor = op.resolve(twin[AT][0]) / twin[AT][0]
    for step, (rates, others) in enumerate(zip(changed, twin, strict=True)):
        assert rates == pytest.approx([each * (factor if step >= AT else 1.0) for each in others])
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    _, _, told = summary(engine.history).changes[0].story[3].partition(" is multiplied at each step, with factor ")
    assert (not told) if kind == "wrapped, of PyTorch" else float(told) == pytest.approx(factor)


@pytest.mark.parametrize("kind", PINNED)
def test_under_another_schedule_an_absolute_change_pins_the_rate(kind: str) -> None:
    changed, engine = looped(PINNED[kind], Set(0.03))
    assert [rates[0] for rates in changed[AT:]] == pytest.approx([0.03] * (STEPS - AT))
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    applied = summary(engine.history).changes[0].story[3]
    assert re.fullmatch(r"applied: \S+ read back, pinned: kept at each step, whatever .+ writes", applied)


@pytest.mark.parametrize(
    "wrap", [AcceleratedOptimizer, LightningLike, lambda o: LightningLike(AcceleratedOptimizer(o))]
)
@pytest.mark.parametrize("kind", ["PyTorch's", *SCALED])
def test_wrapped_optimizers_are_seen_through_under_any_schedule(kind: str, wrap: Callable[[Optimizer], Any]) -> None:
    def stock(optimizer: Any) -> Any:
        for name in ("_optimizer", "_fast"):  # Lightning hands the inner one to schedulers
            optimizer = getattr(optimizer, name, optimizer)
        return {**SCALED, "PyTorch's": lambda o: lr_scheduler.OneCycleLR(o, 0.2, 30, cycle_momentum=False)}[kind](
            optimizer
        )

    (changed, engine), (twin, _) = looped(stock, Scale(0.5), wrap), looped(stock, None, wrap)
    assert changed[AT:] == [pytest.approx([0.5 * each for each in others]) for others in twin[AT:]]
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("wraps", [False, True])
def test_a_schedule_of_another_optimizer_is_refused_also_within_a_wrapper(wraps: bool) -> None:
    mine, other = (SGD([nn.Parameter(torch.ones(1))], lr=0.1) for _ in range(2))
    schedules = [Own(other, 10), lr_scheduler.ExponentialLR(other, 0.9), TimmLike(other, 20, 1e-3, 4, 1e-2)]
    for each in schedules:
        with pytest.raises(InvalidInput, match=f"{type(each).__name__} belongs to another optimizer"):
            LearningRate(mine, Accelerated(each, other) if wraps else each)


def test_a_schedule_says_whether_it_is_one() -> None:
    optimizer = SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    assert isinstance(Said(optimizer, is_proportional=True), Schedule)
    assert not isinstance(lr_scheduler.ExponentialLR(optimizer, 0.9), Schedule)


@pytest.fixture
def zero():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch uses what it deprecates itself
        from torch.distributed.optim import ZeroRedundancyOptimizer
    return ZeroRedundancyOptimizer


@pytest.fixture
def process_group():
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("build", [lambda w: SGD(w, lr=0.1, momentum=0.9), lambda w: AdamW(w, lr=0.1)])
@pytest.mark.parametrize("num_rows", [4, 1000])
def test_weights_that_are_split_among_processes_prove_it_by_the_part_that_is_here(
    num_rows: int, build: Callable[[Any], Optimizer]
) -> None:
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = distributed.init_device_mesh("cpu", (1,))
    weight = nn.Parameter(distribute_tensor(torch.ones(num_rows, 2), mesh, [Shard(0)]))
    optimizer = build([weight])
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    for step in range(3):
        if step == 1:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)
        weight.grad = distribute_tensor(torch.linspace(-1, 2, 2 * num_rows).reshape(num_rows, 2), mesh, [Shard(0)])
        optimizer.step()
    assert (engine.history[1].outcome, engine.history[1].story[-1][1].get("step")) == (Outcome.EFFECTIVE, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("holds", [False, True])
def test_a_rate_of_zero_redundancy_is_proven_by_the_update_of_its_inner_optimizer(zero: Any, holds: bool) -> None:
    def run(factor: float | None) -> tuple[list[Tensor], ChangeEngine]:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = zero(model.parameters(), AdamW, lr=1e-2)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
        rate = LearningRate(optimizer, None if holds else scheduler, holds=holds)
        engine = ChangeEngine(MemoryJournal(), {"lr": rate}, [Parameter("lr", "1", low=0.0, high=9.0)])
        seen = list[Tensor]()
        for step in range(6):
            if step == 2 and factor is not None:
                engine.propose(Delta("lr", Scale(factor), "test", "me"), step)
            optimizer.zero_grad()
            model(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
            scheduler.step()
            seen.append(model.weight.detach().clone())
        engine.close()
        return seen, engine

    (changed, engine), (twin, _) = run(0.5), run(None)
    first = next(step for step, (a, b) in enumerate(zip(changed, twin, strict=True), 1) if not torch.equal(a, b))
    assert (engine.history[1].outcome, engine.history[1].story[-1][1].get("step")) == (Outcome.EFFECTIVE, first)
