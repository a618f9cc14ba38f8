"""A rollback takes back what no step was seen to use: to what a loop without those changes holds, or it refuses."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest
from test_change_learning_rate import STOCK, an_optimizer, train_step
from torch.optim import SGD, Adam, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import (
    ChangeEngine,
    Delta,
    GroupSetting,
    Kind,
    LearningRate,
    OptimizerSetting,
    Parameter,
    Scale,
    Set,
)
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, StoreUnavailable
from seedbed.records import Entry, MemoryJournal


def bound(optimizer: Optimizer, scheduler: LRScheduler | None, group: int | None = None) -> ChangeEngine:
    binding = LearningRate(optimizer, scheduler, group)
    return ChangeEngine(MemoryJournal(), {"lr": binding}, [Parameter("lr", "1", 0.0, 100.0)])


def schedule_alone(scheduler: LRScheduler) -> None:
    with warnings.catch_warnings():  # that no step of the optimizer came before
        warnings.simplefilter("ignore")
        scheduler.step(1.0) if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else scheduler.step()


UNTOLD = ("SequentialLR", "MultiplicativeLR", "warm-up, then LambdaLR", "warm-up, then MultiplicativeLR")
"""They call a function of the loop's and multiply: what they found before a step is not told by where it led."""


@pytest.mark.parametrize("moves", [False, True], ids=["at once", "after the schedule moved"])
@pytest.mark.parametrize("group", [None, 1])
@pytest.mark.parametrize("kind", STOCK)
def test_a_rollback_leads_back_to_the_loop_that_never_made_the_unproven_changes(
    kind: str, group: int | None, moves: bool
) -> None:
    used: list[list[list[float]]] = []
    for is_twin in (False, True):
        optimizer = an_optimizer()
        scheduler = STOCK[kind](optimizer)
        engine = bound(optimizer, scheduler, group)
        rates = [train_step(optimizer, scheduler)]
        kept = engine.propose(Delta("lr", Scale(0.7), "kept", "me"), step=1)
        rates += [train_step(optimizer, scheduler) for _ in range(4)]
        assert engine.history[kept.id].outcome is Outcome.EFFECTIVE
        assert engine.rollback(step=5) == (), "the schedule moved a value that is in use"
        if not is_twin:
            engine.propose(Delta("lr", Scale(0.6), "bad", "me"), step=5)
            engine.propose(Delta("lr", Scale(11.0), "worse", "me"), step=5)
        if moves:
            schedule_alone(scheduler)
        if not is_twin and moves and kind in UNTOLD:
            with pytest.raises(Conflict, match="nobody knows"):
                engine.rollback(step=5)
            return
        if not is_twin:
            (back,) = engine.rollback(step=5)
        used.append([*rates, *(train_step(optimizer, scheduler) for _ in range(12))])
        if not is_twin:
            assert engine.history[back.id].outcome is Outcome.EFFECTIVE
            engine.require_effective()
    assert used[0] == [pytest.approx(rates, rel=1e-9) for rates in used[1]]


def test_a_change_that_was_in_use_is_not_rolled_back_under_a_schedule() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Set(0.02), "bad", "me"), step=0)
    for _ in range(3):
        train_step(optimizer, scheduler)
    assert engine.rollback(step=3) == ()
    assert optimizer.param_groups[0]["lr"] == 0.0025


def test_where_an_undeclared_scheduler_took_a_change_away_there_is_nothing_to_take_back() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
    engine = bound(optimizer, None)
    engine.propose(Delta("lr", Set(0.04), "r", "me"), step=0)
    for _ in range(3):
        train_step(optimizer, scheduler)
    assert engine.history[1].outcome is Outcome.FAILED
    assert engine.rollback(step=3) == ()
    assert optimizer.param_groups[0]["lr"] == 1e-2 / 8


def test_a_rollback_of_an_overwritten_rate_leads_back_to_the_declared_schedule_that_computes_it() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Set(0.04), "r", "me"), step=0)
    train_step(optimizer, scheduler)
    optimizer.param_groups[0]["lr"] = 3.0
    train_step(optimizer, None)
    assert engine.history[1].outcome is Outcome.FAILED
    with pytest.raises(Conflict, match="may compute from it at a later step"):
        engine.rollback(step=2)  # what other code wrote stands until the schedule steps
    schedule_alone(scheduler)
    (back,) = engine.rollback(step=2)
    assert (back.after, optimizer.param_groups[0]["lr"]) == (0.0025, 0.0025)


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("kind", [each for each in STOCK if "Plateau" not in each])
def test_where_a_schedule_was_replaced_by_its_former_one_nothing_is_taken_back(kind: str, looked: bool) -> None:
    optimizer = an_optimizer()
    scheduler = STOCK[kind](optimizer)
    kept = [deepcopy(each.state_dict()) for each in (optimizer, scheduler)]
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    optimizer.load_state_dict(kept[0])
    scheduler.load_state_dict(kept[1])
    before = [group["lr"] for group in optimizer.param_groups]
    if looked:
        train_step(optimizer, None)
    assert engine.rollback(step=1) == ()
    assert engine.history[1].outcome is Outcome.FAILED, "a rollback looks before it acts"
    assert [group["lr"] for group in optimizer.param_groups] == before
    assert len(engine.history.records) == 1


MOVES: dict[str, tuple[Callable[[Optimizer], LRScheduler] | float, bool]] = {
    "a schedule of its own": (lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda t: 0.95**t), True),
    "restarts": (lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7), True),
    "set back by hand": (0.008, True),
    "a factor": (lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9), False),
    "a floor": (lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 7, eta_min=1e-3), False),
    "lowered by hand": (0.004, False),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_nobody_declared_moved_on_is_refused_and_what_it_overwrote_is_left(name: str) -> None:
    move, is_lost = MOVES[name]
    optimizer = an_optimizer()
    scheduler = None if isinstance(move, float) else move(optimizer)
    engine = bound(optimizer, None)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    if isinstance(move, float):
        optimizer.param_groups[0]["lr"] = move
    elif scheduler is not None:
        schedule_alone(scheduler)
    before = optimizer.param_groups[0]["lr"]
    if is_lost:
        assert engine.rollback(step=0) == ()
    else:
        with pytest.raises(Conflict, match="declare the scheduler"):
            engine.rollback(step=0)
    assert (optimizer.param_groups[0]["lr"], len(engine.history.records)) == (before, 1)


@pytest.mark.parametrize("kind", ["StepLR", "ExponentialLR", "MultiplicativeLR", "ReduceLROnPlateau"])
def test_a_rate_that_other_code_set_is_left_where_the_declared_schedule_only_multiplies_it(kind: str) -> None:
    optimizer = an_optimizer()
    scheduler = STOCK[kind](optimizer)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    optimizer.param_groups[0]["lr"] = 0.01  # what the loop without a change holds
    train_step(optimizer, scheduler)
    before = [group["lr"] for group in optimizer.param_groups]
    assert engine.rollback(step=1) == ()
    assert [group["lr"] for group in optimizer.param_groups] == before


def test_a_move_by_an_undeclared_scheduler_beside_a_declared_one_is_refused() -> None:
    optimizer = an_optimizer()
    declared, other = lr_scheduler.StepLR(optimizer, 30), lr_scheduler.ExponentialLR(optimizer, 0.9)
    engine = bound(optimizer, declared)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    schedule_alone(declared)
    schedule_alone(other)
    with pytest.raises(Conflict, match="declare the scheduler"):
        engine.rollback(step=0)


@pytest.mark.parametrize(
    ("build", "num_steps", "refusal"),
    [
        (lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4), 4, "a rate of 0 has no ratio"),
        (lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda t: float(t != 1)), 1, "a rate of 0 has no ratio"),
        (
            lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=5e-3),
            2,
            "where every rate ends up",
        ),
    ],
)
def test_where_a_schedule_stands_at_its_end_a_rollback_is_refused_until_it_has_left_it(
    build: Callable[[Optimizer], LRScheduler], num_steps: int, refusal: str
) -> None:
    optimizer = an_optimizer()
    scheduler = build(optimizer)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Scale(2.0), "r", "me"), step=0)
    for _ in range(num_steps):
        schedule_alone(scheduler)
    with pytest.raises(Conflict, match=refusal):
        engine.rollback(step=0)
    assert len(engine.history.records) == 1
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        return
    twin = an_optimizer()
    untouched = build(twin)
    for _ in range(num_steps + 1):
        schedule_alone(untouched)
    schedule_alone(scheduler)
    engine.rollback(step=0)
    found = [group["lr"] for group in optimizer.param_groups]
    assert found == pytest.approx([group["lr"] for group in twin.param_groups])


@pytest.mark.parametrize("setting", OptimizerSetting)
def test_a_rollback_of_a_group_setting_sets_it_back_unless_other_code_moved_it_on(setting: OptimizerSetting) -> None:
    weights, is_momentum = [*an_optimizer().param_groups[0]["params"]], setting is OptimizerSetting.MOMENTUM
    optimizer = SGD(weights, momentum=0.8) if is_momentum else Adam(weights, weight_decay=0.4)
    binding = GroupSetting(optimizer, setting)
    engine = ChangeEngine(MemoryJournal(), {"it": binding}, [Parameter("it", "1", 0.0, 1.0)])
    before = binding.read()
    engine.propose(Delta("it", Scale(0.25), "bad", "me"), step=0)
    engine.rollback(step=0)
    assert binding.read() == before
    assert engine.rollback(step=0) == ()
    engine.propose(Delta("it", Scale(0.25), "bad", "me"), step=0)
    binding.write(0.9 * before)  # as other code does
    assert engine.rollback(step=0) == ()
    assert (binding.read(), engine.history[3].outcome) == (0.9 * before, Outcome.FAILED)


def test_a_weight_decay_that_other_code_multiplied_is_not_guessed() -> None:
    optimizer = SGD([*an_optimizer().param_groups[0]["params"]], lr=0.1, weight_decay=0.4)
    binding = GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY)
    engine = ChangeEngine(MemoryJournal(), {"it": binding}, [Parameter("it", "1", 0.0, 1.0)])
    engine.propose(Delta("it", Scale(0.25), "bad", "me"), step=0)
    optimizer.param_groups[0]["weight_decay"] *= 0.5
    with pytest.raises(Conflict, match="the value was moved on"):
        engine.rollback(step=0)


class Full(MemoryJournal):
    """A journal whose disk is full when it should note that a change was applied."""

    is_full = True

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        if self.is_full and any(kind == Kind.APPLIED for kind, _ in records):
            raise StoreUnavailable("no space left")
        return super().append_all(records)


def test_a_rollback_settles_first_what_a_disk_error_left_open_and_refuses_before_a_resume() -> None:
    optimizer, journal, declared = an_optimizer(), Full(), [Parameter("lr", "1", 0.0, 100.0)]
    engine = ChangeEngine(journal, {"lr": LearningRate(optimizer)}, declared)
    with pytest.raises(StoreUnavailable):
        engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    journal.is_full = False
    assert optimizer.param_groups[0]["lr"] == 5e-3
    later = ChangeEngine(journal, {"lr": LearningRate(optimizer)}, declared)
    with pytest.raises(Conflict, match="call resume"):
        later.rollback(step=0)
    (back,) = engine.rollback(step=0)
    assert (back.before, back.after, optimizer.param_groups[0]["lr"]) == (5e-3, 1e-2, 1e-2)
