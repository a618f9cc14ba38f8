"""What is no proof of a use: steps that move nothing, however many, and numbers that are not finite."""

from collections.abc import Callable
from itertools import product
from math import inf, nan

import pytest
import torch
from torch.optim import ASGD, LBFGS, SGD, Adam, Optimizer, Rprop

from seedbed.change import (
    Binding,
    ChangeEngine,
    Delta,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    Parameter,
    Scale,
    Use,
    UseReport,
)
from seedbed.change.bindings.proof._finding import Match, compared
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal

_BINDINGS: dict[str, Callable[[Optimizer], Binding]] = {
    "lr": LearningRate,
    "momentum": lambda optimizer: GroupSetting(optimizer, OptimizerSetting.MOMENTUM),
}


def halved(kind: str) -> tuple[torch.nn.Parameter, Optimizer, ChangeEngine]:
    """An optimizer of one weight, and an engine that has just halved a setting of it."""
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = SGD([weight], lr=0.1, momentum=0.5)
    engine = ChangeEngine(MemoryJournal(), {"x": _BINDINGS[kind](optimizer)}, [Parameter("x", "1", low=1e-9, high=1e3)])
    engine.propose(Delta("x", Scale(0.5), "test", "me"), 0)
    return weight, optimizer, engine


@pytest.mark.parametrize("gradient", [0.0, nan, inf])
@pytest.mark.parametrize("num_steps", [1, 64, 65, 70, 200])
@pytest.mark.parametrize("kind", _BINDINGS)
def test_steps_without_a_proof_prove_nothing_however_many_they_are(kind: str, num_steps: int, gradient: float) -> None:
    weight, optimizer, engine = halved(kind)
    for _ in range(num_steps):
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    assert engine.history[1].outcome is Outcome.UNKNOWN
    engine.close()
    why = "is the same with the former value" if gradient == 0 else "holds numbers that are not finite"
    assert engine.history[1].outcome is Outcome.UNKNOWN
    told = "" if num_steps <= 65 else "; 2 steps in 16 are looked at by now"
    assert engine.history[1].reason == f"the run ended before a step used it: the update {why}{told}"


@pytest.mark.parametrize("num_idle", [0, 63, 64, 200])
@pytest.mark.parametrize(("cls", "first"), [(SGD, 1), (ASGD, 2)])
def test_steps_without_gradients_use_up_no_look(cls: type[SGD | ASGD], first: int, num_idle: int) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = cls([weight], lr=0.1)
    weight.grad = torch.ones(4)
    optimizer.step()
    engine = ChangeEngine(MemoryJournal(), {"x": LearningRate(optimizer)}, [Parameter("x", "1", low=1e-9, high=1e3)])
    engine.propose(Delta("x", Scale(0.5), "test", "me"), 0)
    for step in range(num_idle + 2):
        weight.grad = None if step < num_idle else torch.full_like(weight, 1.0 + step)
        optimizer.step()
    assert (engine.history[1].outcome, engine.history[1].story[-1][1]["step"]) == (Outcome.EFFECTIVE, num_idle + first)


def test_a_weight_that_takes_its_first_step_late_shows_the_rate_that_rprop_gives_it() -> None:
    early, late = (torch.nn.Parameter(torch.ones(4)) for _ in range(2))
    optimizer = Rprop([early, late], lr=0.1)
    early.grad = torch.ones(4)
    optimizer.step()
    engine = ChangeEngine(MemoryJournal(), {"x": LearningRate(optimizer)}, [Parameter("x", "1", low=1e-9, high=1e3)])
    engine.propose(Delta("x", Scale(0.5), "test", "me"), 0)
    for _ in range(100):
        early.grad = torch.randn(4)
        optimizer.step()
    assert engine.history[1].outcome is Outcome.UNKNOWN
    late.grad = torch.ones(4)
    optimizer.step()
    assert torch.equal(late, torch.full((4,), 0.95))  # 1 - 0.05, the new rate
    assert (engine.history[1].outcome, engine.history[1].story[-1][1]["step"]) == (Outcome.EFFECTIVE, 101)


@pytest.mark.parametrize("has_stepped", [False, True])
def test_an_optimizer_that_is_given_the_weights_later_is_seen_to_step_them(has_stepped: bool) -> None:
    weight, other = (torch.nn.Parameter(torch.ones(4)) for _ in range(2))
    weight.grad = other.grad = torch.ones(4)
    optimizer, rival = SGD([weight], lr=0.1), SGD([other], lr=0.1)
    engine = ChangeEngine(MemoryJournal(), {"x": LearningRate(optimizer)}, [Parameter("x", "1", low=1e-9, high=1e3)])
    engine.propose(Delta("x", Scale(0.5), "test", "me"), 0)
    optimizer.step()
    if has_stepped:
        rival.step()
    rival.add_param_group({"params": [weight]})
    for _ in range(2):
        rival.step()
    assert engine.history[1].outcome is Outcome.FAILED
    assert "another optimizer, SGD, steps these weights with a value" in engine.history[1].reason


@pytest.mark.parametrize(("num_steps", "first_look"), [(70, 81), (200, 209)])
def test_a_step_that_is_looked_at_after_many_that_were_not_is_still_a_proof(num_steps: int, first_look: int) -> None:
    weight, optimizer, engine = halved("lr")
    for _ in range(num_steps):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    for _ in range(16):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert (engine.history[1].outcome, engine.history[1].story[-1][1]["step"]) == (Outcome.EFFECTIVE, first_look)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("who", [who for who in product([False, True], repeat=3) if any(who)])
@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("made", [1.0, 2.0, 3.0])
def test_an_update_is_open_when_a_number_of_it_or_of_a_twin_is_not_finite(
    made: float, is_whole: bool, who: tuple[bool, ...], bad: float
) -> None:
    updates = []
    for value, is_bad in zip((made, 1.0, 2.0), who, strict=True):
        update = torch.full((3,), value)
        if is_bad:
            update[: 3 if is_whole else 1] = bad
        updates.append([torch.ones(2), update])
    assert compared(*updates).match is Match.OPEN


@pytest.mark.parametrize(
    ("made", "new", "former", "match"),
    [
        (1.0, 1.0, 1.0, Match.OPEN),
        (1.0, 1.0, 2.0, Match.NEW),
        (2.0, 1.0, 2.0, Match.FORMER),
        (1.01, 1.0, 2.0, Match.NEW),
        (1.99, 1.0, 2.0, Match.FORMER),
        (1.5, 1.0, 2.0, Match.OPEN),
        (3e38, -3e38, 3.1e38, Match.OPEN),  # both are too far apart for float32 to say how far
        (-3e38, -3e38, 3e38, Match.NEW),
    ],
)
def test_an_update_is_of_the_value_that_it_is_near(made: float, new: float, former: float, match: Match) -> None:
    assert compared(*([torch.tensor([each])] for each in (made, new, former))).match is match


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("former", [1e-3, 0.5])
def test_a_step_of_lbfgs_to_weights_that_are_not_finite_proves_nothing(former: float, bad: float) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = LBFGS([weight], lr=former, max_iter=2)

    def spoil(*_: object) -> None:
        weight.data[:1] = bad

    optimizer.register_step_post_hook(spoil)  # it runs before the watch looks at the weights
    binding, seen = LearningRate(optimizer), list[UseReport]()
    binding.write(0.25)
    binding.watch(seen.append)

    def closure() -> torch.Tensor:
        weight.grad = torch.full_like(weight, 1.0)
        return weight.detach().sum()

    optimizer.step(closure)
    assert [(each.use, each.why) for each in seen] == [(Use.OPEN, "the update holds numbers that are not finite")]


@pytest.mark.parametrize("gradient", [nan, inf])
def test_adam_with_gradients_that_are_not_finite_has_not_shown_a_use(gradient: float) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = Adam([weight], lr=0.1)
    binding, seen = LearningRate(optimizer), list[UseReport]()
    binding.write(0.05)
    binding.watch(seen.append)
    for _ in range(3):
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    assert [(each.steps_after, each.use) for each in seen] == [(1, Use.OPEN)]


@pytest.mark.parametrize(
    ("use", "why", "expected"),
    [
        ("", "", "expected one of USED, LOST, OPEN"),
        ("other code set it", "", "expected one of USED, LOST, OPEN"),
        ("used", "", "expected one of USED, LOST, OPEN"),
        (Use.LOST, "", "expected a reason"),
        (Use.OPEN, "", "expected a reason"),
        (Use.USED, "other code set it", "expected no reason"),
    ],
)
def test_a_report_that_does_not_say_what_it_saw_is_refused(use: Use, why: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        UseReport(3, 0.5, 0.5, use, why)
