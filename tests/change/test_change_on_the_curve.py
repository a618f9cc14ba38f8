"""A rate may stand on the curve of an undeclared schedule though nothing was overwritten; twin loops say what is true.

It stands there after a change was taken back, and where the scheduler was built after the change.
"""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Scale
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = [
    pytest.mark.filterwarnings("ignore:Detected call of"),
    pytest.mark.filterwarnings("ignore:The epoch parameter in"),
]

STEPS = 16
Build = Callable[[SGD], LRScheduler]
MULTIPLYING: dict[str, Build] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [5, 8, 12], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 12),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.2, 1.0, 12),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.2, 10),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 40),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.2, 10), lr_scheduler.StepLR(o, 3, 0.5)]
    ),
}


def cosine(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.CosineAnnealingLR(optimizer, 12, 0.01)


def looped(
    build: Build, changes: dict[int, float], built: int = 0, told: int | None = None
) -> tuple[list[float], ChangeEngine]:
    """The rates used, and the engine, of a loop that scales its rate before the steps of `changes`.

    Its scheduler is `built` after the change at that step, and told its epoch once, after step `told`.
    """
    weight = nn.Parameter(torch.ones(3))
    optimizer, used = SGD([weight], lr=0.1), []
    scheduler = build(optimizer) if built == 0 else None
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    for step in range(STEPS):
        if step in changes:
            engine.propose(Delta("lr", Scale(changes[step]), "test", "me"), step)
        if step == built != 0:
            scheduler = build(optimizer)
        weight.grad = torch.ones(3)
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step(*([step + 1] if step == told else []))
    engine.close()
    return used, engine


def in_proportion(rates: list[float], factor: float) -> list[object]:
    return [pytest.approx(factor * rate, rel=1e-6, abs=1e-15) for rate in rates]


@pytest.mark.parametrize("kind", MULTIPLYING)
def test_a_change_that_takes_another_back_is_carried_on(kind: str) -> None:
    changed, engine = looped(MULTIPLYING[kind], {1: 0.5, 4: 2.0})
    without, _ = looped(MULTIPLYING[kind], {1: 0.5})
    assert changed[4:] == in_proportion(without[4:], 2.0)
    assert engine.history[2].outcome is Outcome.EFFECTIVE, engine.history[2].reason


@pytest.mark.parametrize("built", [2, 3])
@pytest.mark.parametrize("kind", MULTIPLYING)
def test_a_schedule_built_after_the_change_carries_it_on(kind: str, built: int) -> None:
    changed, engine = looped(MULTIPLYING[kind], {2: 0.5}, built)
    without, _ = looped(MULTIPLYING[kind], {}, built)
    assert changed[2:] == in_proportion(without[2:], 0.5)
    assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason


@pytest.mark.parametrize("kind", ["StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "LinearLR"])
def test_a_schedule_that_is_told_its_epoch_has_overwritten_the_change(kind: str) -> None:
    changed, engine = looped(MULTIPLYING[kind], {6: 0.3}, told=6)
    without, _ = looped(MULTIPLYING[kind], {})
    assert changed[7:] == in_proportion(without[7:], 1.0), "nothing is left of it"
    assert f"overwritten by {kind}" in engine.history[1].reason
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_change_that_takes_another_back_is_lost_at_the_target() -> None:
    (changed, engine), (without, _) = looped(cosine, {1: 0.5, 4: 2.0}), looped(cosine, {1: 0.5})
    assert changed[11] != pytest.approx(without[11])
    assert changed[12] == pytest.approx(without[12])
    assert "at step 13: " in engine.history[2].reason
    assert engine.history[2].outcome is Outcome.FAILED
