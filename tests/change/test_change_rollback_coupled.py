"""A rollback where settings go together, groups were added, or another process made the changes."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from test_change_learning_rate import STOCK, an_optimizer, train_step
from test_change_rollback import bound, schedule_alone
from torch import nn
from torch.optim import SGD, Optimizer, Rprop, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change import (
    BatchSize,
    Binding,
    ChangeEngine,
    ChangeState,
    Delta,
    DropoutRate,
    Freeze,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    Parameter,
    RateRule,
    ResizableBatchSampler,
    Scale,
    Set,
)
from seedbed.contracts import Outcome
from seedbed.errors import Conflict
from seedbed.records import MemoryJournal


def one_group() -> Optimizer:
    optimizer = an_optimizer()
    del optimizer.param_groups[1:]
    return optimizer


def engine_of(journal: MemoryJournal | None = None, **bindings: Binding) -> ChangeEngine:
    parameters = [Parameter(key, "1", 0.0, 1e6) for key in bindings]
    return ChangeEngine(MemoryJournal() if journal is None else journal, bindings, parameters)


def a_size(optimizer: Optimizer) -> tuple[ResizableBatchSampler, LearningRate, ChangeEngine]:
    batches, rate = ResizableBatchSampler(range(100), 4), LearningRate(optimizer)
    return batches, rate, engine_of(size=BatchSize(batches, optimizer, rate, RateRule.LINEAR), lr=rate)


def doubled(key: str) -> Delta:
    return Delta(key, Scale(2.0), "r", "me")


def test_a_batch_size_goes_back_with_its_rate() -> None:
    optimizer = one_group()
    batches, _, engine = a_size(optimizer)
    for _ in range(2):
        engine.propose(doubled("size"), step=0)
    engine.rollback(step=0)
    assert (batches.batch_size, optimizer.param_groups[0]["lr"]) == (4, 0.01)


@pytest.mark.parametrize("found", [0.01, 0.017])
def test_a_batch_size_whose_rate_other_code_wrote_is_refused(found: float) -> None:
    optimizer = one_group()
    batches, _, engine = a_size(optimizer)
    engine.propose(doubled("size"), step=0)
    optimizer.param_groups[0]["lr"] = found
    with pytest.raises(Conflict, match="rollback of size"):
        engine.rollback(step=0)
    assert (batches.batch_size, optimizer.param_groups[0]["lr"]) == (8, found)


@pytest.mark.parametrize("order", [["size", "lr"], ["lr", "size"]])
def test_a_rate_and_the_size_that_moves_it_are_not_taken_back_one_by_one(order: list[str]) -> None:
    optimizer = one_group()
    batches, _, engine = a_size(optimizer)
    for key in order:
        engine.propose(Delta(key, Scale(2.0 if key == "size" else 0.5), "r", "me"), step=0)
    with pytest.raises(Conflict, match="another setting's change moved the rate"):
        engine.rollback(step=0)
    assert (batches.batch_size, optimizer.param_groups[0]["lr"]) == (8, 0.01)


def with_a_group(optimizer: Optimizer, **settings: float) -> None:
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], **settings})


CHANGED: dict[str, Callable[[Optimizer], Binding]] = {
    "lr": lambda optimizer: LearningRate(optimizer),
    "decay": lambda optimizer: GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY),
}


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("is_proven", [False, True])
def test_a_group_that_is_added_before_a_checkpoint_is_resumed(kind: str, is_proven: bool) -> None:
    def start() -> Optimizer:
        return SGD([nn.Parameter(torch.ones(3))], lr=0.01, weight_decay=0.1)

    optimizer = start()
    engine = engine_of(it=CHANGED[kind](optimizer))
    engine.propose(Delta("it", Scale(0.5), "r", "me"), step=0)
    if is_proven:
        train_step(optimizer, None)
    with_a_group(optimizer, lr=0.001, weight_decay=0.02)
    state, kept, journal = engine.state(step=1), deepcopy(optimizer.state_dict()), engine._ledger._journal
    assert isinstance(journal, MemoryJournal)
    optimizer = start()
    with_a_group(optimizer)
    optimizer.load_state_dict(kept)
    engine = engine_of(journal, it=CHANGED[kind](optimizer))
    engine.resume(ChangeState.model_validate_json(state.model_dump_json()))
    train_step(optimizer, None)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("kind", CHANGED)
def test_a_change_after_a_group_was_added_reaches_it_and_what_came_before_is_not_taken_back_there(kind: str) -> None:
    optimizer = SGD([nn.Parameter(torch.ones(3))], lr=0.01, weight_decay=0.1)
    engine = engine_of(it=CHANGED[kind](optimizer))
    engine.propose(Delta("it", Scale(0.5), "r", "me"), step=0)
    with_a_group(optimizer, lr=0.001, weight_decay=0.02)
    with pytest.raises(Conflict, match="a group was added after the change"):
        engine.rollback(step=0)
    engine.propose(Delta("it", Scale(0.5), "r", "me"), step=0)
    key, found = ("lr", [0.0025, 0.0005]) if kind == "lr" else ("weight_decay", [0.025, 0.01])
    assert [group[key] for group in optimizer.param_groups] == found
    train_step(optimizer, None)
    assert engine.history[2].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("num_changes", [1, 2])
@pytest.mark.parametrize("has_seen", [False, True])
def test_after_a_resume_a_change_of_a_rate_that_was_not_the_schedules_is_refused(
    num_changes: int, has_seen: bool
) -> None:
    optimizer = an_optimizer()
    scheduler = STOCK["LambdaLR"](optimizer)
    engine = bound(optimizer, scheduler)
    optimizer.param_groups[0]["lr"] = 0.0037
    for _ in range(num_changes):
        engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    state = engine.state(step=0)
    engine.resume(state if has_seen else state.model_copy(update={"seen": {}}))
    with pytest.raises(Conflict, match="nobody knows"):
        engine.rollback(step=0)


def test_a_change_of_a_rate_that_was_not_the_schedules_is_refused_once_the_schedule_has_stepped() -> None:
    optimizer = an_optimizer()
    scheduler = STOCK["LambdaLR"](optimizer)
    engine = bound(optimizer, scheduler)
    optimizer.param_groups[0]["lr"] = 0.0037
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    schedule_alone(scheduler)
    with pytest.raises(Conflict, match="nobody knows"):
        engine.rollback(step=0)


def test_a_step_of_the_schedule_that_changed_no_number_is_a_step() -> None:
    """The plateau lowered the rate of the loop without the change, and not this one, which stands at its least."""
    optimizer = one_group()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=5e-3)
    engine = bound(optimizer, scheduler)
    schedule_alone(scheduler)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    schedule_alone(scheduler)
    with pytest.raises(Conflict, match="where every rate ends up or would"):
        engine.rollback(step=0)


def test_a_lost_change_whose_value_still_stands_is_taken_back() -> None:
    """Rprop reads its rate once: the value stands in the group, and no step uses it."""
    model = nn.Linear(3, 1)
    optimizer = Rprop(model.parameters(), lr=0.01)
    engine = engine_of(lr=LearningRate(optimizer))
    for step in range(4):
        if step == 1:
            engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=step)
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    engine.rollback(step=4)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_lost_change_whose_value_still_stands_is_taken_back_where_another_optimizer_trained() -> None:
    optimizer = one_group()
    engine = bound(optimizer, None)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=0)
    rebuilt = SGD(optimizer.param_groups[0]["params"], lr=0.01)
    for _ in range(3):
        train_step(rebuilt, None)
    assert engine.history[1].outcome is Outcome.FAILED
    engine.rollback(step=0)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_second_change_of_a_probability_does_not_hide_what_overwrote_the_first() -> None:
    dropout = nn.Dropout(0.2)
    model = nn.Sequential(dropout, nn.Linear(3, 1))
    engine = engine_of(it=DropoutRate(model, SGD(model.parameters(), 0.1)))
    engine.propose(Delta("it", Set(0.1), "r", "me"), step=0)
    dropout.p = 0.5
    engine.propose(Delta("it", Set(0.4), "r", "me"), step=0)
    engine.rollback(step=0)
    assert (dropout.p, engine.history[1].outcome) == (0.5, Outcome.FAILED)


def test_a_part_that_is_frozen_for_a_moment_between_its_steps_is_not_accused() -> None:
    """As a loop does that trains two optimizers in turn."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    optimizer = SGD(model.parameters(), 0.1)
    engine = engine_of(frozen=Freeze(model, "0", optimizer), lr=LearningRate(optimizer))
    for value in (1.0, 0.0):
        engine.propose(Delta("frozen", Set(value), "r", "me"), step=0)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    model[0].requires_grad_(False)
    engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=1)
    engine.state(step=1)
    model[0].requires_grad_(True)
    assert engine.history[2].outcome is Outcome.EFFECTIVE


ADDED: dict[str, Callable[[Optimizer], LRScheduler]] = {
    **{kind: STOCK[kind] for kind in ("StepLR", "ExponentialLR", "LinearLR", "ReduceLROnPlateau", "PolynomialLR")},
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 40),
    "OneCycleLR": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.02, 30, cycle_momentum=False),
}


@pytest.mark.parametrize(
    ("kind", "is_declared"),
    # An undeclared OneCycleLR computes its rates, and loses the change.
    [(kind, is_declared) for kind in ADDED for is_declared in (True, False) if is_declared or kind != "OneCycleLR"],
)
def test_a_loop_goes_on_where_a_group_is_added_under_its_schedule(kind: str, is_declared: bool) -> None:
    used: list[list[list[float]]] = []
    for is_changed in (False, True):
        optimizer = one_group()
        scheduler = ADDED[kind](optimizer)
        engine = bound(optimizer, scheduler if is_declared else None)
        rates = []
        for step in range(12):
            if step == 2 and is_changed:
                engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=step)
            if step == 5:
                limits = {"max_lr": 0.02, "min_lr": 1e-6, "initial_lr": 0.01} if kind == "OneCycleLR" else {}
                with_a_group(optimizer, lr=0.003, **limits)
                if hasattr(scheduler, "min_lrs"):
                    scheduler.min_lrs.append(0.0)
            rates.append(train_step(optimizer, scheduler))
        used.append(rates)
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    halved = [
        [rate / 2 if step > 1 and place == 0 else rate for place, rate in enumerate(each)]
        for step, each in enumerate(used[0])
    ]
    assert used[1] == [pytest.approx(each) for each in halved]


@pytest.mark.parametrize("kind", ["LambdaLR", "SequentialLR", "CosineAnnealingLR"])
def test_two_groups_that_are_bound_each_do_not_accuse_each_other(kind: str) -> None:
    optimizer = an_optimizer()
    scheduler = STOCK[kind](optimizer)
    engine = engine_of(first=LearningRate(optimizer, scheduler, 0), second=LearningRate(optimizer, scheduler, 1))
    for step in range(10):
        if step in {2, 4}:
            engine.propose(Delta("first" if step == 2 else "second", Scale(0.7), "r", "me"), step=step)
        train_step(optimizer, scheduler)
    assert [each.outcome for each in engine.history.records] == [Outcome.EFFECTIVE] * 2


@pytest.mark.parametrize("group", [None, 0])
@pytest.mark.parametrize("is_put_back", [False, True])
def test_bases_that_are_put_back_while_a_group_is_added_are_a_loss(group: int | None, is_put_back: bool) -> None:
    optimizer = one_group()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7)
    engine = bound(optimizer, scheduler, group)
    for step in range(12):
        if step == 2:
            engine.propose(Delta("lr", Scale(0.5), "r", "me"), step=step)
        if step == 5:
            with_a_group(optimizer, lr=0.003, initial_lr=0.003)
            scheduler.base_lrs = [0.01 if is_put_back else 0.005, 0.003]
        train_step(optimizer, scheduler)
    assert engine.history[1].outcome is (Outcome.FAILED if is_put_back else Outcome.EFFECTIVE)
