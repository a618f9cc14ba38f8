"""A declared schedule carries a changed rate on; whatever takes it back is caught and named."""

import copy
from collections.abc import Callable

import pytest
import torch
from change_knob import turned
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, Adam, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change import LearningRate, Use, UseReport
from seedbed.errors import InvalidInput

Build = Callable[[Optimizer], LRScheduler]

STOCK: dict[str, Build] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=4, gamma=0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [3, 9], gamma=0.5),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=8),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, start_factor=0.2, total_iters=9),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, total_iters=30),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=7, eta_min=1e-4),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5, eta_min=1e-4),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, base_lr=[1e-3, 1e-4], max_lr=[1e-2, 1e-3], step_size_up=4),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=[1e-2, 1e-3], total_steps=40),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o,
        [
            lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=6),
            lr_scheduler.CosineAnnealingLR(o, T_max=10),
            lr_scheduler.LambdaLR(o, lambda t: 0.5),
        ],
        milestones=[6, 12],
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, factor=0.5, total_iters=6), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2),
    "SWALR": lambda o: SWALR(o, swa_lr=4e-3, anneal_epochs=9),
    "SWALR, linear": lambda o: SWALR(o, swa_lr=4e-3, anneal_epochs=9, anneal_strategy="linear"),
}


def warmed_up(then: Build) -> Build:
    return lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, factor=0.5, total_iters=3), then(o)], milestones=[3]
    )


AFTER_WARM_UP = sorted(set(STOCK) - {"ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"})
STOCK |= {f"warm-up, then {kind}": warmed_up(STOCK[kind]) for kind in AFTER_WARM_UP}
FLOORED = ("CosineAnnealingLR", "CosineAnnealingWarmRestarts")  # no group can leave the floor alone
OVERWRITING = ("LambdaLR", "StepLR", "CosineAnnealingLR", "OneCycleLR", "ReduceLROnPlateau")


def an_optimizer(*, lr: float | torch.Tensor = 1e-2) -> Optimizer:
    """Two groups whose rates differ by ten, unless the rate is a tensor, which all groups share."""
    first, second = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
    if isinstance(lr, torch.Tensor):
        return Adam([{"params": [first]}, {"params": [second]}], lr=lr)
    return SGD([{"params": [first], "lr": lr}, {"params": [second], "lr": lr / 10}], lr=lr, momentum=0.9)


def train_step(optimizer: Optimizer, scheduler: LRScheduler | None) -> list[float]:
    """One step of a loop; returns the rates that it used."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.ones_like(weight)
    used = [float(group["lr"]) for group in optimizer.param_groups]
    optimizer.step()
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        scheduler.step(1.0)
    elif scheduler is not None:
        scheduler.step()
    return used


def trained(kind: str, steps: int) -> tuple[Optimizer, LRScheduler]:
    optimizer = an_optimizer()
    scheduler = STOCK[kind](optimizer)
    for _ in range(steps):
        train_step(optimizer, scheduler)
    return optimizer, scheduler


@pytest.mark.slow
@pytest.mark.parametrize("kind", STOCK)
@pytest.mark.parametrize("before", [0, 1, 3, 5, 11])
def test_a_rebased_schedule_is_the_same_curve_scaled(kind: str, before: int) -> None:
    optimizer, scheduler = trained(kind, before)
    twin, twin_scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler)
    factor = 0.37
    rate.write(rate.read() * factor)
    assert [float(each) for each in scheduler.get_last_lr()] == [g["lr"] for g in optimizer.param_groups]
    for step in range(20):
        used, untouched = train_step(optimizer, scheduler), train_step(twin, twin_scheduler)
        assert used == pytest.approx([factor * each for each in untouched], rel=1e-9), f"step {step}"
        assert [float(each) for each in scheduler.get_last_lr()] == [g["lr"] for g in optimizer.param_groups]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STOCK)
@pytest.mark.parametrize("before", [0, 1, 3, 5, 11])
def test_a_declared_schedule_carries_the_change_and_the_watch_says_so(kind: str, before: int) -> None:
    optimizer, scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 3e-3)
    for step in range(25):
        train_step(optimizer, scheduler if step % 3 else None)  # not every step is the end of an epoch
    assert seen == [UseReport(1, 3e-3, 3e-3, Use.USED)]
    assert optimizer._optimizer_step_pre_hooks, "the watch stays on"
    rate.watch(None)
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.slow
@pytest.mark.parametrize("kind", STOCK)
def test_an_undeclared_scheduler_that_multiplies_is_not_accused_beside_a_declared_one(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    hidden = lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)  # first moves the rate in the third epoch
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 3e-3)
    for _ in range(3):
        for _ in range(4):
            train_step(optimizer, scheduler)
        hidden.step()
    train_step(optimizer, scheduler)
    assert [each.why for each in seen] == [""]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STOCK)
def test_an_undeclared_scheduler_beside_a_declared_one_is_caught_epochs_later(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    hidden = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    for _ in range(4):
        train_step(optimizer, scheduler)
    assert [each.why for each in seen] == [""]
    hidden.step()
    train_step(optimizer, None)
    assert seen[1].steps_after == 5
    assert "LambdaLR, which is not declared" in seen[1].why


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(
    "kind",
    sorted(
        kind
        for kind in STOCK
        if kind not in {"MultiplicativeLR", "SequentialLR", "ChainedScheduler"} and not kind.startswith("warm-up")
    ),  # a product of factors has no closed form, and a container takes no epoch
)
def test_a_schedule_that_is_set_back_to_its_start_carries_the_change(kind: str) -> None:
    optimizer, scheduler = trained(kind, 2)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    for _ in range(2):
        for epoch in range(4):
            train_step(optimizer, None)
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(1.0, epoch=epoch)
            else:
                scheduler.step(epoch)
    assert [each.why for each in seen] == [""]


def test_a_plateau_that_reduces_more_than_once_between_two_steps_carries_the_change() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 8e-3)
    for _ in range(4):
        train_step(optimizer, scheduler)
        scheduler.step(1.0)
    assert rate.read() < 8e-3 / 16
    assert [each.why for each in seen] == [""]


def test_a_schedule_at_its_end_leaves_the_optimizer_alone() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=[1e-2, 1e-3], total_steps=3)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    for _ in range(3):
        train_step(optimizer, scheduler)
    for _ in range(2):
        with pytest.raises(ValueError, match="total steps"):
            train_step(optimizer, scheduler)
    train_step(optimizer, None)
    assert [each.why for each in seen] == [""]


COMPUTING = ("LambdaLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "CyclicLR")


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMPUTING)
def test_an_undeclared_scheduler_that_takes_the_rate_back_is_named_with_both_values(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    rate = LearningRate(optimizer)
    seen = turned(rate, 3e-3)
    used = [train_step(optimizer, scheduler)[0] for _ in range(8)]
    assert seen[0] == UseReport(1, 3e-3, 3e-3, Use.USED)
    assert len(seen) == 2, "every one of these moves an undeclared rate within eight steps"
    lost = seen[1]
    assert lost.expected == 3e-3
    assert lost.found == used[lost.steps_after - 1] != 3e-3
    assert kind in lost.why
    assert "not declared" in lost.why


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["MultiplicativeLR", "StepLR", "MultiStepLR", "LinearLR", "ExponentialLR", "PolynomialLR", "ReduceLROnPlateau"],
)
def test_an_undeclared_scheduler_that_multiplies_what_it_finds_carries_the_change_and_is_not_accused(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    twin, twin_scheduler = trained(kind, 1)
    rate = LearningRate(optimizer)
    seen = turned(rate, 0.3 * rate.read())
    used = [train_step(optimizer, scheduler)[0] for _ in range(8)]
    assert used == pytest.approx([0.3 * train_step(twin, twin_scheduler)[0] for _ in range(8)])
    assert [(each.steps_after, each.why) for each in seen] == [(1, "")]


# What `group["lr"] = x` alone does: LambdaLR and OneCycleLR take it back at once, the others multiply what they find.
PLAIN_WRITE_SURVIVES_ONE_STEP = {
    "LambdaLR": False,
    "StepLR": True,
    "CosineAnnealingLR": True,
    "OneCycleLR": False,
    "ReduceLROnPlateau": True,
}


@pytest.mark.parametrize("kind", OVERWRITING)
def test_what_a_plain_write_does_and_that_the_declared_binding_does_better(kind: str) -> None:
    optimizer, scheduler = trained(kind, 1)
    for group in optimizer.param_groups:
        group["lr"] *= 0.1
    plain, untouched = an_optimizer_after_one_more_step(optimizer, scheduler), trained(kind, 2)[0]
    survives = plain[0] < 0.5 * untouched.param_groups[0]["lr"]
    assert survives is PLAIN_WRITE_SURVIVES_ONE_STEP[kind]

    optimizer, scheduler = trained(kind, 1)
    rate = LearningRate(optimizer, scheduler)
    rate.write(rate.read() * 0.1)
    bound = an_optimizer_after_one_more_step(optimizer, scheduler)
    assert bound == pytest.approx([0.1 * group["lr"] for group in untouched.param_groups])


def an_optimizer_after_one_more_step(optimizer: Optimizer, scheduler: LRScheduler) -> list[float]:
    train_step(optimizer, scheduler)
    return [group["lr"] for group in optimizer.param_groups]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LambdaLR", "OneCycleLR"])
def test_a_forgotten_rebase_of_a_declared_schedule_would_be_caught(kind: str) -> None:
    optimizer, scheduler = trained(kind, 3)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    # The fault: the schedule's own numbers go back to what they were, as a late load_state_dict does.
    stale = trained(kind, 3)[1]
    scheduler.base_lrs = stale.base_lrs
    for group, old in zip(optimizer.param_groups, stale.optimizer.param_groups, strict=True):
        group.update({key: old[key] for key in ("initial_lr", "max_lr", "min_lr") if key in old})
    for _ in range(2):
        train_step(optimizer, scheduler)
    assert "the declared " + kind in seen[-1].why


@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_a_swalr_takes_one_step_to_whatever_epoch_it_is_stepped() -> None:
    optimizer, scheduler = trained("SWALR", 3)
    twin, twin_scheduler = trained("SWALR", 3)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 0.97 * rate.read())
    for epoch in (7, 0, 12):
        used, untouched = train_step(optimizer, None), train_step(twin, None)
        assert used == pytest.approx([0.97 * each for each in untouched])
        scheduler.step(epoch)
        twin_scheduler.step(epoch)
    train_step(optimizer, None)
    assert [each.why for each in seen] == [""]


def test_the_target_of_an_undeclared_swalr_is_left_alone_and_the_step_that_arrives_there_is_a_loss() -> None:
    optimizer, scheduler = trained("ExponentialLR", 1)
    after_it = SWALR(optimizer, swa_lr=4e-3, anneal_epochs=3)
    seen = turned(LearningRate(optimizer, scheduler), 1e-3)
    assert [group["swa_lr"] for group in optimizer.param_groups] == [4e-3, 4e-3]
    for _ in range(4):
        train_step(optimizer, after_it)
    assert [group["lr"] for group in optimizer.param_groups] == [4e-3, 4e-3]
    assert [(each.steps_after, each.use) for each in seen] == [(1, Use.USED), (4, Use.LOST)]
    assert "overwritten by SWALR, which is not declared" in seen[-1].why


def test_a_schedule_stepped_by_fractions_of_an_epoch_carries_the_change() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    scheduler.step(0.25)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    for epoch in (0.5, 0.75, 1.0):
        train_step(optimizer, None)
        scheduler.step(epoch)
    assert seen == [UseReport(1, 3e-3, 3e-3, Use.USED)]
    assert optimizer._optimizer_step_pre_hooks


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("kind", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "PolynomialLR"])
def test_a_schedule_stepped_to_a_named_epoch_carries_the_change(kind: str) -> None:
    optimizer, scheduler = trained(kind, 3)
    seen = turned(LearningRate(optimizer, scheduler), 3e-3)
    train_step(optimizer, None)
    scheduler.step(5)
    train_step(optimizer, None)
    assert [each.why for each in seen] == [""]


@pytest.mark.slow
def test_plain_code_that_overwrites_is_caught_and_no_scheduler_is_accused() -> None:
    optimizer, scheduler = trained("StepLR", 1)
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 3e-3)
    optimizer.param_groups[1]["lr"] = 0.5
    train_step(optimizer, scheduler)
    assert seen[0].expected == pytest.approx(3e-4)
    assert seen[0].found == 0.5
    assert "group 1's rate was overwritten by code outside all live schedulers" in seen[0].why


@pytest.mark.slow
def test_only_the_container_of_a_guilty_scheduler_is_named() -> None:
    optimizer, scheduler = trained("SequentialLR", 1)
    seen = turned(LearningRate(optimizer), 3e-3)
    for _ in range(7):
        train_step(optimizer, scheduler)
    assert "overwritten by SequentialLR, which" in seen[-1].why


def test_a_rate_set_by_hand_before_does_not_mislead_the_schedule() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    optimizer.param_groups[0]["lr"] = 5e-3  # by hand, and unknown to the schedule
    optimizer.param_groups[1]["lr"] = 5e-4
    LearningRate(optimizer, scheduler).write(2.5e-3)
    train_step(optimizer, scheduler)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2.5e-3, 2.5e-4])


@pytest.mark.parametrize("kind", ["LambdaLR", "CosineAnnealingLR", "OneCycleLR"])
def test_the_binding_works_after_load_state_dict_replaced_the_groups(kind: str) -> None:
    optimizer, scheduler = trained(kind, 2)
    rate = LearningRate(optimizer, scheduler)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    seen = turned(rate, 3e-3)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train_step(optimizer, scheduler)
    train_step(optimizer, scheduler)
    assert rate.read() == optimizer.param_groups[0]["lr"]
    assert seen == [UseReport(1, 3e-3, 3e-3, Use.USED)]


@pytest.mark.parametrize("kind", STOCK)
def test_state_brings_back_the_rates_and_the_schedule(kind: str) -> None:
    optimizer, scheduler = trained(kind, 3)
    rate = LearningRate(optimizer, scheduler)
    rate.write(3e-3)
    kept = rate.state()
    rate.write(7e-3)
    assert rate.state() != kept
    rate.restore(kept)
    assert rate.state() == kept
    with pytest.raises(InvalidInput, match="rebuild the optimizer"):
        rate.restore({"groups.0.lr": 1.0})


def test_a_rate_held_in_a_tensor_is_filled_in_place_once() -> None:
    tensor = torch.tensor(1e-2)
    optimizer = an_optimizer(lr=tensor)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    held = optimizer.param_groups[0]["lr"]
    rate = LearningRate(optimizer, scheduler)
    seen = turned(rate, 5e-3)
    assert optimizer.param_groups[0]["lr"] is held
    assert rate.read() == float(torch.tensor(5e-3))
    used = [train_step(optimizer, scheduler)[0] for _ in range(3)]
    assert used == pytest.approx([5e-3, 5e-3 / 2, 5e-3 / 3])
    assert [each.why for each in seen] == [""]


def test_a_rate_of_zero_has_no_ratio_to_keep() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: float(t))
    with pytest.raises(InvalidInput, match="learning rate of 0"):
        LearningRate(optimizer, scheduler).write(1e-3)


@pytest.mark.parametrize("kind", STOCK)
@pytest.mark.parametrize("group", [None, 1])
def test_a_write_computes_from_what_a_checkpoint_holds_and_from_nothing_else(kind: str, group: int | None) -> None:
    kept: list[dict[str, float]] = []
    for is_resumed in (False, True):
        optimizer, scheduler = trained(kind, 3)
        rate = LearningRate(optimizer, scheduler, group)
        first = rate.read()
        rate.write(0.7 * first)
        rate = LearningRate(optimizer, scheduler, group) if is_resumed else rate
        rate.write(first)
        kept.append(rate.state())
    assert kept[0] == kept[1]
    untouched, scheduler = trained(kind, 3)
    assert kept[0] == pytest.approx(LearningRate(untouched, scheduler, group).state(), rel=1e-12)


def test_a_group_added_during_the_watch_is_no_loss() -> None:
    optimizer = an_optimizer()
    seen = turned(LearningRate(optimizer), 3e-3)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 1.0})
    train_step(optimizer, None)
    assert seen == [UseReport(1, 3e-3, 3e-3, Use.USED)]


def test_a_scheduler_of_another_optimizer_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another optimizer"):
        LearningRate(an_optimizer(), lr_scheduler.ExponentialLR(an_optimizer(), 0.9))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(STOCK)),
    before=st.integers(0, 14),
    values=st.lists(st.floats(1e-5, 1.0), min_size=1, max_size=3),
)
def test_any_chain_of_writes_is_read_back_exactly_and_keeps_the_ratios(
    kind: str, before: int, values: list[float]
) -> None:
    optimizer, scheduler = trained(kind, before)
    rate = LearningRate(optimizer, scheduler)
    for value in values:
        ratio = optimizer.param_groups[1]["lr"] / rate.read()
        rate.write(value)
        assert rate.read() == value
        assert optimizer.param_groups[1]["lr"] / value == pytest.approx(ratio)
        train_step(optimizer, scheduler)
