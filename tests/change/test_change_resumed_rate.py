"""A resumed watch knows what the uninterrupted one knows: both loops end with the same outcome and the same rates."""

from collections.abc import Callable
from copy import deepcopy
from math import isclose

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import Binding, ChangeEngine, Delta, GroupSetting, LearningRate, OptimizerSetting, Parameter, Scale
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of")

LIMITS = [Parameter(key, "1", 0.0, 99.0) for key in ("lr", "decay")]
Build = Callable[[SGD], LRScheduler]


def made(build: Build | None, *, declared: bool = False) -> tuple[SGD, LRScheduler | None, LearningRate]:
    optimizer = SGD([nn.Parameter(torch.ones(3))], lr=0.1, weight_decay=0.1)
    scheduler = None if build is None else build(optimizer)
    return optimizer, scheduler, LearningRate(optimizer, scheduler if declared else None)


def ended(
    build: Build | None, by_hand: Callable[[int], float | None], *, declared: bool, resumes: bool, factor: float = 0.5
) -> tuple[list[Outcome], list[float]]:
    """The outcomes and the rates of eight steps, changed at step 1 and resumed in new objects after step 3."""
    journal = MemoryJournal()
    optimizer, scheduler, rate = made(build, declared=declared)

    def open_engine() -> ChangeEngine:
        bound: dict[str, Binding] = {"lr": rate, "decay": GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY)}
        return ChangeEngine(journal, bound, LIMITS)

    engine, used = open_engine(), []
    for at in range(8):
        if at == 1:
            engine.propose_all([Delta(key, Scale(factor), "test", "me") for key in ("lr", "decay")], at)
        group = optimizer.param_groups[0]
        group["params"][0].grad = torch.tensor([1.0, -2.0, 3.0])
        used.append(group["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step(*([1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))  # type: ignore[arg-type]
        moved = by_hand(at)
        if moved is not None:
            group["lr"] *= moved
            group["weight_decay"] *= moved
        if at == 3:
            kept = engine.state(step=at + 1)
            if resumes:
                saved = [deepcopy(each.state_dict()) for each in (optimizer, scheduler) if each is not None]
                optimizer, scheduler, rate = made(build, declared=declared)
                optimizer.load_state_dict(saved[0])
                if scheduler is not None:
                    scheduler.load_state_dict(saved[1])
                engine = open_engine()
                engine.resume(kept)
    engine.close()
    return [each.outcome for each in engine.history.records], used


CASES: dict[str, tuple[Build | None, Callable[[int], float | None], Outcome]] = {
    "a decay by hand": (None, lambda at: 0.9, Outcome.EFFECTIVE),
    "set back by hand before the checkpoint": (None, lambda at: 2.0 if at == 3 else None, Outcome.FAILED),
    "a factor of 1.8 after it": (
        lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 1.8 if t == 6 else 1.0),
        lambda at: None,
        Outcome.EFFECTIVE,
    ),
    "a schedule that multiplies": (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda at: None, Outcome.EFFECTIVE),
    "one that computes from after the checkpoint on": (
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o, 1.0, 9), lr_scheduler.LambdaLR(o, lambda t: 1.0)], [6]
        ),
        lambda at: None,
        Outcome.FAILED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_loop_ends_as_the_uninterrupted_one(name: str) -> None:
    build, by_hand, wanted = CASES[name]
    factor = 0.3 if "1.8" in name else 0.5
    whole = ended(build, by_hand, declared=False, resumes=False, factor=factor)
    assert ended(build, by_hand, declared=False, resumes=True, factor=factor) == whole
    assert whole[0][0] is wanted


def test_a_loss_is_seen_when_a_checkpoint_is_taken() -> None:
    optimizer, _, rate = made(None)
    engine = ChangeEngine(MemoryJournal(), {"lr": rate}, LIMITS[:1])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    optimizer.param_groups[0]["lr"] = 0.1
    engine.state(step=0)
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_declared_plateau_beside_an_undeclared_schedule_carries_the_change_on() -> None:
    used: list[list[float]] = []
    for factor in (2.0, None):
        optimizer, plateau, rate = made(
            lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1), declared=True
        )
        assert plateau is not None
        other = lr_scheduler.ExponentialLR(optimizer, 0.99)
        engine = ChangeEngine(MemoryJournal(), {"lr": rate}, LIMITS[:1])
        used.append([])
        for at in range(8):
            if at == 0 and factor is not None:
                engine.propose(Delta("lr", Scale(factor), "test", "me"), at)
            optimizer.param_groups[0]["params"][0].grad = torch.tensor([1.0, -2.0, 3.0])
            used[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            plateau.step(1.0)  # type: ignore[arg-type]
            other.step()
        if factor is not None:
            outcome = engine.history[1].outcome
    assert all(isclose(rate, 2 * twin) for rate, twin in zip(*used, strict=True))
    assert outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize(
    ("build", "factor", "outcome"),
    [
        (
            lambda o: [
                lr_scheduler.ChainedScheduler(
                    [lr_scheduler.MultiplicativeLR(o, lambda t: 0.7), lr_scheduler.ConstantLR(o, 0.5, 3)]
                )
            ],
            2.0,
            Outcome.EFFECTIVE,
        ),
        (
            lambda o: [
                lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.001),
                lr_scheduler.MultiplicativeLR(o, lambda t: 0.99),
            ],
            2.0,
            Outcome.FAILED,
        ),
        (lambda o: [lr_scheduler.StepLR(o, 5000, 0.1)] * 700, 10.0, Outcome.EFFECTIVE),
    ],
    ids=["a factor in a chain", "a rise from the floor", "many steps"],
)
def test_several_steps_of_schedulers_between_two_of_the_optimizer(
    build: Callable[[SGD], list[LRScheduler]], factor: float, outcome: Outcome
) -> None:
    optimizer, _, rate = made(None)
    engine = ChangeEngine(MemoryJournal(), {"lr": rate}, LIMITS[:1])
    schedulers: list[LRScheduler] = []
    for at in range(10):
        if at == 0:
            is_late = factor == 10.0  # built after the change
            schedulers = [] if is_late else build(optimizer)
            engine.propose(Delta("lr", Scale(factor), "test", "me"), at)
            schedulers = build(optimizer) if is_late else schedulers
        optimizer.param_groups[0]["params"][0].grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
        for each in [*schedulers, *schedulers]:
            each.step()
    engine.close()
    assert engine.history[1].outcome is outcome, engine.history[1].reason
