"""One group's learning rate moves alone, along the schedule that another base would have given it."""

from contextlib import suppress

import pytest
import torch
from change_knob import turned
from hypothesis import given, settings
from hypothesis import strategies as st
from test_change_learning_rate import STOCK, an_optimizer, train_step, trained
from torch.optim import SGD, Optimizer, lr_scheduler

from seedbed.change import LearningRate, Use, UseReport
from seedbed.errors import InvalidInput

_OWN_RATES = ("OneCycleLR", "CyclicLR", "SWALR")  # they take rates as arguments of theirs
SCALED = [kind for kind in STOCK if any(name in kind for name in _OWN_RATES)]


def with_base(base: float) -> Optimizer:
    first, second = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
    return SGD([{"params": [first], "lr": 1e-2}, {"params": [second], "lr": base}], lr=1e-2, momentum=0.9)


def curve(kind: str, base: float, steps: int) -> list[float]:
    """The second group's rates under a schedule that was built from scratch for that base."""
    optimizer = with_base(base)
    scheduler = STOCK[kind](optimizer)
    return [train_step(optimizer, scheduler)[1] for _ in range(steps)]


def base_that_yields(kind: str, value: float, at: int) -> float:
    """The base whose schedule yields the value at that step. Every stock schedule is a straight line in its base."""
    low, high = curve(kind, 1e-3, at + 1)[at], curve(kind, 2e-3, at + 1)[at]
    return 1e-3 + 1e-3 * (value - low) / (high - low)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(STOCK.keys() - set(SCALED)))
@pytest.mark.parametrize("before", [0, 1, 3, 5, 11])
def test_a_group_moved_alone_follows_the_same_schedule_built_from_scratch_for_its_new_base(
    kind: str, before: int
) -> None:
    optimizer, scheduler = trained(kind, before)
    twin, twin_scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler, group=1)
    value = 0.6 * rate.read() + 2e-4
    rate.write(value)
    assert rate.read() == value
    wanted = curve(kind, base_that_yields(kind, value, before), before + 20)[before:]
    for step in range(20):
        used, untouched = train_step(optimizer, scheduler), train_step(twin, twin_scheduler)
        assert used[1] == pytest.approx(wanted[step], rel=1e-6), f"step {step}"
        assert used[0] == untouched[0], "the other group stands, to the bit"


@pytest.mark.parametrize("kind", SCALED)
@pytest.mark.parametrize("before", [0, 1, 3, 5, 11])
def test_a_group_moved_alone_under_a_schedule_with_rates_of_its_own_is_scaled_and_the_other_stands(
    kind: str, before: int
) -> None:
    optimizer, scheduler = trained(kind, before)
    twin, twin_scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler, group=1)
    rate.write(rate.read() * 0.37)
    for _ in range(20):
        used, untouched = train_step(optimizer, scheduler), train_step(twin, twin_scheduler)
        assert used == [untouched[0], pytest.approx(0.37 * untouched[1], rel=1e-9)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STOCK)
@pytest.mark.parametrize("before", [0, 3, 11])
def test_a_declared_schedule_carries_the_groups_change_and_the_watch_says_so(kind: str, before: int) -> None:
    optimizer, scheduler = trained(kind, before)
    seen = turned(LearningRate(optimizer, scheduler, group=1), 7e-4)
    for step in range(25):
        train_step(optimizer, scheduler if step % 3 else None)
    assert seen == [UseReport(1, 7e-4, 7e-4, Use.USED)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LambdaLR", "OneCycleLR", "CosineAnnealingWarmRestarts"])
def test_an_undeclared_scheduler_that_takes_the_groups_rate_back_is_named(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    rate = LearningRate(optimizer, group=1)
    seen = turned(rate, 7e-4)
    for _ in range(3):
        train_step(optimizer, scheduler)
    assert f"group 1's rate was overwritten by {kind}, which is not declared" in seen[-1].why


@pytest.mark.parametrize("kind", STOCK)
def test_state_of_one_group_brings_it_back_and_leaves_the_other(kind: str) -> None:
    optimizer, scheduler = trained(kind, 3)
    rate, other = LearningRate(optimizer, scheduler, group=1), LearningRate(optimizer, scheduler, group=0)
    rate.write(7e-4)
    kept = rate.state()
    other.write(3e-2)
    rate.write(9e-4)
    theirs = other.state()
    rate.restore(kept)
    assert (rate.state(), other.state()) == (kept, theirs)
    assert not kept.keys() & theirs.keys()


def test_two_groups_bound_apart_do_not_mislead_each_others_watch() -> None:
    optimizer, scheduler = trained("CosineAnnealingLR", 2)
    first, second = LearningRate(optimizer, scheduler, group=0), LearningRate(optimizer, scheduler, group=1)
    seen = turned(second, 7e-4)
    for value in (5e-3, 4e-3, 3e-3):
        first.write(value)
        train_step(optimizer, scheduler)
    assert seen == [UseReport(1, 7e-4, 7e-4, Use.USED)]


def test_a_group_is_found_by_name_also_where_its_place_has_changed() -> None:
    optimizer = an_optimizer()
    optimizer.param_groups[1]["name"] = "head"
    rate = LearningRate(optimizer, group="head")
    optimizer.param_groups.reverse()
    rate.write(0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1e-2]


@pytest.mark.parametrize("group", [2, -1, "tail", "twice"])
def test_a_group_that_is_not_there_once_is_refused(group: int | str) -> None:
    optimizer = an_optimizer()
    for each in optimizer.param_groups:
        each["name"] = "twice"
    with pytest.raises(InvalidInput, match="no single parameter group"):
        LearningRate(optimizer, group=group)


def test_groups_that_share_one_tensor_cannot_move_alone() -> None:
    rate = LearningRate(an_optimizer(lr=torch.tensor(1e-2)), group=1)
    with pytest.raises(InvalidInput, match="give each group its own tensor"):
        rate.write(1e-3)


@pytest.mark.parametrize("value", [1e-4, 5e-5])
def test_a_rate_at_or_below_the_floor_that_groups_share_is_refused_with_the_reason(value: float) -> None:
    optimizer, scheduler = trained("CosineAnnealingLR", 3)
    with pytest.raises(InvalidInput, match=r"CosineAnnealingLR keeps all groups above eta_min=0\.0001"):
        LearningRate(optimizer, scheduler, group=1).write(value)


def test_a_product_of_schedules_with_a_shared_floor_is_refused_for_one_group_and_held_for_all() -> None:
    optimizer = an_optimizer()
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=7, eta_min=1e-4)
    scheduler = lr_scheduler.ChainedScheduler([cosine, lr_scheduler.ExponentialLR(optimizer, 0.9)])
    with pytest.raises(InvalidInput, match="ChainedScheduler multiplies"):
        LearningRate(optimizer, scheduler, group=1).write(5e-4)
    LearningRate(optimizer, scheduler).write(5e-3)
    assert cosine.eta_min == 5e-5


def test_the_only_group_moves_its_floor_along() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.ones(2))], lr=1e-2)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=7, eta_min=1e-4)
    LearningRate(optimizer, scheduler, group=0).write(5e-3)
    assert scheduler.eta_min == 5e-5


def test_a_write_through_the_binding_that_is_watched_is_no_loss_once_the_first_was_seen() -> None:
    optimizer, scheduler = trained("StepLR", 1)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 3e-3)
    train_step(optimizer, scheduler)
    rate.write(2e-3)
    for _ in range(6):
        train_step(optimizer, scheduler)
    assert seen == [UseReport(1, 3e-3, 3e-3, Use.USED)]


def test_a_write_before_the_first_was_seen_leaves_the_first_unproven() -> None:
    optimizer, scheduler = trained("StepLR", 1)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 3e-3)
    rate.write(2e-3)
    train_step(optimizer, scheduler)
    assert [(each.expected, each.found) for each in seen] == [(3e-3, 2e-3)]
    assert "another change, made through the same binding" in seen[0].why


@pytest.mark.slow
@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(STOCK)),
    before=st.integers(0, 14),
    values=st.lists(st.floats(2e-4, 1.0), min_size=1, max_size=3),
)
def test_any_chain_of_writes_to_a_group_is_read_back_exactly_and_moves_no_other(
    kind: str, before: int, values: list[float]
) -> None:
    optimizer, scheduler = trained(kind, before)
    twin, twin_scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler, group=1)
    for value in values:
        with suppress(InvalidInput):  # the schedule may stand at its floor
            rate.write(value)
            assert rate.read() == value
        assert train_step(optimizer, scheduler)[0] == train_step(twin, twin_scheduler)[0]
