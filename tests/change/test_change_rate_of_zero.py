"""A rate that reaches 0 is in proportion to any other; loops with the change by hand, and without it, say what is true.

A twin halves the rates by hand. Its rates are half of those of the loop without a change as long as the change is
carried on, and its weights are others once a step used it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, lr_scheduler

from seedbed.change import ChangeEngine, Delta, GroupSetting, LearningRate, OptimizerSetting, Parameter, Scale
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

pytestmark = [
    pytest.mark.filterwarnings("ignore:Detected call of"),
    pytest.mark.filterwarnings("ignore:The epoch parameter in"),
]

STEPS = 10
Move = Callable[[SGD], Callable[[int], None]]
"""Builds what moves the rates after each step, given the step's number."""


@dataclass(frozen=True)
class Case:
    """What moves the rates, and when the change is made: after this step, before the rates move or after."""

    move: Move
    at: int = 2
    late: bool = False
    rates: tuple[float, ...] = (0.05,)
    group: int | None = None
    as_tensor: bool = False


def schedule(build: Callable[[SGD], lr_scheduler.LRScheduler]) -> Move:
    def move(optimizer: SGD) -> Callable[[int], None]:
        scheduler = build(optimizer)
        return lambda _: scheduler.step()

    return move


def plateau(optimizer: SGD) -> Callable[[int], None]:
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.0, patience=4)
    return lambda _: scheduler.step(1.0)


def by_epoch(optimizer: SGD) -> Callable[[int], None]:
    scheduler = lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 6)
    return lambda step: scheduler.step(step if step == 6 else None)


def by_hand(write: Callable[[int, list[float]], list[float]]) -> Move:
    def move(optimizer: SGD) -> Callable[[int], None]:
        def write_all(step: int) -> None:
            rates = write(step, [group["lr"] for group in optimizer.param_groups])
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate

        return write_all

    return move


def both(first: Move, second: Move) -> Move:
    def move(optimizer: SGD) -> Callable[[int], None]:
        moves = (first(optimizer), second(optimizer))

        def move_on(step: int) -> None:
            for each in moves:
                each(step)

        return move_on

    return move


def but_at(skipped: int, inner: Move) -> Move:
    def move(optimizer: SGD) -> Callable[[int], None]:
        step_on = inner(optimizer)
        return lambda step: step_on(step) if step != skipped else None

    return move


def zero_from(start: int, until: int = 99, then: float = 0.05) -> Move:
    """Code that writes 0 after step `start`, and another rate after step `until`."""
    return by_hand(lambda t, found: [0.0 if t == start else then if t == until else rate for rate in found])


def function(*factors: float) -> Move:
    """A LambdaLR whose last factor holds on."""
    return schedule(lambda o: lr_scheduler.LambdaLR(o, lambda t: factors[min(t, len(factors) - 1)]))


def looped(case: Case, change: str) -> tuple[list[tuple[float, ...]], list[Tensor], ChangeEngine]:
    """The rates of each step, the weights at the end, and the engine of a loop changed by it, by a twin or not."""
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(6)) for _ in case.rates]
    groups = [
        {"params": [weight], "lr": torch.tensor(rate) if case.as_tensor else rate}
        for weight, rate in zip(weights, case.rates, strict=True)
    ]
    optimizer = SGD(groups)
    move, used = case.move(optimizer), []
    engine = ChangeEngine(
        MemoryJournal(), {"lr": LearningRate(optimizer, group=case.group)}, [Parameter("lr", "1", low=0.0, high=9.0)]
    )
    for step in range(1, STEPS + 1):
        for weight in weights:
            weight.grad = torch.randn(6)
        used.append(tuple(float(group["lr"]) for group in optimizer.param_groups))
        optimizer.step()
        if case.late:
            move(step)
        if step == case.at and change == "engine":
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)
        elif step == case.at and change == "twin":
            for group in optimizer.param_groups if case.group is None else [optimizer.param_groups[case.group]]:
                group["lr"] *= 0.5
        if not case.late:
            move(step)
    engine.close()
    return used, [weight.detach() for weight in weights], engine


def true_outcome(case: Case) -> Outcome:
    """What the loops by hand say."""
    (twin, weights, _), (never, others, _) = looped(case, "twin"), looped(case, "never")
    of = slice(None) if case.group is None else slice(case.group, case.group + 1)
    pairs = [(one, other) for t in range(case.at, STEPS) for one, other in zip(twin[t][of], never[t][of], strict=True)]
    if any(one != pytest.approx(other / 2, rel=1e-5, abs=1e-15) for one, other in pairs):
        return Outcome.FAILED
    is_used = any(not torch.equal(one, other) for one, other in zip(weights, others, strict=True))
    return Outcome.EFFECTIVE if is_used else Outcome.UNKNOWN


def judged(case: Case) -> str:
    """The reason that the engine gives for the true outcome."""
    used, weights, engine = looped(case, "engine")
    twin, theirs, _ = looped(case, "twin")
    assert used == twin
    assert all(map(torch.equal, weights, theirs))
    assert engine.history[1].outcome is true_outcome(case), engine.history[1].reason
    return engine.history[1].reason


REACHING: dict[str, Move] = {
    "LinearLR": schedule(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 6)),
    "LinearLR that rounds": schedule(lambda o: lr_scheduler.LinearLR(o, 0.3, 0.0, 7)),
    "LinearLR, told the epoch": by_epoch,
    "PolynomialLR": schedule(lambda o: lr_scheduler.PolynomialLR(o, 8, 2.0)),
    "StepLR": schedule(lambda o: lr_scheduler.StepLR(o, 6, 0.0)),
    "MultiStepLR": schedule(lambda o: lr_scheduler.MultiStepLR(o, [4, 6], 0.0)),
    "MultiplicativeLR": schedule(lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.0 if t == 6 else 0.9)),
    "CosineAnnealingLR": schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS - 1)),
    "ReduceLROnPlateau": plateau,
    "ChainedScheduler": schedule(
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(o, 1.0, 0.0, 6), lr_scheduler.StepLR(o, 2)])
    ),
    "SequentialLR": schedule(
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o, 0.5), lr_scheduler.PolynomialLR(o, 6)], milestones=[1]
        )
    ),
    "two of them": both(
        schedule(lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
        schedule(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 6)),
    ),
}


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("rates", [(0.05,), (0.05, 0.4, 0.0)])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", REACHING)
def test_a_schedule_that_multiplies_carries_the_change_on_to_0(
    kind: str, late: bool, rates: tuple[float, ...], as_tensor: bool
) -> None:
    case = Case(REACHING[kind], 2, late, rates, as_tensor=as_tensor)
    assert true_outcome(case) is Outcome.EFFECTIVE
    assert looped(case, "never")[0][-1] == pytest.approx((0.0,) * len(rates), abs=1e-15)
    judged(case)


UNUSED = {
    "LinearLR": Case(REACHING["LinearLR"], at=6),
    "StepLR": Case(REACHING["StepLR"], at=6, rates=(0.05, 0.4)),
    "MultiplicativeLR": Case(REACHING["MultiplicativeLR"], at=6, as_tensor=True),
    "CosineAnnealingLR": Case(REACHING["CosineAnnealingLR"], at=STEPS - 1),
    "LambdaLR": Case(function(1.0, 1.0, 0.0)),
    "by hand": Case(zero_from(2)),
    "by hand, then a schedule": Case(both(zero_from(2), schedule(lambda o: lr_scheduler.ExponentialLR(o, 0.9)))),
}


@pytest.mark.parametrize("kind", UNUSED)
def test_a_rate_of_0_before_a_step_used_the_change_leaves_it_unknown(kind: str) -> None:
    assert true_outcome(UNUSED[kind]) is Outcome.UNKNOWN
    assert judged(UNUSED[kind]) == "the run ended before a step used it: the update is the same with the former value"


@pytest.mark.parametrize("move", [zero_from(3), zero_from(5), function(1.0, 1.0, 1.0, 0.0)])
def test_a_0_of_its_own_after_a_step_used_the_change_leaves_it_effective(move: Move) -> None:
    case = Case(move, late=True)
    assert true_outcome(case) is Outcome.EFFECTIVE
    judged(case)


RISING = {
    "CosineAnnealingLR": Case(schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, 6))),
    "CosineAnnealingLR, unused": Case(schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, 3))),
    "SequentialLR": Case(
        schedule(
            lambda o: lr_scheduler.SequentialLR(
                o, [lr_scheduler.LinearLR(o, 1.0, 0.0, 4), lr_scheduler.StepLR(o, 3)], milestones=[6]
            )
        )
    ),
    "LambdaLR": Case(function(1.0, 1.0, 1.0, 0.0, 0.5), late=True),
    "LambdaLR, unused": Case(function(1.0, 1.0, 0.0, 0.5)),
    "by hand": Case(zero_from(4, until=6)),
    "by hand, unused": Case(zero_from(2, until=6)),
    "by hand, less than before": Case(zero_from(4, until=6, then=0.01)),
    "by hand, then a CosineAnnealingLR from 0": Case(
        both(zero_from(4), but_at(4, schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, 20, 0.01))))
    ),
}


@pytest.mark.parametrize("kind", RISING)
def test_what_rises_from_0_has_overwritten_the_change(kind: str) -> None:
    case = RISING[kind]
    assert true_outcome(case) is Outcome.FAILED
    assert "expected 0, found 0.0" in judged(case)


def per_group(*factors: Callable[[int], float]) -> Move:
    return schedule(lambda o: lr_scheduler.MultiplicativeLR(o, list(factors)))


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        (Case(per_group(lambda _: 0.9, lambda t: float(t != 6))), Outcome.EFFECTIVE),
        (Case(per_group(lambda _: 0.9, lambda t: float(t != 6)), group=1), Outcome.EFFECTIVE),
        (Case(per_group(lambda _: 0.9, lambda t: float(t != 6)), at=6, group=1), Outcome.UNKNOWN),
        (Case(by_hand(lambda t, found: [found[0], 0.0 if t == 2 else found[1]])), Outcome.EFFECTIVE),
        (Case(by_hand(lambda t, found: [found[0] * 0.9, 0.0 if t == 2 else found[1]])), Outcome.EFFECTIVE),
        (Case(by_hand(lambda t, found: [found[0] * 0.9, 0.0 if t == 5 else found[1]])), Outcome.EFFECTIVE),
        (Case(by_hand(lambda t, found: [0.05, 0.0] if t == 2 else found)), Outcome.FAILED),
        (Case(by_hand(lambda t, found: [0.0, 0.4] if t == 5 else found)), Outcome.FAILED),
    ],
)
def test_a_group_at_0_leaves_the_other_groups_to_decide(case: Case, outcome: Outcome) -> None:
    case = Case(case.move, case.at, rates=(0.05, 0.4), group=case.group)
    assert true_outcome(case) is outcome
    judged(case)


@pytest.mark.parametrize(("at", "outcome"), [(2, Outcome.EFFECTIVE), (5, Outcome.UNKNOWN)])
def test_a_resumed_run_that_no_longer_knows_the_former_rate_says_the_same_at_0(at: int, outcome: Outcome) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer, journal = SGD([weight], lr=0.05), MemoryJournal()
    scheduler = lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 6)

    def opened() -> ChangeEngine:
        return ChangeEngine(journal, {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", low=0.0, high=9.0)])

    engine = opened()
    for step in range(STEPS):
        weight.grad = torch.ones(3)
        optimizer.step()
        if step == at:
            engine.propose(Delta("lr", Scale(0.5), "test", "me"), step)
        scheduler.step()
        if step == max(4, at):
            state = engine.state(step)
            engine.close()
            engine = opened()
            engine.resume(state)
    engine.close()
    assert engine.history[1].outcome is outcome, engine.history[1].reason


@pytest.mark.parametrize(
    ("decays", "outcome"),
    [
        ([0.0], Outcome.UNKNOWN),
        ([None, 0.0], Outcome.EFFECTIVE),
        ([0.0, 0.05], Outcome.FAILED),
        ([None, 0.0, 0.05], Outcome.FAILED),
    ],
)
def test_a_weight_decay_of_0_is_in_proportion_too(decays: list[float | None], outcome: Outcome) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], lr=0.1, weight_decay=0.2)
    engine = ChangeEngine(
        MemoryJournal(),
        {"decay": GroupSetting(optimizer, OptimizerSetting.WEIGHT_DECAY)},
        [Parameter("decay", "1", low=0.0, high=1.0)],
    )
    engine.propose(Delta("decay", Scale(0.5), "test", "me"), 0)
    for decay in decays:
        if decay is not None:
            optimizer.param_groups[0]["weight_decay"] = decay
        weight.grad = torch.ones(3)
        optimizer.step()
    assert engine.history[1].outcome is outcome
