"""Of an optimizer of somebody's own, copies that make the step again show which value it used, and touch nothing."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from seedbed.change import ChangeEngine, Delta, GroupSetting, LearningRate, OptimizerSetting, Parameter, Scale
from seedbed.change.bindings.proof._optimizers import known_class
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

AT = 3


def grad_of(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


class Own(Optimizer):
    """An optimizer of somebody's own: a sign of a momentum, with decay; its step counts in a tensor of the group."""

    def __init__(self, params: Any, lr: float = 0.1, *, momentum: float = 0.9, weight_decay: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.num_steps = 0
        for group in self.param_groups:
            group["step"] = torch.tensor(0.0)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        loss = None if closure is None else self.evaluated(closure)
        self.num_steps += 1
        for group in self.param_groups:
            group["step"] += 1
            for weight in group["params"]:
                self.update(group, weight)
        return loss

    def evaluated(self, closure: Callable[[], Tensor]) -> Tensor:
        with torch.enable_grad():
            return closure()

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        held = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        held.mul_(group["momentum"]).add_(grad_of(weight))
        weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(held.sign(), alpha=-group["lr"])


class Noisy(Own):
    """Draws at every step."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        weight.add_(grad_of(weight) + torch.randn_like(weight) * random.random(), alpha=-group["lr"])


class WholeNorm(Own):
    """Divides by the norm of all gradients together."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        norm = torch.stack([grad_of(w).norm() for each in self.param_groups for w in each["params"]]).norm()
        weight.sub_(grad_of(weight) / norm * group["lr"])


class Perturbed(Own):
    """Sharpness-aware: evaluates twice, the second time at a point beside the first."""

    def evaluated(self, closure: Callable[[], Tensor]) -> Tensor:
        loss = super().evaluated(closure)
        moved = [(w, grad_of(w).sign() * 0.01) for group in self.param_groups for w in group["params"]]
        for weight, by in moved:
            weight.add_(by)
        super().evaluated(closure)
        for weight, by in moved:
            weight.sub_(by)
        return loss


class Ahead(Own):
    """Moves the weights before it evaluates, as schedule-free methods with closures do."""

    def evaluated(self, closure: Callable[[], Tensor]) -> Tensor:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.mul_(0.999)
        return super().evaluated(closure)


class ScheduleFree(Own):
    """Averages what it steps, with a weight that grows with the rates so far, and warms up by itself."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        rate = group["lr"] * min(1.0, float(group["step"]) / 4)
        group["largest"] = max(rate, group.get("largest", 0.0))
        group["sum"] = group.get("sum", 0.0) + group["largest"] ** 2
        base = self.state[weight].setdefault("base", weight.clone())
        base.sub_(grad_of(weight), alpha=rate)
        weight.lerp_(base, group["largest"] ** 2 / group["sum"])


class Wrapping(Own):
    """Steps an optimizer that it holds, over the same groups, and then moves on by itself."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr)
        self.inner = SGD(self.param_groups[0]["params"], lr=lr, momentum=0.9)
        self.param_groups = self.inner.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        loss = None if closure is None else self.evaluated(closure)
        self.inner.step()
        for weight in self.param_groups[0]["params"]:
            weight.mul_(1 - 0.01 * self.param_groups[0]["lr"])
        return loss


KINDS: dict[str, Callable[[list[nn.Parameter]], Optimizer]] = {
    each.__name__: each for each in (Own, Noisy, WholeNorm, Perturbed, Ahead, ScheduleFree, Wrapping)
}


def looped(
    build: Callable[[list[nn.Parameter]], Optimizer], factor: float | None, *, closure: bool = False, num_steps: int = 8
) -> tuple[list[list[Tensor]], ChangeEngine, Optimizer]:
    """The weights after each step, the engine and the optimizer of a loop that scales its rate before step AT."""
    torch.manual_seed(0)
    random.seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    optimizer, seen = build([*model.parameters()]), list[list[Tensor]]()
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    for step in range(num_steps):
        if factor is not None and step == AT:
            engine.propose(Delta("lr", Scale(factor), "test", "me"), step)
        x = torch.randn(6, 4)

        def evaluate(x: Tensor = x) -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = model(x).square().mean()
            loss.backward()
            return loss

        if closure:
            optimizer.step(evaluate)  # type: ignore[arg-type]
        else:
            evaluate()
            optimizer.step()
        seen.append([each.detach().clone() for each in model.parameters()])
    engine.close()
    return seen, engine, optimizer


def first_apart(some: list[list[Tensor]], others: list[list[Tensor]]) -> int | None:
    pairs = enumerate(zip(some, others, strict=True), start=1)
    return next((step for step, (one, other) in pairs if not all(map(torch.equal, one, other))), None)


@pytest.mark.parametrize("factor", [0.5, 1.001])
@pytest.mark.parametrize("closure", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_effective_at_the_step_where_the_weights_first_differ(
    kind: str, closure: bool, factor: float
) -> None:
    changed, engine, optimizer = looped(KINDS[kind], factor, closure=closure)
    untouched, _, _ = looped(KINDS[kind], None, closure=closure)
    assert known_class(optimizer) is None
    assert (engine.history[1].outcome, engine.history[1].story[-1][1].get("step")) == (
        Outcome.EFFECTIVE,
        first_apart(changed, untouched),
    ), engine.history[1].reason


@pytest.mark.parametrize("closure", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_is_the_same_with_a_proof_as_with_a_plain_assignment(kind: str, closure: bool) -> None:
    def by_hand(weights: list[nn.Parameter]) -> Optimizer:
        optimizer = KINDS[kind](weights)
        num_steps = 0

        def halve(*_: object) -> None:
            nonlocal num_steps
            num_steps += 1
            optimizer.param_groups[0]["lr"] *= 0.5 if num_steps == AT else 1.0

        optimizer.register_step_post_hook(halve)
        return optimizer

    proven, _, _ = looped(KINDS[kind], 0.5, closure=closure)
    plain, _, _ = looped(by_hand, None, closure=closure)
    assert first_apart(proven, plain) is None, "the same weights, to the last bit: the copies drew and moved nothing"


def test_a_copy_counts_nothing_and_calls_no_hook() -> None:
    calls = list[str]()

    def build(weights: list[nn.Parameter]) -> Optimizer:
        optimizer = Wrapping(weights)
        optimizer.register_step_post_hook(lambda *_: calls.append("outer"))
        optimizer.inner.register_step_post_hook(lambda *_: calls.append("inner"))
        return optimizer

    handle = register_optimizer_step_post_hook(lambda *_: calls.append("all"))
    _, engine, _ = looped(build, 0.5)
    handle.remove()
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert sorted(calls) == sorted(["outer", "inner", "all", "all"] * 8)
    _, _, counting = looped(Own, 0.5)
    assert isinstance(counting, Own)
    assert (counting.num_steps, float(counting.param_groups[0]["step"])) == (8, 8.0)


class ReadsDefaults(Own):
    """Its rate is the one that it was built with."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        weight.sub_(grad_of(weight), alpha=self.defaults["lr"])


class CountsBeforeIt(ReadsDefaults):
    """As that, and it changes a setting of its group before it evaluates."""

    def evaluated(self, closure: Callable[[], Tensor]) -> Tensor:
        self.param_groups[0]["scale"] = self.param_groups[0].get("scale", 1.0) * 0.5
        return super().evaluated(closure)

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        weight.sub_(grad_of(weight), alpha=self.defaults["lr"] * group.get("scale", 1.0))


CACHED: dict[int, float] = {}


class Caches(Own):
    """Keeps the first rate outside of itself, and steps with that."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        weight.sub_(grad_of(weight), alpha=CACHED.setdefault(id(self), group["lr"]))


class CountsOutside(Own):
    """Its update depends on a count that no copy has, and not on the rate."""

    counts: Iterator[int] = iter(range(10**6))

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        weight.sub_(grad_of(weight), alpha=1 / (10 + next(type(self).counts)))


@pytest.mark.parametrize("closure", [False, True])
@pytest.mark.parametrize("kind", [ReadsDefaults, CountsBeforeIt, CountsOutside])
def test_one_that_does_not_read_the_rate_has_not_shown_a_use(kind: type[Own], closure: bool) -> None:
    _, engine, _ = looped(kind, 0.5, closure=closure)
    assert engine.history[1].outcome is Outcome.UNKNOWN, engine.history[1].reason
    assert f"{kind.__name__} is no optimizer of torch.optim, and " in engine.history[1].reason


def test_one_that_went_on_with_the_former_rate_is_said_to_have_failed() -> None:
    CACHED.clear()
    _, engine, _ = looped(Caches, 0.5)
    assert engine.history[1].outcome is Outcome.FAILED
    assert "at step 4: expected 0.05, found 0.1; the update was not made with it" in engine.history[1].reason


AVERAGE = torch.zeros(2)


class WritesOutside(Own):
    """Keeps an average of the weights that somebody else holds."""

    def update(self, group: dict[str, Any], weight: Tensor) -> None:
        super().update(group, weight)
        if weight.shape == AVERAGE.shape:
            AVERAGE.add_(weight)


def test_a_copy_that_would_write_to_what_is_not_its_own_is_stopped_before_it_does() -> None:
    AVERAGE.zero_()
    _, engine, _ = looped(WritesOutside, 0.5)
    with_proof = AVERAGE.clone()
    assert engine.history[1].outcome is Outcome.UNKNOWN
    assert "it writes to a tensor that is not its own (aten.add_.Tensor)" in engine.history[1].reason
    AVERAGE.zero_()
    looped(lambda w: SGD(w, lr=0.1), None)
    assert torch.equal(AVERAGE, torch.zeros(2))
    looped(WritesOutside, None)
    assert not torch.equal(with_proof, torch.zeros(2))


class Locked(Own):
    """Holds what cannot be copied."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.lock = threading.Lock()


def test_one_that_cannot_be_copied_stays_unknown_with_the_reason() -> None:
    _, engine, _ = looped(Locked, 0.5)
    assert engine.history[1].outcome is Outcome.UNKNOWN
    assert "Locked is no optimizer of torch.optim, and it cannot be copied: TypeError" in engine.history[1].reason


class Careless(Own):
    """Raises for a step that nobody asked for."""

    def step(self, closure: Any = None) -> Any:
        if self.num_steps == AT and "_seedbed_hub" not in vars(self):
            raise KeyError("not mine")
        return super().step(closure)


def test_a_copy_that_raises_leaves_the_loop_alone() -> None:
    _, engine, _ = looped(Careless, 0.5)
    assert (engine.history[1].outcome, engine.history[1].story[-1][1]["step"]) == (Outcome.EFFECTIVE, AT + 2)


@pytest.mark.parametrize("setting", [OptimizerSetting.MOMENTUM, OptimizerSetting.WEIGHT_DECAY])
def test_its_other_settings_are_proven_in_the_same_way(setting: OptimizerSetting) -> None:
    weight = nn.Parameter(torch.linspace(-1, 1, 8))
    optimizer = Own([weight])
    engine = ChangeEngine(
        MemoryJournal(), {"x": GroupSetting(optimizer, setting)}, [Parameter("x", "1", low=0.0, high=1.0)]
    )
    for step in range(4):
        if step == 1:
            engine.propose(Delta("x", Scale(0.1), "test", "me"), step)
        weight.grad = torch.linspace(-1, 2, 8) if step % 2 else torch.linspace(2, -3, 8)
        optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_of_a_large_model_a_part_is_copied() -> None:
    weights = [nn.Parameter(torch.ones(num)) for num in (2**20, 5, 2**10)]
    optimizer = Own(weights)
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_hook_that_clips_after_the_copy_was_made_changes_nothing_of_the_proof() -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer = WholeNorm([weight, nn.Parameter(torch.ones(2))])
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)

    def clip(*_: object) -> None:
        grad_of(weight).mul_(0.1)

    optimizer.register_step_pre_hook(clip)
    for each in optimizer.param_groups[0]["params"]:
        each.grad = torch.ones_like(each)
    optimizer.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE
