"""Several schedulers, ones that are built after the change, and code of the loop's own write one rate; twins decide.

The twin is the same loop without the change. A change is lost where the rates of both meet again, and held where they
differ at every step.
"""

from collections.abc import Callable
from math import isclose

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Scale
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of")

STEPS = 12
Move = Callable[[int], object]
"""What the loop does to the rate after a step."""

Loop = Callable[[SGD], Move]


def looped(loop: Loop, step: int, factor: float | None) -> tuple[list[float], ChangeEngine]:
    """The rates used, and the engine, of a loop that scales its rate before the step by the factor."""
    weight = nn.Parameter(torch.ones(3))
    optimizer, used = SGD([weight], lr=0.1), []
    move = loop(optimizer)
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])
    for at in range(STEPS):
        if at == step and factor is not None:
            engine.propose(Delta("lr", Scale(factor), "test", "me"), at)
        weight.grad = torch.tensor([1.0, -2.0, 3.0])
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        move(at)
    engine.close()
    return used, engine


def decided(loop: Loop, step: int, factor: float) -> tuple[bool, ChangeEngine]:
    """Whether the rates of both loops meet again after the change, and the engine."""
    (changed, engine), (without, _) = looped(loop, step, factor), looped(loop, step, None)
    pairs = zip(changed[step:], without[step:], strict=True)
    return any(isclose(one, twin, rel_tol=1e-6) and one != 0 for one, twin in pairs), engine


def in_turn(*builds: Callable[[SGD], LRScheduler]) -> Loop:
    def loop(optimizer: SGD) -> Move:
        schedulers = [build(optimizer) for build in builds]

        def move(at: int) -> None:
            for each in schedulers:
                each.step(*([1.0] if isinstance(each, lr_scheduler.ReduceLROnPlateau) else []))  # type: ignore[arg-type]

        return move

    return loop


def exponential(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.ExponentialLR(optimizer, 0.9)


def computing(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))


def plateau(optimizer: SGD) -> LRScheduler:
    return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)


PAIRS: dict[str, tuple[Loop, str]] = {
    "computes, then multiplies": (in_turn(computing, exponential), "LambdaLR"),
    "multiplies, then computes": (in_turn(exponential, computing), "LambdaLR"),
    "computes, then a plateau": (in_turn(computing, plateau), "LambdaLR"),
    "restarts, then steps": (
        in_turn(
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5), lambda o: lr_scheduler.StepLR(o, 1, gamma=0.9)
        ),
        "CosineAnnealingWarmRestarts",
    ),
    "one cycle, then a function": (
        in_turn(
            lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=30, cycle_momentum=False),
            lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.99),
        ),
        "OneCycleLR",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_scheduler_that_computes_has_overwritten_the_change_whatever_multiplies_after_it(
    name: str, factor: float
) -> None:
    loop, guilty = PAIRS[name]
    met, engine = decided(loop, 2, factor)
    assert met
    assert engine.history[1].outcome is Outcome.FAILED
    assert f"overwritten by {guilty}, which is not declared" in engine.history[1].reason


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_two_that_multiply_carry_the_change_on(factor: float) -> None:
    met, engine = decided(in_turn(exponential, lambda o: lr_scheduler.StepLR(o, 3, 0.5)), 2, factor)
    assert not met
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def reset_by_hand(build: Callable[[SGD], LRScheduler], *metrics: float) -> Loop:
    def loop(optimizer: SGD) -> Move:
        scheduler = build(optimizer)

        def move(at: int) -> None:
            optimizer.param_groups[0]["lr"] = 0.1
            scheduler.step(*metrics)  # type: ignore[arg-type]

        return move

    return loop


@pytest.mark.parametrize(
    "loop",
    [
        reset_by_hand(exponential),
        reset_by_hand(lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=100), 1.0),
        reset_by_hand(lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.9)),
        reset_by_hand(lambda o: lr_scheduler.StepLR(o, 2, 0.9)),
    ],
)
def test_a_rate_set_by_hand_is_lost_and_no_scheduler_that_multiplies_it_hides_that(loop: Loop) -> None:
    met, engine = decided(loop, 2, 0.5)
    assert met
    assert engine.history[1].outcome is Outcome.FAILED


def built_later(build: Callable[[SGD], LRScheduler], moves: int = 1) -> Loop:
    def loop(optimizer: SGD) -> Move:
        schedulers: list[LRScheduler] = []

        def move(at: int) -> None:
            if at == 3:
                schedulers.append(build(optimizer))
            for each in schedulers:
                for _ in range(moves):
                    each.step()

        return move

    return loop


LATER: dict[str, Callable[[SGD], LRScheduler]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 4),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.5, 1.0, 4),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5, 2),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 3), lr_scheduler.CosineAnnealingLR(o, 5)], [3]
    ),
}


@pytest.mark.parametrize("kind", LATER)
@pytest.mark.parametrize("moves", [1, 2, 4])
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_schedule_that_is_built_on_the_changed_rate_carries_it_on(kind: str, moves: int, factor: float) -> None:
    met, engine = decided(built_later(LATER[kind], moves), 1, factor)
    assert not met
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_schedule_that_is_built_later_on_the_rate_from_before_has_lost_the_change() -> None:
    def loop(optimizer: SGD) -> Move:
        exponential(optimizer)  # keeps the first rate as the initial one, which is the base of every later scheduler
        return built_later(computing)(optimizer)

    met, engine = decided(loop, 1, 0.5)
    assert met
    assert engine.history[1].outcome is Outcome.FAILED


class OwnDecay(lr_scheduler.StepLR):
    """A class of somebody's own, whose steps nobody knows."""


@pytest.mark.parametrize("factor", [0.5, 1.2, 2.0])
@pytest.mark.parametrize("own_class", [False, True])
def test_a_large_decay_after_a_raise_is_not_taken_for_an_overwrite(factor: float, own_class: bool) -> None:
    def decays_by_hand(optimizer: SGD) -> Move:
        def move(at: int) -> None:
            if at == 8:
                optimizer.param_groups[0]["lr"] *= 0.1

        return move

    met, engine = decided(in_turn(lambda o: OwnDecay(o, 9, 0.1)) if own_class else decays_by_hand, 2, factor)
    assert not met
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_warm_up_by_hand_has_overwritten_the_change() -> None:
    def warm_up(optimizer: SGD) -> Move:
        def move(at: int) -> None:
            optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, (at + 2) / 10)

        return move

    met, engine = decided(warm_up, 2, 0.5)
    assert met
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_scheduler_that_does_not_know_of_an_added_group_is_left_out() -> None:
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = SGD(weights[:1], lr=0.1)
    patient = lr_scheduler.ReduceLROnPlateau(optimizer, patience=100)
    optimizer.add_param_group({"params": weights[1:], "lr": 0.1})
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(optimizer, group=1)}, [Parameter("lr", "1", low=0.0, high=9.0)]
    )
    later = exponential(optimizer)
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for _ in range(4):
        for weight in weights:
            weight.grad = torch.ones(3)
        optimizer.step()
        later.step()
        patient.step(1.0)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
