"""What multiplies a changed number carries the change on; what computes one of its own loses it. Closures count too."""

import math
from collections.abc import Callable
from itertools import count

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Optimizer, lr_scheduler

from seedbed.change import (
    Binding,
    ChangeEngine,
    ClipNorm,
    Delta,
    DropoutRate,
    GroupSetting,
    LearningRate,
    LossWeight,
    LossWeights,
    OptimizerSetting,
    Parameter,
    Scale,
    Set,
)
from seedbed.change.bindings._course import Carry, Course
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal


class Halving(lr_scheduler.LRScheduler):
    """A scheduler of somebody's own that multiplies what it finds."""

    def get_lr(self) -> list[float | Tensor]:
        return [group["lr"] * (0.5 if self.last_epoch else 1.0) for group in self.optimizer.param_groups]


class Computing(lr_scheduler.LRScheduler):
    """A scheduler of somebody's own that computes its rates from their bases."""

    def get_lr(self) -> list[float | Tensor]:
        return [base * 0.95**self.last_epoch for base in self.base_lrs]


def by_hand(factor: Callable[[int], float]) -> Callable[[Optimizer], Callable[[], None]]:
    def build(optimizer: Optimizer) -> Callable[[], None]:
        steps = count(1)

        def decay() -> None:
            step = next(steps)
            for group in optimizer.param_groups:
                group["lr"] *= factor(step)

        return decay

    return build


def set_by_hand(rate: Callable[[int], float]) -> Callable[[Optimizer], Callable[[], None]]:
    def build(optimizer: Optimizer) -> Callable[[], None]:
        steps = count(1)

        def set_rate() -> None:
            step = next(steps)
            for group in optimizer.param_groups:
                group["lr"] = rate(step)

        return set_rate

    return build


CARRYING: dict[str, Callable[[Optimizer], Callable[[], None]]] = {
    "half each step": by_hand(lambda _: 0.5),
    "a little less each step": by_hand(lambda _: 0.99),
    "a tenth at a milestone": by_hand(lambda step: 0.1 if step == 5 else 1.0),
    "a cosine by hand": by_hand(lambda t: (1 + math.cos(t / 10)) / (1 + math.cos((t - 1) / 10))),
    "an own scheduler": lambda o: Halving(o).step,
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9).step,
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5).step,
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda _: 0.7).step,
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 20).step,
}
LOSING: dict[str, Callable[[Optimizer], Callable[[], None]]] = {
    "the same each step": set_by_hand(lambda _: 0.1),
    "a decay from its own base": set_by_hand(lambda t: 0.1 * 0.9**t),
    "a milestone from its own base": set_by_hand(lambda t: 0.1 * 0.1 ** (t // 5)),
    "an own scheduler": lambda o: Computing(o).step,
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.95**t).step,
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 12).step,
}


def an_engine(key: str, binding: Binding) -> ChangeEngine:
    return ChangeEngine(MemoryJournal(), {key: binding}, [Parameter(key, "1", low=1e-9, high=10.0)])


def looped(move: Callable[[Optimizer], Callable[[], None]], factor: float, at: int, steps: int = 10) -> ChangeEngine:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    after_step = move(optimizer)
    engine = an_engine("lr", LearningRate(optimizer))
    for step in range(1, steps + 1):
        weight.grad = torch.ones(3)
        optimizer.step()
        if step == at:
            engine.propose(Delta("lr", Scale(factor), "test", "me"), step)
        after_step()
    engine.close()
    return engine


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("factor", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("kind", CARRYING)
def test_what_multiplies_the_rate_that_it_finds_is_not_accused(kind: str, at: int, factor: float) -> None:
    engine = looped(CARRYING[kind], factor, at)
    assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("factor", [0.1, 0.5, 0.8, 1.5])
@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("kind", LOSING)
def test_what_sets_a_rate_of_its_own_is_named(kind: str, at: int, factor: float) -> None:
    engine = looped(LOSING[kind], factor, at)
    assert engine.history[1].outcome is Outcome.FAILED
    assert "overwritten" in engine.history[1].reason


def test_a_weight_decay_that_a_loop_multiplies_is_carried_on_and_one_that_it_sets_is_not() -> None:
    for own_value, outcome in ((False, Outcome.EFFECTIVE), (True, Outcome.FAILED)):
        weight = nn.Parameter(torch.ones(3))
        optimizer = SGD([weight], lr=0.1, weight_decay=0.2)
        engine = an_engine("decay", GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY))
        engine.propose(Delta("decay", Scale(0.5), "test", "me"), 0)
        for step in range(1, 5):
            weight.grad = torch.ones(3)
            optimizer.step()
            group = optimizer.param_groups[0]
            group["weight_decay"] = 0.2 * 0.9**step if own_value else group["weight_decay"] * 0.9
        assert engine.history[1].outcome is outcome


def test_a_decay_of_its_own_that_looks_like_a_factor_is_found_out_by_the_second() -> None:
    course = Course([0.1], [0.09])  # a change by little, and a schedule that halves from 0.1
    assert course.follow([0.09], [0.05]) is Carry.OPEN, "either may be so"
    assert course.follow([0.05], [0.05]) is Carry.OPEN, "what is not written again tells nothing"
    assert course.follow([0.05], [0.025]) is Carry.LOST
    course = Course([0.1], [0.09])
    assert course.follow([0.09], [0.045]) is Carry.OPEN
    assert course.follow([0.045], [0.0225]) is Carry.CARRIED
    assert course.follow([0.0225], [0.0225 * 0.045 / 0.1]) is Carry.CARRIED, "it is decided"


def test_a_factor_of_another_kind_decides_nothing_and_one_of_the_same_kind_does() -> None:
    course = Course([0.1], [0.05])
    assert course.follow([0.05], [0.01]) is Carry.OPEN
    assert course.follow([0.01], [0.0099]) is Carry.OPEN, "a slow decay follows a milestone in both cases"
    assert course.follow([0.0099], [0.0099 * 0.2]) is Carry.CARRIED
    course = Course([0.1], [0.05])
    assert course.follow([0.05], [0.0496]) is Carry.OPEN
    assert course.follow([0.0496], [0.0490]) is Carry.CARRIED, "from 0.1 the first would have been a fall by half"


def test_each_number_that_moved_must_confirm_it() -> None:
    course = Course([0.1, 1.0], [0.05, 0.5])
    assert course.follow([0.05, 0.5], [0.05, 0.1]) is Carry.OPEN
    assert course.follow([0.05, 0.1], [0.045, 0.02]) is Carry.OPEN, "the first group moved for the first time"
    assert course.follow([0.045, 0.02], [0.0405, 0.004]) is Carry.CARRIED


@pytest.mark.parametrize(
    ("expected", "found", "carried"),
    [
        ([0.05, 0.5], [0.04, 0.4], Carry.OPEN),
        ([0.05, 0.5], [0.1, 1.0], Carry.LOST),
        ([0.05, 0.5], [0.05, 0.6], Carry.LOST),
        ([0.05, 0.5], [0.0, 0.0], Carry.CARRIED),
        ([0.05, 0.5], [0.0, 0.4], Carry.OPEN),
        ([0.05, 0.5], [0.0, 1.0], Carry.LOST),
        ([0.05, 0.5], [0.04, -0.4], Carry.LOST),
        ([0.0, 0.0], [0.1, 1.0], Carry.LOST),
        ([0.05, 0.5], [0.05, 0.5], Carry.CARRIED),
    ],
)
def test_proportions_decide(expected: list[float], found: list[float], carried: Carry) -> None:
    assert Course([0.1, 1.0], [0.05, 0.5]).follow(expected, found) is carried


def test_a_number_that_was_zero_before_the_change_is_lost_when_it_is_zero_again() -> None:
    assert Course([0.0], [0.5]).follow([0.5], [0.25]) is Carry.OPEN
    assert Course([0.0], [0.5]).follow([0.5], [0.0]) is Carry.LOST


def always(rate: float) -> Callable[[Optimizer], Callable[[], None]]:
    return set_by_hand(lambda _: rate)


AFTER_A_MILESTONE = set_by_hand(lambda t: 0.1 * 0.1 ** ((t + 29) // 30))


@pytest.mark.parametrize(
    ("move", "change", "at"),
    [
        (AFTER_A_MILESTONE, Scale(0.5), 5),
        (always(0.01), Set(0.02), 1),
        *((always(own), Set(0.2), 1) for own in (0.15, 0.5, 1.0)),
        (set_by_hand(lambda t: 0.01 * 0.99**t), Scale(0.5), 1),
    ],
)
def test_a_number_of_its_own_beyond_the_new_value_is_never_taken_for_a_use(
    move: Callable[[Optimizer], Callable[[], None]], change: Set | Scale, at: int
) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    set_rate = move(optimizer)
    engine = an_engine("lr", LearningRate(optimizer))
    for step in range(1, 10):
        weight.grad = torch.ones(3)
        optimizer.step()
        if step == at:
            engine.propose(Delta("lr", change, "test", "me"), step)
        if step >= at:
            set_rate()
    engine.close()
    record = engine.history[1]
    assert record.outcome is Outcome.UNKNOWN
    assert "whether it carries the change on was not seen" in record.reason


def test_the_next_milestone_tells_a_step_decay_from_one_that_multiplies() -> None:
    for own, outcome in ((True, Outcome.FAILED), (False, Outcome.EFFECTIVE)):
        weight = nn.Parameter(torch.ones(3))
        optimizer = SGD([weight], lr=0.1)
        engine = an_engine("lr", LearningRate(optimizer))
        for step in range(1, 15):
            if own:
                optimizer.param_groups[0]["lr"] = 0.1 * 0.1 ** (step // 5)
            elif step % 5 == 0:
                optimizer.param_groups[0]["lr"] *= 0.1
            weight.grad = torch.ones(3)
            optimizer.step()
            if step == 4:
                engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)
            if step == 9:
                assert engine.history[1].outcome is Outcome.UNKNOWN
        assert engine.history[1].outcome is outcome, engine.history[1].reason


def test_a_value_that_a_step_found_before_any_rewrite_was_used() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1)
    engine = an_engine("lr", LearningRate(optimizer))
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    for _ in range(3):
        weight.grad = torch.ones(3)
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.001
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert engine.history[1].story[-1][1]["found"] == 0.05


@pytest.mark.parametrize("own", [True, False])
def test_one_rewrite_of_a_weight_decay_leaves_its_use_open(own: bool) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1, weight_decay=0.1)
    engine = an_engine("decay", GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY))
    engine.propose(Delta("decay", Scale(0.5), "test", "me"), 0)
    for _ in range(4):
        group = optimizer.param_groups[0]
        group["weight_decay"] = 0.01 if own else group["weight_decay"] * 0.2
        weight.grad = torch.ones(3)
        optimizer.step()
    engine.close()
    assert engine.history[1].outcome is (Outcome.UNKNOWN if own else Outcome.EFFECTIVE)
    assert not own or "something else wrote 0.01 before step 1" in engine.history[1].reason


BUILDS = {
    "lambda": lambda o, f: lr_scheduler.LambdaLR(o, f),
    "multiplicative": lambda o, f: lr_scheduler.MultiplicativeLR(o, f),
    "chained": lambda o, f: lr_scheduler.ChainedScheduler([lr_scheduler.LambdaLR(o, f)]),
    "sequential": lambda o, f: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.LambdaLR(o, f)], milestones=[3]
    ),
    "cyclic": lambda o, f: lr_scheduler.CyclicLR(o, 0.01, 0.1, 4, scale_fn=f, cycle_momentum=False),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("kind", BUILDS)
def test_a_function_of_the_users_is_called_as_often_as_without_a_watch_and_never_blamed(kind: str) -> None:
    called = []
    for watches in (False, True):
        calls = count(1)
        weight = nn.Parameter(torch.ones(3))
        optimizer = SGD([weight], lr=0.1)
        used: list[float] = []

        def impure(_: float, calls: count = calls, used: list[float] = used) -> float:
            used.append(1 / (1 + next(calls)))
            return used[-1]

        scheduler = BUILDS[kind](optimizer, impure)
        engine = an_engine("lr", LearningRate(optimizer, scheduler))
        for step in range(1, 12):
            weight.grad = torch.ones(3)
            optimizer.step()
            if step == 3 and watches:
                engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)
            scheduler.step()
        called.append(len(used))
        if watches:
            assert engine.history[1].outcome is Outcome.EFFECTIVE, engine.history[1].reason
    assert called[0] == called[1]


def the_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))


@pytest.mark.parametrize("as_keyword", [False, True])
@pytest.mark.parametrize(
    "build",
    [
        lambda w: SGD(w, lr=0.01),
        lambda w: torch.optim.AdamW(w, lr=0.01),
        lambda w: LBFGS(w, lr=0.1, max_iter=3),
        lambda w: LBFGS(w, lr=1.0, max_iter=3, line_search_fn="strong_wolfe"),
    ],
    ids=["SGD", "AdamW", "LBFGS", "line search"],
)
@pytest.mark.parametrize("key", ["clip", "dropout", "loss weight", "lr"])
def test_what_is_used_inside_the_closure_of_a_step_is_effective_at_it(key: str, build, as_keyword: bool) -> None:
    model = the_model()
    optimizer = build(model.parameters())
    clip, terms = ClipNorm(optimizer, 1e-2), LossWeights({"fit": 1.0})
    bindings: dict[str, Binding] = {
        "clip": clip,
        "dropout": DropoutRate(model, optimizer),
        "loss weight": LossWeight(terms, "fit", optimizer),
        "lr": LearningRate(optimizer),
    }
    engine = an_engine(key, bindings[key])
    num_calls = 0

    def closure() -> torch.Tensor:
        nonlocal num_calls
        num_calls += 1
        optimizer.zero_grad()
        loss = terms.combine({"fit": (model(torch.randn(8, 4)) - 1).square().mean()})
        loss.backward()
        clip.clip(model.parameters())
        return loss

    for step in range(1, 5):
        if as_keyword:
            optimizer.step(closure=closure)
        else:
            optimizer.step(closure)
        if step == 2:
            engine.propose(Delta(key, Set(5e-3), "test", "me"), step)
    engine.close()
    change = engine.history[1]
    assert (change.outcome, change.story[-1][1]["step"]) == (Outcome.EFFECTIVE, 3), change.reason
    assert num_calls >= 4


def test_a_closure_that_no_longer_clips_is_a_loss_also_after_one_that_clipped_more_than_once() -> None:
    model = the_model()
    optimizer = LBFGS(model.parameters(), lr=0.1, max_iter=3)
    clip = ClipNorm(optimizer, 1.0)
    engine = an_engine("clip", clip)
    engine.propose(Delta("clip", Set(0.5), "test", "me"), 0)
    for clips in (True, False):

        def closure(clips: bool = clips) -> torch.Tensor:
            optimizer.zero_grad()
            loss = model(torch.randn(8, 4)).square().mean()
            loss.backward()
            if clips:
                clip.clip(model.parameters())
            return loss

        optimizer.step(closure)
    assert engine.history[1].outcome is Outcome.FAILED
    assert "clip had not been called since its last step" in engine.history[1].reason
