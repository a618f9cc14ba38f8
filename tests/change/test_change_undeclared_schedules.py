"""Each of PyTorch's schedules, undeclared, runs to its end beside a loop without the change: where both meet, it lost.

The twin is the same loop without the change. A change is lost when the rates of both loops became the same, and that
rate is not the one that was set. It is carried on when the rates keep the ratio that the change gave them.
"""

import inspect
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler, swa_utils
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change import (
    Binding,
    ChangeEngine,
    Delta,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    Parameter,
    Scale,
    Set,
)
from seedbed.change.bindings.schedules._other_schedulers import schedules_built
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = [
    pytest.mark.filterwarnings("ignore:Detected call of"),
    pytest.mark.filterwarnings("ignore:The epoch parameter in"),
]

STEPS = 20
Build = Callable[[SGD], LRScheduler]


def in_sequence(*builds: Build, at: int) -> Build:
    return lambda o: lr_scheduler.SequentialLR(o, [build(o) for build in builds], milestones=[at])


def chained(*builds: Build) -> Build:
    return lambda o: lr_scheduler.ChainedScheduler([build(o) for build in builds])


def decay(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.ExponentialLR(optimizer, 0.9)


def anneal(epochs: int, strategy: Literal["cos", "linear"] = "cos") -> Build:
    return lambda o: SWALR(o, 0.05, epochs, strategy)


CARRYING: dict[str, Build] = {
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda _: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [3, 8, 12], 0.5),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.2, 10),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.2, 1.0, 12),
    "ExponentialLR": decay,
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 12),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1),
    "SequentialLR, one that multiplies begins": in_sequence(
        decay, lambda o: lr_scheduler.MultiplicativeLR(o, lambda _: 0.9), at=8
    ),
    "ChainedScheduler": chained(decay, lambda o: lr_scheduler.StepLR(o, 3, 0.5)),
}
LOSING: dict[str, Build] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 12, 0.01),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 1, 0.01),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 4, cycle_momentum=False),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 30, cycle_momentum=False),
    "SWALR": anneal(12),
    "SWALR, linear": anneal(12, "linear"),
    "SWALR, at once": anneal(0),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2, min_lr=0.011),
    "SequentialLR": in_sequence(decay, anneal(5), at=9),
    "SequentialLR, the second begins anew": in_sequence(anneal(20), decay, at=9),
    "ChainedScheduler": chained(decay, anneal(10)),
    "ChainedScheduler, the other way round": chained(anneal(10), decay),
}


def test_the_schedules_tested_are_all_of_pytorch() -> None:
    own = [*vars(lr_scheduler).values(), *vars(swa_utils).values()]
    kinds = {each.__name__ for each in own if inspect.isclass(each) and issubclass(each, LRScheduler)} - {
        "LRScheduler",
        "_LRScheduler",
    }
    assert kinds == {name.partition(",")[0] for name in {**CARRYING, **LOSING}}


def looped(
    build: Build, factor: float | None, at: int, group: int | None = None
) -> tuple[list[list[float]], ChangeEngine]:
    """The rates that each step used, and the engine, of a loop that scales its rate before step `at`, or does not."""
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer, used = SGD([{"params": [weight]} for weight in weights], lr=0.1), []
    scheduler = build(optimizer)
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(optimizer, group=group)}, [Parameter("lr", "1", low=0.0, high=9.0)]
    )
    for step in range(STEPS):
        if step == at and factor is not None:
            engine.propose(Delta("lr", Scale(factor), "test", "me"), step)
        for weight in weights:
            weight.grad = torch.ones(3)
        used.append([held["lr"] for held in optimizer.param_groups])
        optimizer.step()
        scheduler.step(*([1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))  # type: ignore[arg-type]
    engine.close()
    return used, engine


@pytest.mark.parametrize("factor", [0.3, 3.0])
@pytest.mark.parametrize("at", [1, 6])
@pytest.mark.parametrize("kind", LOSING)
def test_a_schedule_after_which_nothing_is_left_of_the_change_has_lost_it(kind: str, at: int, factor: float) -> None:
    (changed, engine), (untouched, _) = looped(LOSING[kind], factor, at), looped(LOSING[kind], None, at)
    assert changed[at] == pytest.approx([factor * rate for rate in untouched[at]]), "it was made"
    assert changed[-1] == pytest.approx(untouched[-1], rel=1e-9), "and nothing is left"
    assert engine.history[1].outcome is Outcome.FAILED
    assert f"overwritten by {kind.partition(',')[0]}, which is not declared" in engine.history[1].reason


@pytest.mark.parametrize("kind", ["SWALR", "SWALR, linear", "SequentialLR", "ChainedScheduler", "CosineAnnealingLR"])
def test_a_schedule_that_leads_to_a_target_has_lost_the_change_at_the_step_where_it_is_there(kind: str) -> None:
    (changed, engine), (untouched, _) = looped(LOSING[kind], 0.3, 6), looped(LOSING[kind], None, 6)
    met = next(step for step in range(6, STEPS) if changed[step] == pytest.approx(untouched[step], rel=1e-6))
    assert f"at step {met + 1}: " in engine.history[1].reason


@pytest.mark.parametrize("group", [None, 1])
@pytest.mark.parametrize("factor", [0.3, 3.0])
@pytest.mark.parametrize("at", [1, 6])
@pytest.mark.parametrize("kind", CARRYING)
def test_a_schedule_that_keeps_the_ratio_is_not_accused(kind: str, at: int, factor: float, group: int | None) -> None:
    (changed, engine), (untouched, _) = looped(CARRYING[kind], factor, at, group), looped(CARRYING[kind], None, at)
    for rates, others in zip(changed[at:], untouched[at:], strict=True):
        assert rates[1] == pytest.approx(factor * others[1], rel=1e-6)
    assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason


def test_the_floor_of_one_group_counts_where_another_group_is_above_its_own() -> None:
    def build(optimizer: SGD) -> LRScheduler:
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=[0.011, 0.0])

    changed, engine = looped(build, 0.3, 1)
    assert (changed[-1][0], looped(build, None, 1)[0][-1][0]) == (0.011, 0.011)
    assert "group 0's rate was overwritten by ReduceLROnPlateau" in engine.history[1].reason


def test_a_change_that_stands_where_the_schedule_ends_too_is_kept() -> None:
    changed, engine = looped(anneal(12), 0.5, 0)
    assert changed == [pytest.approx([0.05, 0.05])] * STEPS, "the target, and what was set"
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-13, 1.0, 1e200])
def test_a_small_rate_that_was_set_back_before_any_step_is_lost_as_a_large_one_is(scale: float) -> None:
    weight = nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = SGD([weight], lr=scale, weight_decay=scale)
    bound: dict[str, Binding] = {
        "lr": LearningRate(optimizer),
        "decay": GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY),
    }
    engine = ChangeEngine(MemoryJournal(), bound, [Parameter(key, "1", low=0.0, high=1e201) for key in bound])
    for key in bound:
        engine.propose(Delta(key, Set(5 * scale), "test", "me"), 0)
    optimizer.param_groups[0].update(lr=scale, weight_decay=scale)  # the twin without a change holds these too
    weight.grad = torch.full((3,), 1 / scale, dtype=torch.float64)
    optimizer.step()
    assert [record.outcome for record in engine.history.records] == [Outcome.FAILED] * 2


class Foreign(lr_scheduler.StepLR):
    """A scheduler of a class that is not PyTorch's own."""


def test_schedulers_are_searched_for_at_each_change_once_there_was_one_and_later_ones_are_still_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[bool] = []

    def search(optimizer: Optimizer, *, hidden: bool) -> list[LRScheduler]:
        searched.append(hidden)
        return schedules_built(optimizer, hidden=hidden)

    monkeypatch.setattr("seedbed.change.bindings.rates._rebased_rate.schedules_built", search)
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])

    def change_and_step(step: int) -> None:
        engine.propose(Delta("lr", Scale(0.9), "test", "me"), step)
        weight.grad = torch.ones(3)
        optimizer.step()

    change_and_step(0)
    assert not searched, "there was none to be found"
    foreign = Foreign(optimizer, 100)
    for step in range(1, 4):
        change_and_step(step)
    assert searched == [True, False, False]
    late = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    change_and_step(4)
    late.step()
    foreign.optimizer.step()
    assert searched == [True, False, False, False]
    assert "LambdaLR" in engine.history[5].reason
