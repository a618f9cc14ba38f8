"""What a rollback does where other code wrote too: as a twin loop without the changes, or nothing at all."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from test_change_learning_rate import STOCK, an_optimizer, train_step
from test_change_rollback import bound, schedule_alone
from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import (
    BatchSize,
    ChangeEngine,
    ChangeState,
    Delta,
    DropoutRate,
    LearningRate,
    Parameter,
    RateRule,
    ResizableBatchSampler,
    Scale,
    Set,
)
from seedbed.contracts import Outcome
from seedbed.errors import Conflict
from seedbed.records import MemoryJournal

Build = Callable[[Optimizer], LRScheduler]
READING_LATER: dict[str, Build] = {
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.5, 1.0, 4), lr_scheduler.ExponentialLR(o, 0.9)], [4]
    ),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
    "cosine above a floor": lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=1e-3),
}


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def write(optimizer: Optimizer, rate: float) -> None:
    optimizer.param_groups[0]["lr"] = rate


@pytest.mark.parametrize("name", READING_LATER)
def test_a_lost_change_from_which_the_schedule_computes_later_is_refused(name: str) -> None:
    optimizer = an_optimizer()
    engine = bound(optimizer, READING_LATER[name](optimizer))
    before = rates(optimizer)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    write(optimizer, before[0])
    with pytest.raises(Conflict, match="may compute from it at a later step"):
        engine.rollback(step=0)
    assert engine.history[1].outcome is Outcome.FAILED
    assert rates(optimizer) == [before[0], before[1] / 2]


def test_a_move_by_hand_stays_known_after_the_declared_schedule_stepped() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 30)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    write(optimizer, 0.003)
    train_step(optimizer, scheduler)
    with pytest.raises(Conflict, match="nobody knows"):
        engine.rollback(step=1)
    assert rates(optimizer)[0] == 0.003


@pytest.mark.parametrize("kind", [None, "StepLR", "ExponentialLR", "LambdaLR"])
def test_a_second_change_does_not_hide_that_the_first_was_lost(kind: str | None) -> None:
    optimizer = an_optimizer()
    engine = bound(optimizer, STOCK[kind](optimizer) if kind else None)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    write(optimizer, 0.008)
    engine.propose(Delta("lr", Set(0.004), "r", "me"), step=0)
    assert engine.history[1].outcome is Outcome.FAILED
    if kind == "LambdaLR":  # its base was changed with the lost one
        with pytest.raises(Conflict, match="may compute from it"):
            engine.rollback(step=0)
        return
    engine.rollback(step=0)
    assert rates(optimizer)[0] == 0.008


@pytest.mark.parametrize("factor", [None, 0.5], ids=["schedule", "by hand"])
def test_a_value_that_comes_to_what_a_lost_change_wrote_is_not_taken_for_it(factor: float | None) -> None:
    optimizer = an_optimizer()
    scheduler = None if factor else lr_scheduler.StepLR(optimizer, 1, 0.5)
    engine = bound(optimizer, scheduler)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    write(optimizer, 0.01)
    train_step(optimizer, None)
    assert engine.history[1].outcome is Outcome.FAILED
    schedule_alone(scheduler) if scheduler else write(optimizer, 0.01 * (factor or 1))
    with pytest.raises(Conflict, match="nobody knows whether that holds it"):
        engine.rollback(step=1)
    assert rates(optimizer)[0] == 0.005


COMPUTING = ["LambdaLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "CyclicLR", "SequentialLR", "StepLR"]


@pytest.mark.parametrize("kind", COMPUTING)
@pytest.mark.parametrize("group", [None, 1])
def test_what_is_taken_back_before_anything_moved_is_put_back_to_the_last_bit(kind: str, group: int | None) -> None:
    used = []
    for is_changed in (False, True):
        optimizer = an_optimizer()
        scheduler = STOCK[kind](optimizer)
        engine = bound(optimizer, scheduler, group)
        train_step(optimizer, scheduler)
        for place, each in enumerate(optimizer.param_groups):  # not the rate that the schedule has set
            each["lr"] = 0.0037 / 10**place
        if is_changed:
            engine.propose(Delta("lr", Scale(0.7), "bad", "me"), step=1)
            engine.propose(Delta("lr", Scale(3.0), "worse", "me"), step=1)
            engine.rollback(step=1)
            assert {engine.history[each].outcome for each in (1, 2)} == {Outcome.NO_OP}
        used.append([train_step(optimizer, scheduler) for _ in range(30)])
    assert used[0] == used[1]


def test_a_plateau_is_not_led_back_below_the_least_rate_of_any_group() -> None:
    for least, factor in (([5e-3, 0.0], 2.0), ([0.0, 1e-3], 0.5)):
        optimizer = an_optimizer()
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=0, min_lr=least)
        engine = bound(optimizer, scheduler)
        schedule_alone(scheduler)
        engine.propose(Delta("lr", Scale(factor), "r", "me"), step=0)
        schedule_alone(scheduler)
        before = rates(optimizer)
        with pytest.raises(Conflict, match="where every rate ends up or would"):
            engine.rollback(step=0)
        assert rates(optimizer) == before


@pytest.mark.parametrize("num_groups", [1, 2])
def test_a_rate_of_0_that_other_code_wrote_blocks_no_rollback(num_groups: int) -> None:
    optimizer = an_optimizer()
    del optimizer.param_groups[num_groups:]
    engine = bound(optimizer, None)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    write(optimizer, 0.01)
    train_step(optimizer, None)
    write(optimizer, 0.0)
    assert engine.rollback(step=1) == ()


def test_a_plateau_beside_hand_written_factors_accuses_nobody() -> None:
    for factor in (2.0, 0.5):
        optimizer = an_optimizer()
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        engine = bound(optimizer, None)
        for step in range(8):
            if step == 2:
                engine.propose(Delta("lr", Scale(factor), "r", "me"), step=step)
            train_step(optimizer, scheduler)
            for group in optimizer.param_groups:
                group["lr"] *= 0.99
        assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("other", ["MultiplicativeLR", "MultiStepLR", "ExponentialLR"])
@pytest.mark.parametrize("floor", [0.0, 1e-4])
def test_another_scheduler_that_steps_before_the_declared_cosine_is_not_accused(other: str, floor: float) -> None:
    optimizer = an_optimizer()
    second = {
        "MultiplicativeLR": lambda: lr_scheduler.MultiplicativeLR(optimizer, lambda _: 0.99),
        "MultiStepLR": lambda: lr_scheduler.MultiStepLR(optimizer, [7], 0.5),
        "ExponentialLR": lambda: lr_scheduler.ExponentialLR(optimizer, 0.99),
    }[other]()
    declared = lr_scheduler.CosineAnnealingLR(optimizer, 30, eta_min=floor)
    engine = bound(optimizer, declared)
    for step in range(12):
        if step == 4:
            engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=step)
        train_step(optimizer, second)
        schedule_alone(declared)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("declared", ["StepLR", "CosineAnnealingLR"])
def test_an_undeclared_one_cycle_beside_a_declared_schedule_keeps_its_own_limits(declared: str) -> None:
    optimizer = an_optimizer()
    other = lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=40)
    engine = bound(optimizer, STOCK[declared](optimizer))
    for step in range(5):
        if step == 2:
            engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=step)
        train_step(optimizer, other)
    assert engine.history[1].outcome is Outcome.FAILED
    assert optimizer.param_groups[0]["max_lr"] == 0.02
    assert rates(optimizer)[0] == pytest.approx(other.get_last_lr()[0])


def a_dropout() -> tuple[nn.Dropout, ChangeEngine, Callable[[], None]]:
    """The layer, the engine that changes it, and one step of training through it."""
    dropout = nn.Dropout(0.2)
    model = nn.Sequential(dropout, nn.Linear(3, 1))
    optimizer = SGD(model.parameters(), 0.1)
    parameters = [Parameter("dropout", "1", 0.0, 1.0)]

    def train() -> None:
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()

    return dropout, ChangeEngine(MemoryJournal(), {"dropout": DropoutRate(model, optimizer)}, parameters), train


def test_what_overwrote_a_value_that_nothing_moves_is_left_as_it_is() -> None:
    dropout, engine, _ = a_dropout()
    engine.propose(Delta("dropout", Set(0.1), "r", "me"), step=0)
    dropout.p = 0.5
    assert engine.rollback(step=0) == ()
    assert (dropout.p, engine.history[1].outcome) == (0.5, Outcome.FAILED)


def test_a_checkpoint_looks_at_every_value_before_it_is_taken() -> None:
    dropout, engine, train = a_dropout()
    engine.propose(Delta("dropout", Set(0.1), "r", "me"), step=0)
    train()
    outcomes = [engine.history[1].outcome]
    dropout.p = 0.5
    engine.state(step=1)
    assert [*outcomes, engine.history[1].outcome] == [Outcome.EFFECTIVE, Outcome.FAILED]


def test_a_checkpoint_looks_at_the_rate_that_goes_with_a_batch_size() -> None:
    optimizer, batches = an_optimizer(), ResizableBatchSampler(range(100), 4)
    size = BatchSize(batches, optimizer, LearningRate(optimizer), RateRule.LINEAR)
    engine = ChangeEngine(MemoryJournal(), {"size": size}, [Parameter("size", "rows", 1, 100)])
    engine.propose(Delta("size", Scale(2.0), "r", "me"), step=0)
    write(optimizer, 0.01)
    engine.state(step=0)
    assert engine.history[1].outcome is Outcome.FAILED
    assert "the learning rate that goes with it was lost" in engine.history[1].reason


def test_a_resume_in_the_same_process_forgets_the_changes_that_it_supersedes() -> None:
    outcomes = []
    for is_resumed in (False, True):
        optimizer = an_optimizer()
        engine = bound(optimizer, None)
        engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
        train_step(optimizer, None)
        kept, state = deepcopy(optimizer.state_dict()), engine.state(step=1)
        if is_resumed:
            engine.propose(Delta("lr", Scale(4.0), "diverges", "me"), step=1)
            optimizer.load_state_dict(kept)
            engine.resume(state)
        for _ in range(3):
            for group in optimizer.param_groups:
                group["lr"] *= 0.9
            train_step(optimizer, None)
        outcomes.append(engine.history[1].outcome)
    assert outcomes == [Outcome.EFFECTIVE] * 2


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("kind", ["CosineAnnealingLR", "ExponentialLR", "StepLR", "PolynomialLR"])
@pytest.mark.parametrize("is_taken_back", [False, True])
def test_a_change_that_the_schedule_moved_on_before_the_checkpoint_is_watched_after_it(
    kind: str, is_declared: bool, is_taken_back: bool
) -> None:
    """A change at the end of an epoch: the scheduler steps, the checkpoint is taken, and another process goes on."""
    found = []
    for is_resumed in (False, True):
        optimizer = an_optimizer()
        scheduler = STOCK[kind](optimizer)
        engine = bound(optimizer, scheduler if is_declared else None)
        train_step(optimizer, scheduler)
        engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=1)
        schedule_alone(scheduler)
        if is_resumed:
            state = ChangeState.model_validate_json(engine.state(step=1).model_dump_json())
            kept, journal = deepcopy([each.state_dict() for each in (optimizer, scheduler)]), engine._ledger._journal
            optimizer = an_optimizer()
            scheduler = STOCK[kind](optimizer)
            optimizer.load_state_dict(kept[0])
            scheduler.load_state_dict(kept[1])
            binding = LearningRate(optimizer, scheduler if is_declared else None)
            engine = ChangeEngine(journal, {"lr": binding}, [Parameter("lr", "1", 0.0, 100.0)])
            engine.resume(state)
        if is_taken_back and is_declared:
            engine.rollback(step=1)
        used = [train_step(optimizer, scheduler) for _ in range(5)]
        found.append((engine.history[1].outcome, used))
    assert found[0] == found[1]
    assert found[0][0] is (Outcome.NO_OP if is_taken_back and is_declared else Outcome.EFFECTIVE)


def test_a_change_that_ends_at_a_plateaus_floor_is_lost_also_after_a_resume() -> None:
    found = []
    for is_resumed in (False, True):
        optimizer = an_optimizer()
        del optimizer.param_groups[1:]
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=1e-3)
        engine = bound(optimizer, None)
        for step in range(12):
            if step == 1:
                engine.propose(Delta("lr", Scale(2.0), "r", "me"), step=step)
            if step == 4 and is_resumed:
                state, kept = engine.state(step), deepcopy([each.state_dict() for each in (optimizer, scheduler)])
                journal = engine._ledger._journal
                optimizer = an_optimizer()
                del optimizer.param_groups[1:]
                scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=1e-3)
                optimizer.load_state_dict(kept[0])
                scheduler.load_state_dict(kept[1])
                parameters = [Parameter("lr", "1", 0.0, 100.0)]
                engine = ChangeEngine(journal, {"lr": LearningRate(optimizer)}, parameters)
                engine.resume(state)
            train_step(optimizer, scheduler)
        found.append((engine.history[1].outcome, rates(optimizer)))
    assert found == [(Outcome.FAILED, [1e-3])] * 2
