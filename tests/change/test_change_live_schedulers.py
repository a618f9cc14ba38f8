"""The schedulers of an optimizer are found and judged, also where gc.freeze() hides them from the collector."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import ChangeEngine, Delta, GroupSetting, LearningRate, OptimizerSetting, Parameter, Scale
from seedbed.change.bindings.schedules._live_schedulers import momentum_cyclers, whole_schedules
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = pytest.mark.slow  # each puts the whole process before the collector, and aside again

Hide = Callable[[], None]
Build = Callable[[SGD], LRScheduler]
KEPT: list[LRScheduler] = []

BUILDS: dict[str, Build] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 4, cycle_momentum=False),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 30),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.StepLR(o, 2, 0.5), lr_scheduler.MultiplicativeLR(o, lambda _: 0.9)], milestones=[4]
    ),
}


def an_optimizer() -> SGD:
    return SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.5)


def found(optimizer: SGD) -> set[int]:
    return {id(each) for each in whole_schedules(optimizer)}


def test_every_scheduler_is_found_for_its_own_optimizer(hide: Hide) -> None:
    optimizers = {kind: an_optimizer() for kind in BUILDS}
    built = {kind: build(optimizers[kind]) for kind, build in BUILDS.items()}
    hide()
    assert [found(optimizers[kind]) for kind in BUILDS] == [{id(built[kind])} for kind in BUILDS]
    assert whole_schedules(an_optimizer()) == []


def test_one_that_was_built_before_and_one_that_was_built_after_are_both_found(hide: Hide) -> None:
    optimizer = an_optimizer()
    first = BUILDS["ExponentialLR"](optimizer)
    hide()
    second = BUILDS["StepLR"](optimizer)
    assert found(optimizer) == {id(first), id(second)}


def test_one_that_only_a_module_holds_is_found(hide: Hide, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = an_optimizer()
    monkeypatch.setattr(f"{__name__}.KEPT", [BUILDS["StepLR"](optimizer)])
    hide()
    assert [type(each).__name__ for each in whole_schedules(optimizer)] == ["StepLR"]


def test_those_that_cycle_the_momentum_are_found_and_named(hide: Hide) -> None:
    optimizer = an_optimizer()
    cycler = lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, 4)
    hide()
    other = BUILDS["StepLR"](optimizer)
    assert momentum_cyclers(optimizer) == [cycler]
    binding = GroupSetting(optimizer, OptimizerSetting.MOMENTUM)
    engine = ChangeEngine(MemoryJournal(), {"m": binding}, [Parameter("m", "1", low=0.0, high=1.0)])
    engine.propose(Delta("m", Scale(0.5), "because", "somebody"), 0)
    for _ in range(3):
        take_step(optimizer, [cycler, other])
    assert "momentum was overwritten by CyclicLR, which cycles it" in engine.history[1].reason


def take_step(optimizer: SGD, schedulers: list[LRScheduler]) -> float:
    """The rate that the step used."""
    used = float(optimizer.param_groups[0]["lr"])
    for weight in optimizer.param_groups[0]["params"]:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    for scheduler in schedulers:
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0)
        else:
            scheduler.step()
    return used


@pytest.mark.parametrize(
    ("before", "after", "outcome", "named"),
    [
        (["LambdaLR"], [], Outcome.FAILED, "by LambdaLR, which"),
        (["CyclicLR"], [], Outcome.FAILED, "by CyclicLR, which"),
        (["CosineAnnealingLR"], [], Outcome.EFFECTIVE, ""),
        (["StepLR"], [], Outcome.EFFECTIVE, ""),
        (["ReduceLROnPlateau"], [], Outcome.EFFECTIVE, ""),
        (["SequentialLR"], [], Outcome.EFFECTIVE, ""),
        (["LambdaLR"], ["ExponentialLR"], Outcome.FAILED, "LambdaLR"),
        (["ExponentialLR"], ["StepLR"], Outcome.EFFECTIVE, ""),
        (["ExponentialLR"], ["LambdaLR"], Outcome.FAILED, "LambdaLR"),
    ],
)
def test_a_change_is_judged_by_all_of_them(
    hide: Hide, before: list[str], after: list[str], outcome: Outcome, named: str
) -> None:
    """The twin is the same loop without the change: a change is lost where both have the same rate."""
    optimizers = [an_optimizer() for _ in range(2)]
    hidden = [[BUILDS[kind](each) for kind in before] for each in optimizers]
    hide()
    schedulers = [[*each, *(BUILDS[kind](optimizers[at]) for kind in after)] for at, each in enumerate(hidden)]
    parameter = Parameter("lr", "1", low=0.0, high=9.0)
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizers[0])}, [parameter])
    engine.propose(Delta("lr", Scale(0.5), "because", "somebody"), 0)
    rates, twin = ([take_step(optimizers[at], schedulers[at]) for _ in range(6)] for at in (0, 1))
    ratio = 1.0 if outcome is Outcome.FAILED else 0.5
    assert rates[-1] == pytest.approx(ratio * twin[-1], rel=1e-9)
    assert engine.history[1].outcome is outcome
    assert named in engine.history[1].reason
