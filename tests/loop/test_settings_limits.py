"""Bounds and pace: what a person does passes, and a slip by a thousand times is held back, whatever the schedule."""

import math
from collections.abc import Callable, Mapping

import pytest
import torch
from settings_rig import Loop, Net, Scale, Set, live, nothing_is_hidden  # noqa: F401
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler
from torch.utils.data import DataLoader

from seedbed.change import MixtureSampler, Operation
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.loop.settings import Limits

SMALL = [nn.Parameter(torch.ones(2))]
SCHEDULES: dict[str, Callable[[Optimizer], object]] = {
    "none": lambda o: None,
    "linear warmup": lambda o: lr_scheduler.LinearLR(o, start_factor=1e-3, total_iters=1000),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, max_lr=1e-2, total_steps=1000, cycle_momentum=False),
    "lambda warmup": lambda o: lr_scheduler.LambdaLR(o, lambda step: min(1.0, (step + 1) / 1000)),
    "noam": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1e-4 * min(1.0, (step + 1) / 1000)),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, base_lr=1e-5, max_lr=1e-2, cycle_momentum=False),
    "warmup, then cosine": lambda o: lr_scheduler.SequentialLR(
        o,
        [
            lr_scheduler.LinearLR(o, start_factor=1e-3, total_iters=500),
            lr_scheduler.CosineAnnealingLR(o, T_max=500),
        ],
        milestones=[500],
    ),
    "end of a cosine": lambda o: ended(lr_scheduler.CosineAnnealingLR(o, T_max=100)),
}


def ended(scheduler: lr_scheduler.LRScheduler) -> lr_scheduler.LRScheduler:
    for _ in range(97):
        scheduler.optimizer.step()
        scheduler.step()
    return scheduler


def loop(schedule: str) -> Loop:
    net = Net()
    optimizer = AdamW(net.parameters(), lr=1e-2)
    made = Loop(optimizer, SCHEDULES[schedule](optimizer))
    made.model = net
    return made


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("factor", [0.5, 0.1, 2.0, 1 / 3])
def test_a_rate_can_be_halved_cut_by_ten_and_doubled_under_any_schedule(schedule: str, factor: float) -> None:
    rig = loop(schedule)
    before = rig.engine.values()["optimizer.lr"]
    (change,) = rig.propose("lr", Scale(factor))
    rig.step()
    assert rig.outcome(change) == "EFFECTIVE", change.reason
    assert change.after == pytest.approx(before * factor)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("op", [Scale(1000.0), Scale(1e-3), Scale(-1.0), Scale(0.0)])
def test_a_slip_of_the_rate_is_denied_and_changes_nothing(schedule: str, op: Operation) -> None:
    rig = loop(schedule)
    before = rig.engine.values()
    (change,) = rig.propose("lr", op)
    assert change.outcome is Outcome.BLOCKED
    assert change.guard_result is not None
    assert change.guard_result.guard == "slip"
    assert rig.engine.values() == before


@pytest.mark.parametrize("schedule", ["linear warmup", "lambda warmup", "warmup, then cosine"])
def test_in_a_warmup_a_rate_that_belongs_to_its_end_is_a_slip(schedule: str) -> None:
    rig = loop(schedule)
    (change,) = rig.propose("lr", Set(5e-3))  # the schedule would lead it to 5 in the end
    assert change.outcome is Outcome.BLOCKED
    assert "would rise to 500 times its value in one change: up to 10 times is allowed" in change.reason


def test_slips_that_are_made_of_steps_are_held_back_too() -> None:
    rig = loop("none")
    for factor, outcome in (
        (3.0, "EFFECTIVE"),
        (3.0, "EFFECTIVE"),
        (3.0, "BLOCKED"),
        (0.1, "EFFECTIVE"),
        (3.0, "EFFECTIVE"),
    ):
        (change,) = rig.propose("lr", Scale(factor))
        rig.step()
        assert rig.outcome(change) == outcome, change.reason


def test_steps_that_are_far_apart_are_no_slip() -> None:
    rig = Loop(SGD(Net().parameters(), lr=1e-4), settings={"lr": {"high": 1.0}})
    for _ in range(3):
        (change,) = rig.propose("lr", Scale(10.0))
        assert change.phase == "applied", change.reason
        rig.num_steps += 100


Passing = list[Operation]


@pytest.mark.parametrize(
    ("name", "build", "passing", "slips"),
    [
        ("weight_decay", lambda w: AdamW(w), [Set(0.0), Set(0.1), Scale(0.1), Scale(10.0)], [Scale(1000.0), Set(-1.0)]),
        ("weight_decay", lambda w: Adam(w), [Set(1e-4), Set(0.05), Set(0.1)], [Set(10.0), Set(-1.0)]),
        ("beta1", lambda w: Adam(w), [Set(0.95), Set(0.5), Set(0.99)], [Scale(1000.0), Set(1.5), Set(-0.9)]),
        ("beta2", lambda w: Adam(w), [Set(0.95), Set(0.9999)], [Scale(1000.0), Set(1.01)]),
        ("eps", lambda w: Adam(w), [Set(1e-6), Set(1e-7), Set(1e-10)], [Scale(1000.0), Scale(1e-3), Set(1.0)]),
        ("momentum", lambda w: SGD(w, momentum=0.9), [Set(0.0), Set(0.99), Scale(0.5)], [Scale(1000.0), Set(-1.0)]),
        ("momentum", lambda w: SGD(w), [Set(0.9)], [Set(90.0)]),
    ],
)
def test_what_a_person_sets_passes_and_what_a_slip_sets_is_denied(
    name: str, build: Callable[[list[nn.Parameter]], Optimizer], passing: list[Operation], slips: list[Operation]
) -> None:
    for op in passing:
        (change,) = Loop(build(SMALL)).propose(name, op)
        assert (change.phase, change.shrunk) == ("applied", False), change.reason
    for op in slips:
        rig = Loop(build(SMALL))
        (change,) = rig.propose(name, op)
        assert change.outcome is Outcome.BLOCKED
        assert change.guard_result is not None
        assert change.guard_result.guard == "slip"


@pytest.mark.parametrize("op", [Set(0.0), Set(0.5), Scale(5.0)])
def test_dropout_moves_freely_within_its_bounds(op: Operation) -> None:
    assert Loop().propose("dropout", op)[0].phase == "applied"


@pytest.mark.parametrize("op", [Scale(1000.0), Set(30.0), Set(-0.1)])
def test_a_probability_above_1_is_not_made_the_largest_one(op: Operation) -> None:
    assert Loop().propose("dropout", op)[0].outcome is Outcome.BLOCKED


def test_a_value_a_little_beyond_a_bound_is_shrunk_to_it() -> None:
    (change,) = Loop().propose("dropout", Set(0.95))
    assert (change.after, change.shrunk) == (0.9, True)


def test_a_second_change_before_a_step_is_too_soon() -> None:
    rig = Loop()
    rig.propose("lr", Scale(0.5))
    assert "1 must pass" in rig.propose("lr", Scale(0.5))[0].reason
    rig.step()
    assert rig.propose("lr", Scale(0.5))[0].phase == "applied"


def test_limits_of_the_user_replace_those_that_were_derived() -> None:
    rig = Loop(settings={"lr": {"low": 1e-6, "high": 1e-1, "cooldown_steps": 0, "most_up": 200}})
    assert rig.propose("lr", Set(0.1))[0].after == 0.1
    assert rig.propose("lr", Scale(0.5))[0].phase == "applied"
    found = {each.key: each.parameter for each in rig.settings.found}["optimizer.lr"]
    assert (found.low, found.high, found.cooldown_steps) == (1e-6, 1e-1, 0)


def test_limits_of_all_groups_count_for_each_and_those_of_one_for_that() -> None:
    net = Net()
    groups = [{"params": part.parameters(), "name": name} for name, part in net.named_children() if name != "drop"]
    rig = Loop(AdamW(groups, lr=1e-3), settings={"lr": {"high": 0.5, "low": 1e-9}, "lr.head": {"high": 0.25}})
    found = {each.key: each.parameter for each in rig.settings.found}
    assert [
        (found[f"optimizer.lr.{name}"].low, found[f"optimizer.lr.{name}"].high) for name in ("encoder", "head")
    ] == [
        (1e-9, 0.5),
        (1e-9, 0.25),
    ]


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"lrr": {"high": 0.1}}, r"nothing is called 'lrr'; the nearest (is|are) lr"),
        ({"lr": {"hihg": 0.1}}, r"settings\['lr'\]\['hihg'\]: there is no such limit; the nearest is high"),
        ({"lr": {"high": "0.1"}}, r"settings\['lr'\]\['high'\] is '0.1': expected a finite number"),
        ({"lr": {"high": math.inf}}, "expected a finite number"),
        ({"lr": {"high": True}}, "expected a finite number"),
        ({"lr": {"low": None}}, "expected a finite number"),
        ({"lr": {"most_up": 0.5}}, "1 or more"),
        ({"lr": 0.1}, r"expected its limits by name"),
        ({"lr": {"low": 1.0, "high": 0.1}}, "expected finite bounds with low <= high"),
        ({"lr": {"cooldown_steps": -1}}, "cooldown_steps is -1, expected 0 or more"),
        ({"other.freeze.head": {"cooldown_steps": 1}}, "nothing is called 'other.freeze.head'"),
    ],
)
def test_what_is_said_wrongly_is_refused_at_that_line(overrides: dict, error: str) -> None:
    with pytest.raises(InvalidInput, match=error):
        Loop(settings=overrides)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clip", "clip.norm"),
        ("clip.norm", "clip.norm"),
        ("batch_size", "loader.batch_size"),
        ("accumulation", "accumulation"),
        ("freeze.encoder.0", "model.freeze.encoder.0"),
        ("mixture.old", "loader.mixture.old"),
    ],
)
def test_limits_of_what_is_found_later_are_taken(name: str, key: str) -> None:
    def cooldown(**settings: Mapping[str, float]) -> int:
        rig = Loop(settings=settings)
        rig.backward()
        rig.settings.clip(rig.model.parameters(), 1.0)
        rig.settings.accumulation(2)
        mixture = MixtureSampler({"old": 32, "new": 32}, {"old": 1.0, "new": 1.0}, 64, seed=0)
        rig.settings.add(live(loader=DataLoader(rig.loader.dataset, sampler=mixture, batch_size=8)))
        rig.settings.resolve("freeze.encoder.0")
        (found,) = [each for each in rig.settings.found if each.key == key]
        return found.parameter.cooldown_steps

    assert cooldown(**{name: {"cooldown_steps": 7}}) == 7
    assert cooldown() == 1


def test_bounds_of_each_kind_have_the_live_value_within_them() -> None:
    for value in (1e-12, 1e-8, 1e-3, 0.1, 0.5, 0.9, 0.999, 1.0 - 1e-9):
        for limits in (
            Limits.of_rate(value),
            Limits.of_weight_decay(value),
            Limits.of_average(value, 0.99),
            Limits.of_eps(value),
            Limits.of_dropout(value),
            Limits.of_clip_norm(value),
            Limits.of_share(value),
        ):
            assert limits.low <= value <= limits.high
    for size in (1, 2, 7, 4096):
        assert 1 <= size <= 2 * size <= Limits.of_count(size).high
