"""Every pair of PyTorch's schedulers, undeclared, side by side, chained or in sequence: the twin loop decides.

Where the rates of both loops meet again, or only one of them arrives at a floor, the change is lost; where they keep
their ratio at every step, it is carried on.
"""

from collections.abc import Callable
from itertools import combinations
from math import isclose

import pytest
import torch
from test_change_other_writers import Loop, Move, decided, in_turn, looped
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change import ChangeEngine, Delta, LearningRate, Parameter, Scale
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of", "ignore:To get the last learning rate")

Build = Callable[[SGD], LRScheduler]

KINDS: dict[str, Build] = {
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "rising": lambda o: lr_scheduler.ExponentialLR(o, 1.1),
    "step": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "multi-step": lambda o: lr_scheduler.MultiStepLR(o, [4, 7], 0.3),
    "constant": lambda o: lr_scheduler.ConstantLR(o, 0.3, 5),
    "warm-up": lambda o: lr_scheduler.LinearLR(o, 0.2, 1.0, 6),
    "to zero": lambda o: lr_scheduler.LinearLR(o, end_factor=0.0, total_iters=6),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 9, 2.0),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
    "cosine to a floor": lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.01),
    "function": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.95**t),
    "factor": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.93),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=3),
    "averaging": lambda o: SWALR(o, 0.0217, 6),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5),
    "cycle": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.2, 4, cycle_momentum=False),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 4), lr_scheduler.ExponentialLR(o, 0.9)], [4]
    ),
}
CHAINED = ("exponential", "step", "constant", "polynomial", "factor", "function")


def chained(*builds: Build) -> Loop:
    return in_turn(lambda o: lr_scheduler.ChainedScheduler([build(o) for build in builds]))


LOOPS: dict[str, Loop] = {
    **{kind: in_turn(build) for kind, build in KINDS.items()},
    **{f"{one} beside {other}": in_turn(KINDS[one], KINDS[other]) for one, other in combinations(KINDS, 2)},
    **{f"{one} chained to {other}": chained(KINDS[one], KINDS[other]) for one, other in combinations(CHAINED, 2)},
}


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.5, 1.2])
@pytest.mark.parametrize("name", LOOPS)
def test_what_the_twin_loop_uses_decides_on_every_pair(name: str, factor: float) -> None:
    at = 2
    (changed, engine), (without, _) = looped(LOOPS[name], at, factor), looped(LOOPS[name], at, None)
    pairs = [(rate, twin) for rate, twin in zip(changed[at:], without[at:], strict=True) if abs(twin) > 1e-15]
    met = any(isclose(rate, twin, rel_tol=1e-6) for rate, twin in pairs)
    is_kept = all(isclose(rate, factor * twin, rel_tol=1e-6) for rate, twin in pairs)
    assert met or is_kept or any(floor in name for floor in ("floor", "averaging", "cycle")), "the twin tells"
    if met:
        assert engine.history[1].outcome is Outcome.FAILED
    elif is_kept:
        assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason


def by_hand(factor: float, *builds: Build) -> Loop:
    """The schedulers step, and the loop multiplies after them."""

    def loop(optimizer: SGD) -> Move:
        move = in_turn(*builds)(optimizer)

        def both(at: int) -> None:
            move(at)
            optimizer.param_groups[0]["lr"] *= factor

        return both

    return loop


@pytest.mark.parametrize("build", [KINDS["sequence"], KINDS["averaging"], KINDS["restarts"]])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_what_multiplies_after_a_scheduler_that_wiped_the_change_out_brings_nothing_back(
    build: Build, factor: float
) -> None:
    met, engine = decided(by_hand(0.9, build), 2, factor)
    assert met
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_rate_below_the_floor_of_a_plateau_stays_below_it_and_the_change_is_carried_on() -> None:
    def least(optimizer: SGD) -> LRScheduler:
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=0.06)

    met, engine = decided(in_turn(lambda o: lr_scheduler.ExponentialLR(o, 0.85), least), 5, 2.0)
    assert not met
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("factor", [1.9, 2.5])
def test_a_factor_that_leads_to_near_the_former_rate_is_open_until_the_next_ones_tell(factor: float) -> None:
    met, engine = decided(in_turn(lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: factor)), 2, 0.5)
    assert not met
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_declared_warm_up_by_factors_carries_the_change_on() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    scheduler = lr_scheduler.MultiplicativeLR(optimizer, lambda t: 2.0 if t <= 5 else 0.9)
    rate = LearningRate(optimizer, scheduler)
    engine = ChangeEngine(MemoryJournal(), {"lr": rate}, [Parameter("lr", "1", 0.0, 99.0)])
    for at in range(8):
        if at == 1:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), at)
        weight.grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
        scheduler.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("declares", [False, True])
def test_schedulers_built_between_two_changes_and_stepped_twice_are_known(declares: bool) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    first = lr_scheduler.ExponentialLR(optimizer, 0.99)
    other = lr_scheduler.StepLR(optimizer, 7, 5.0)
    engine = ChangeEngine(
        MemoryJournal(),
        {"lr": LearningRate(optimizer, first if declares else None)},
        [Parameter("lr", "1", 0.0, 99.0)],
    )
    moved: list[LRScheduler] = [first, other, other]
    for at in range(16):
        if at in {1, 3}:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), at)
        if at == 4 and not declares:
            del optimizer.param_groups[0]["initial_lr"]
            moved[:] = [lr_scheduler.LambdaLR(optimizer, lambda t: 0.8**t)]  # on the changed rate
        weight.grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
        for each in moved:
            each.step()
    assert [each.outcome for each in engine.history.records] == [Outcome.EFFECTIVE] * 2


@pytest.mark.parametrize(("group", "factor"), [(None, 1.0), (None, 0.01), (1, 1.0), (1, 0.1)])
def test_a_group_that_is_set_back_by_hand_is_lost_whatever_becomes_of_the_other(
    group: int | None, factor: float
) -> None:
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = SGD([{"params": [each]} for each in weights], lr=0.1)
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(optimizer, group=group)}, [Parameter("lr", "1", 0.0, 9.0)]
    )
    for at in range(6):
        if at == 1:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), at)
        if at == 3:
            optimizer.param_groups[0]["lr"] *= factor
            optimizer.param_groups[1]["lr"] = 0.098  # as a loop without the change does
        for each in weights:
            each.grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
    assert engine.history[1].outcome is Outcome.FAILED
