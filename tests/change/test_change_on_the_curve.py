"""A rate may stand on the curve of an undeclared schedule though nothing was overwritten; twin loops say what is true.

It stands there after a change was taken back, and where the scheduler was built after the change. The schedule may
move more than once between two optimizer steps: per micro-batch, or where mixed precision skips a step.
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
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 60),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.2, 10), lr_scheduler.StepLR(o, 3, 0.5)]
    ),
}


def cosine(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.CosineAnnealingLR(optimizer, 12, 0.01)


def looped(
    build: Build,
    changes: dict[int, float],
    built: int = 0,
    told: int | None = None,
    moves: int = 1,
    skipped: tuple[int, ...] = (),
) -> tuple[list[float], ChangeEngine]:
    """The rates used, and the engine, of a loop that scales its rate before the steps of `changes`.

    Its scheduler is `built` after the change at that step, told its epoch once, after step `told`, and moves so often
    after each step, also after those `skipped`.
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
        if step not in skipped:
            optimizer.step()
        for _ in range(moves):
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


@pytest.mark.parametrize(("moves", "skipped"), [(2, ()), (3, ()), (1, (4,)), (1, (5, 6)), (2, (7,))])
@pytest.mark.parametrize("kind", MULTIPLYING)
def test_a_schedule_that_moves_more_than_once_between_two_steps_carries_the_change_on(
    kind: str, moves: int, skipped: tuple[int, ...]
) -> None:
    changed, engine = looped(MULTIPLYING[kind], {1: 0.5, 3: 2.0}, moves=moves, skipped=skipped)
    without, _ = looped(MULTIPLYING[kind], {1: 0.5}, moves=moves, skipped=skipped)
    assert changed[3:] == in_proportion(without[3:], 2.0)
    assert engine.history[2].outcome is Outcome.EFFECTIVE, engine.history[2].reason


@pytest.mark.parametrize("kind", MULTIPLYING)
def test_a_rate_that_somebody_else_set_and_the_only_change_puts_back_is_carried_on_too(kind: str) -> None:
    def halved(optimizer: SGD) -> LRScheduler:
        scheduler = MULTIPLYING[kind](optimizer)
        optimizer.param_groups[0]["lr"] *= 0.5
        return scheduler

    (changed, engine), (without, _) = looped(halved, {2: 2.0}, moves=2), looped(halved, {}, moves=2)
    assert changed[2:] == in_proportion(without[2:], 2.0)
    assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason


@pytest.mark.parametrize(("kind", "back"), [("StepLR", 2.0), ("ExponentialLR", 0.9**-2), ("MultiStepLR", 2.0)])
def test_a_change_back_to_an_earlier_rate_of_the_curve_is_overwritten_by_a_told_epoch(kind: str, back: float) -> None:
    changed, engine = looped(MULTIPLYING[kind], {6: back}, told=6)
    without, _ = looped(MULTIPLYING[kind], {})
    assert any(changed[6] == pytest.approx(rate) for rate in without[:6]), "the schedule has been there"
    assert changed[7:] == in_proportion(without[7:], 1.0), "nothing is left of it"
    assert engine.history[1].outcome is Outcome.FAILED


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_a_sequence_that_begins_its_next_schedule_between_two_steps_has_overwritten_the_change(moves: int) -> None:
    def in_sequence(optimizer: SGD) -> LRScheduler:
        first, second = lr_scheduler.ConstantLR(optimizer, 1.0, 2), lr_scheduler.ExponentialLR(optimizer, 0.9)
        return lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[7])

    changed, engine = looped(in_sequence, {1: 0.5}, moves=moves)
    without, _ = looped(in_sequence, {}, moves=moves)
    begun = next(step for step in range(STEPS) if step * moves >= 7)
    assert changed[begun - 1] == pytest.approx(without[begun - 1] / 2)
    assert changed[begun:] == in_proportion(without[begun:], 1.0)
    assert f"at step {begun + 1}: " in engine.history[1].reason
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_product_of_schedules_one_of_which_ends_between_two_steps_carries_the_change_on() -> None:
    def product(optimizer: SGD) -> LRScheduler:
        parts = [lr_scheduler.StepLR(optimizer, 4, 0.5), lr_scheduler.ConstantLR(optimizer, 0.2, 10)]
        return lr_scheduler.ChainedScheduler(parts)

    changed, engine = looped(product, {1: 0.5, 2: 2.0}, moves=3)
    without, _ = looped(product, {1: 0.5}, moves=3)
    assert changed[2:] == in_proportion(without[2:], 2.0)
    assert engine.history[2].outcome is Outcome.EFFECTIVE, engine.history[2].reason


@pytest.mark.parametrize("moves", [1, 2])
@pytest.mark.parametrize(("least", "factor"), [(0.001, 0.5), (0.001, 10.0), (0.01, 0.1)])
def test_a_cosine_that_rises_from_its_floor_adds_and_does_not_carry_the_change_on(
    least: float, factor: float, moves: int
) -> None:
    def rising(optimizer: SGD) -> LRScheduler:
        return lr_scheduler.CosineAnnealingLR(optimizer, 4, least)

    turn = 4 // moves
    changed, engine = looped(rising, {turn: factor}, moves=moves)
    without, _ = looped(rising, {}, moves=moves)
    assert [without[turn], changed[turn]] == pytest.approx([least, factor * least])
    assert changed[turn + 1] != pytest.approx(factor * without[turn + 1], rel=0.1), "the factor is not kept"
    assert f"at step {turn + 2}: " in engine.history[1].reason
    assert "overwritten by CosineAnnealingLR" in engine.history[1].reason


def test_a_schedule_that_leads_the_changed_rate_below_0_does_not_carry_it_on() -> None:
    def rising(optimizer: SGD) -> LRScheduler:
        return lr_scheduler.CosineAnnealingLR(optimizer, 10, 0.001)

    changed, engine = looped(rising, {11: 0.1})
    assert changed[12] < 0
    assert "overwritten by CosineAnnealingLR" in engine.history[1].reason


@pytest.mark.parametrize(("least", "outcome"), [(1e-6, Outcome.EFFECTIVE), (2e-6, Outcome.FAILED)])
def test_a_plateau_that_multiplies_to_its_least_rate_carries_the_change_on_and_one_that_is_stopped_there_does_not(
    least: float, outcome: Outcome
) -> None:
    def lowered(change: bool) -> tuple[list[float], ChangeEngine]:
        weight = nn.Parameter(torch.ones(3))
        optimizer, used = SGD([weight], lr=1e-4), []
        plateau = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2, min_lr=least)
        engine = ChangeEngine(
            MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)]
        )
        for step in range(6):
            if step == 1 and change:
                engine.propose(Delta("lr", Scale(0.1), "test", "me"), step)
            weight.grad = torch.ones(3)
            used.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            plateau.step(1.0)
        engine.close()
        return used, engine

    (changed, engine), (without, _) = lowered(True), lowered(False)
    assert [without[-1], changed[-1]] == pytest.approx([1e-5, least])
    assert engine.history[1].outcome is outcome, engine.history[1].reason
