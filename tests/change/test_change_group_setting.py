"""Weight decay, momentum and betas: set where the optimizer reads them, and refused where they cannot be held."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from change_knob import turned
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, lr_scheduler

from seedbed.change import GroupSetting, LearningRate, OptimizerSetting, Use, UseReport
from seedbed.errors import InvalidInput


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))]


Kind = Callable[..., Optimizer]


def grouped(kind: Kind, *settings: Mapping[str, object], **common: object) -> Optimizer:
    return kind([{"params": [each], **of} for each, of in zip(weights(), settings, strict=True)], lr=1e-2, **common)


def train_step(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.cos(40 * weight.detach())  # of constant gradients no beta makes a difference
    optimizer.step()


def proven(seen: list[UseReport]) -> list[UseReport]:
    """The reports of a use or of a loss."""
    return [each for each in seen if each.use is not Use.OPEN]


def moved(optimizer: Optimizer) -> list[float]:
    """How far one step moves the first entry of each weight."""
    before = [weight.detach().clone() for group in optimizer.param_groups for weight in group["params"]]
    train_step(optimizer)
    after = [weight.detach() for group in optimizer.param_groups for weight in group["params"]]
    return [float(one[0] - other[0]) for one, other in zip(after, before, strict=True)]


@pytest.mark.parametrize(
    ("setting", "value", "built"),
    [
        (OptimizerSetting.WEIGHT_DECAY, 0.5, {"weight_decay": 0.5}),
        (OptimizerSetting.BETA1, 0.3, {"betas": (0.3, 0.999)}),
        (OptimizerSetting.BETA2, 0.3, {"betas": (0.9, 0.3)}),
        (OptimizerSetting.EPS, 0.5, {"eps": 0.5}),
    ],
)
@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_a_step_after_the_change_is_the_step_of_an_optimizer_that_was_built_so(
    kind: Kind, setting: OptimizerSetting, value: float, built: dict[str, object]
) -> None:
    optimizer, twin, untouched = kind(weights(), lr=1e-2), kind(weights(), lr=1e-2, **built), kind(weights(), lr=1e-2)
    GroupSetting(optimizer, setting).write(value)
    for _ in range(4):
        used, otherwise = moved(optimizer), moved(untouched)
        assert used == moved(twin)
    assert used != pytest.approx(otherwise, rel=1e-2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")
@pytest.mark.parametrize(
    ("change", "built"),
    [
        (lambda o: LearningRate(o).write(0.25), {"lr": torch.tensor(0.25)}),
        (lambda o: GroupSetting(o, OptimizerSetting.WEIGHT_DECAY).write(0.5), {"weight_decay": 0.5}),
        (lambda o: GroupSetting(o, OptimizerSetting.BETA1).write(0.25), {"betas": (0.25, 0.999)}),
    ],
    ids=["lr", "weight decay", "beta1"],
)
def test_a_compiled_step_after_the_change_is_the_step_of_an_optimizer_that_was_built_so(
    change: Callable[[Optimizer], None], built: dict[str, Any]
) -> None:
    torch._dynamo.reset()

    def with_two_steps() -> Optimizer:
        made = AdamW(weights(), lr=torch.tensor(1e-2))
        setattr(made, "step", torch.compile(made.step, backend="eager"))  # noqa: B010  mypy refuses the assignment
        for _ in range(2):
            train_step(made)
        return made

    optimizer, untouched = with_two_steps(), with_two_steps()
    twin = AdamW(copy.deepcopy(optimizer.param_groups[0]["params"]), **({"lr": 1e-2} | built))
    twin.load_state_dict({**twin.state_dict(), "state": copy.deepcopy(optimizer.state_dict()["state"])})
    change(optimizer)
    for _ in range(3):
        used, otherwise = moved(optimizer), moved(untouched)
        assert used == pytest.approx(moved(twin), rel=1e-4)
    assert used != pytest.approx(otherwise, rel=1e-2)


@pytest.mark.parametrize("kind", [SGD, RMSprop])
def test_momentum_is_held_where_it_exists(kind: Kind) -> None:
    optimizer, twin = kind(weights(), lr=1e-2, momentum=0.9), kind(weights(), lr=1e-2, momentum=0.5)
    seen = turned(GroupSetting(optimizer, OptimizerSetting.MOMENTUM), 0.5)
    for _ in range(4):
        assert moved(optimizer) == moved(twin)
    assert proven(seen) == [UseReport(2, 0.5, 0.5, Use.USED)], "the first step has nothing to carry on"


@pytest.mark.parametrize(
    ("optimizer", "setting", "has"),
    [
        (SGD(weights(), lr=1e-2), OptimizerSetting.BETA1, "momentum"),
        (Adam(weights()), OptimizerSetting.MOMENTUM, "betas"),
        (Adagrad(weights()), OptimizerSetting.BETA2, "lr_decay"),
    ],
)
def test_a_setting_that_the_optimizer_lacks_is_refused_with_those_it_has(
    optimizer: Optimizer, setting: OptimizerSetting, has: str
) -> None:
    with pytest.raises(InvalidInput, match=rf"{type(optimizer).__name__} has no {setting.value}.*{has}"):
        GroupSetting(optimizer, setting)


def test_a_name_that_is_no_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid OptimizerSetting"):
        GroupSetting(Adam(weights()), "betas")  # type: ignore[arg-type]  # a wrong name on purpose


def test_a_group_without_decay_stays_without() -> None:
    optimizer = grouped(AdamW, {"weight_decay": 0.1}, {"weight_decay": 0.0})
    GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY).write(0.05)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]


@pytest.mark.parametrize(("decays", "value"), [((0.1, 0.2), 0.0), ((0.0, 0.2), 0.1)])
def test_a_decay_that_would_lose_the_groups_ratios_is_refused(decays: tuple[float, float], value: float) -> None:
    optimizer = grouped(AdamW, *({"weight_decay": decay} for decay in decays))
    with pytest.raises(InvalidInput, match="bind each group separately"):
        GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY).write(value)
    GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY, group=0).write(value)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [value, decays[1]]


def test_betas_that_differ_are_bound_group_by_group_or_not_at_all() -> None:
    optimizer = grouped(Adam, {"betas": (0.9, 0.99)}, {"betas": (0.8, 0.99)})
    with pytest.raises(InvalidInput, match="beta1 differ"):
        GroupSetting(optimizer, OptimizerSetting.BETA1)
    GroupSetting(optimizer, OptimizerSetting.BETA2).write(0.5)
    GroupSetting(optimizer, OptimizerSetting.BETA1, group=1).write(0.7)
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.5), (0.7, 0.5)]


def test_betas_held_in_tensors_are_filled_in_place() -> None:
    held = (torch.tensor(0.9), torch.tensor(0.999))
    optimizer = Adam(weights(), betas=held, foreach=False)
    GroupSetting(optimizer, OptimizerSetting.BETA2).write(0.5)
    assert optimizer.param_groups[0]["betas"][1] is held[1]
    assert [float(each) for each in held] == [pytest.approx(0.9), 0.5]


def cyclic(optimizer: Optimizer, *, cycles: bool = True) -> list[lr_scheduler.LRScheduler]:
    return [
        lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=40, cycle_momentum=cycles),
        lr_scheduler.CyclicLR(optimizer, base_lr=1e-3, max_lr=1e-2, cycle_momentum=cycles),
    ]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("kind", "setting"),
    [(SGD, OptimizerSetting.MOMENTUM), (RMSprop, OptimizerSetting.MOMENTUM), (AdamW, OptimizerSetting.BETA1)],
)
def test_a_momentum_that_the_declared_schedule_cycles_is_refused_and_others_are_not(
    kind: Kind, setting: OptimizerSetting, place: int
) -> None:
    common = {"momentum": 0.9} if setting is OptimizerSetting.MOMENTUM else {}
    optimizer = kind(weights(), lr=1e-2, **common)
    scheduler = cyclic(optimizer)[place]
    name = type(scheduler).__name__
    for declared in (scheduler, lr_scheduler.ChainedScheduler([scheduler])):
        with pytest.raises(InvalidInput, match=f"{name} overwrites {setting.value}"):
            GroupSetting(optimizer, setting, scheduler=declared)
    GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY, scheduler=scheduler).write(0.1)
    optimizer = kind(weights(), lr=1e-2, **common)
    GroupSetting(optimizer, setting, scheduler=cyclic(optimizer, cycles=False)[place]).write(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_an_undeclared_schedule_that_cycles_the_momentum_is_named_when_it_takes_it_back(place: int) -> None:
    optimizer = AdamW(weights(), lr=1e-2)
    scheduler = cyclic(optimizer)[place]
    seen = turned(GroupSetting(optimizer, OptimizerSetting.BETA1), 0.5)
    for _ in range(3):
        train_step(optimizer)
        scheduler.step()
    *used, lost = proven(seen)
    assert used == [], "the bias correction takes beta1 out of the first step, and then it is taken back"
    assert f"beta1 was overwritten by {type(scheduler).__name__}, which cycles it" in lost.why


def test_a_schedule_that_cycles_takes_neither_decay_nor_beta2() -> None:
    optimizer = AdamW(weights(), lr=1e-2)
    scheduler = cyclic(optimizer)[0]
    seen: list[UseReport] = []
    for setting, value in ((OptimizerSetting.WEIGHT_DECAY, 0.25), (OptimizerSetting.BETA2, 0.75)):
        binding = GroupSetting(optimizer, setting, scheduler=scheduler)
        binding.write(value)
        binding.watch(seen.append)
    for _ in range(10):
        train_step(optimizer)
        scheduler.step()
    expected = [UseReport(1, 0.25, 0.25, Use.USED), UseReport(2, 0.75, 0.75, Use.USED)]
    assert proven(seen) == expected, "the first step knows no beta2"


def test_rmsprop_that_stepped_without_momentum_cannot_begin_with_one() -> None:
    optimizer = RMSprop(weights(), lr=1e-2)
    train_step(optimizer)
    binding = GroupSetting(optimizer, OptimizerSetting.MOMENTUM)
    with pytest.raises(InvalidInput, match="would raise KeyError"):
        binding.write(0.5)
    optimizer.param_groups[0]["momentum"] = 0.5
    with pytest.raises(KeyError):  # what is refused is so
        train_step(optimizer)
    fresh = RMSprop(weights(), lr=1e-2)
    GroupSetting(fresh, OptimizerSetting.MOMENTUM).write(0.5)
    train_step(fresh)


def test_a_load_of_older_groups_takes_the_setting_back_and_is_caught() -> None:
    optimizer = AdamW(weights(), lr=1e-2)
    train_step(optimizer)
    old = copy.deepcopy(optimizer.state_dict())
    binding = GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY)
    seen = turned(binding, 0.5)
    train_step(optimizer)
    optimizer.load_state_dict(old)
    train_step(optimizer)
    assert binding.read() == 0.01
    assert (seen[1].expected, seen[1].found) == (0.5, 0.01)
    binding.write(0.25)
    assert optimizer.param_groups[0]["weight_decay"] == 0.25
