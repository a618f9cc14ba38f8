"""Under a schedule that nobody knows a change is carried out at the optimizer's own step, and proven there."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer, lr_scheduler

from seedbed.change import (
    Add,
    ChangeEngine,
    ChangeRecord,
    Delta,
    LearningRate,
    Operation,
    Parameter,
    Scale,
    Set,
    replay_rule,
    summary,
)
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal

STEPS, AT = 14, 5


class Unheard(lr_scheduler.LRScheduler):
    """A scheduler of somebody's own, which computes its rates."""

    def get_lr(self) -> list[float | Tensor]:
        return [base * 0.9**self.last_epoch for base in self.base_lrs]


class Reading(lr_scheduler.LRScheduler):
    """A scheduler of somebody's own, which goes on from the rates that it reads."""

    def get_lr(self) -> list[float | Tensor]:
        groups = self.optimizer.param_groups
        return [group["lr"] * (0.9 if self.last_epoch else 1.0) for group in groups]


class ByHand:
    """Lines of a loop that write the rate themselves."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.step_num = optimizer, 0

    def step(self) -> None:
        self.step_num += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 / (1 + 0.1 * self.step_num)


class ByHandTimes(ByHand):
    """Lines of a loop that multiply the rate."""

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.9


WRITERS: dict[str, Callable[[Optimizer], lr_scheduler.LRScheduler | ByHand]] = {
    "computing": Unheard,
    "reading": Reading,
    "in a container": lambda o: lr_scheduler.ChainedScheduler([Unheard(o)]),
    "by hand": ByHand,
    "by hand, multiplied": ByHandTimes,
    "PyTorch's own": lambda o: lr_scheduler.OneCycleLR(o, 0.2, 30, cycle_momentum=False),
    "PyTorch's own, led to a target": lambda o: lr_scheduler.CosineAnnealingLR(o, 12, 0.01),
}


class Loop:
    """A loop that changes its rate before step AT, and the rates that its updates used."""

    def __init__(self, kind: str, group: int | None = None) -> None:
        self.weights = [nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2)]
        self.optimizer: Optimizer = SGD([{"params": [each]} for each in self.weights], lr=0.1)
        self.writer = WRITERS[kind](self.optimizer)
        is_declared = isinstance(self.writer, lr_scheduler.LRScheduler) and not kind.startswith("PyTorch's own")
        declared = self.writer if is_declared else None
        self.rate = LearningRate(self.optimizer, declared, group, holds=True)
        self.journal = MemoryJournal()
        self.engine = ChangeEngine(self.journal, {"lr": self.rate}, [Parameter("lr", "1", low=0.0, high=9.0)])
        self.used: list[list[float]] = []
        self.shown: list[float] = []

    def step(self) -> None:
        before = [each.detach().clone() for each in self.weights]
        for each in self.weights:
            each.grad = torch.ones_like(each)
        self.optimizer.step()
        self.used.append([float((b - w.detach())[0]) for b, w in zip(before, self.weights, strict=True)])
        self.shown.append(float(self.optimizer.param_groups[0]["lr"]))
        self.writer.step()

    def propose(self, op: Operation) -> ChangeRecord:
        return self.engine.propose(Delta("lr", op, "test", "me"), len(self.used))

    def run(self, op: Operation | None = None) -> "Loop":
        for step in range(STEPS):
            if op is not None and step == AT:
                self.propose(op)
            self.step()
        return self


@pytest.mark.parametrize("factor", [0.5, 3.0, 1 / 3])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_relative_change_multiplies_what_the_schedule_writes(kind: str, factor: float) -> None:
    changed, twin = Loop(kind).run(Scale(factor)), Loop(kind).run()
    for step, (rates, others) in enumerate(zip(changed.used, twin.used, strict=True)):
        assert rates == pytest.approx([each * (factor if step >= AT else 1.0) for each in others])
    assert changed.shown == twin.shown, "the schedule is not disturbed, and the groups show what it wrote"
    record = changed.engine.history[1]
    assert (record.outcome, record.story[-1][1]["step"]) == (Outcome.EFFECTIVE, AT + 1)
    way, _, told = (
        summary(changed.engine.history).changes[0].story[-2].rpartition(" is multiplied at each step, with factor ")
    )
    assert way.startswith("applied: ")
    assert float(told) == pytest.approx(factor)


@pytest.mark.parametrize("op", [Set(0.03), Add(0.02)])
@pytest.mark.parametrize("kind", WRITERS)
def test_an_absolute_change_pins_the_rate(kind: str, op: Operation) -> None:
    changed, twin = Loop(kind).run(op), Loop(kind).run()
    pinned = op.resolve(twin.used[AT][0])
    for step, (rates, others) in enumerate(zip(changed.used, twin.used, strict=True)):
        assert rates == pytest.approx([pinned] * 2 if step >= AT else others)
    assert changed.shown == twin.shown
    assert changed.engine.history[1].outcome is Outcome.EFFECTIVE
    applied = summary(changed.engine.history).changes[0].story[-2]
    assert re.fullmatch(r"applied: \S+ read back, pinned: kept at each step, whatever .+ writes", applied)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_read_is_what_the_next_step_uses(kind: str) -> None:
    loop = Loop(kind)
    changes: dict[int, Operation] = {3: Scale(0.5), 6: Set(0.07), 9: Scale(0.25)}
    for step in range(STEPS):
        if step in changes:
            loop.propose(changes[step])
        read = loop.rate.read()
        loop.step()
        assert loop.used[-1][0] == pytest.approx(read, rel=1e-9)
    assert [each.outcome for each in loop.engine.history.records] == [Outcome.EFFECTIVE] * 3


def test_only_the_bound_group_changes() -> None:
    changed, twin = Loop("reading", 1).run(Scale(0.5)), Loop("reading").run()
    for rates, others in zip(changed.used[AT:], twin.used[AT:], strict=True):
        assert rates == pytest.approx([others[0], 0.5 * others[1]])
    assert changed.engine.history[1].outcome is Outcome.EFFECTIVE


@pytest.mark.parametrize("kind", WRITERS)
def test_a_change_to_what_the_schedule_wrote_ends_a_pin(kind: str) -> None:
    loop, twin = Loop(kind), Loop(kind).run()
    for step in range(STEPS):
        if step == 3:
            loop.propose(Set(0.03))
        if step == 7:
            loop.propose(Set(float(loop.optimizer.param_groups[0]["lr"])))
        loop.step()
    assert loop.used[7:] == [pytest.approx(each) for each in twin.used[7:]]
    assert loop.engine.history[2].outcome is Outcome.EFFECTIVE
    assert " writes is used again" in summary(loop.engine.history).changes[1].story[-2]


def test_no_hook_is_left_when_nothing_is_held_and_watched_any_more() -> None:
    loop = Loop("by hand")
    loop.propose(Set(0.03))
    loop.step()
    loop.propose(Set(float(loop.optimizer.param_groups[0]["lr"])))
    loop.step()
    loop.engine.close()
    assert not loop.optimizer._optimizer_step_pre_hooks
    assert not loop.optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("num_moves", [0, 3])
@pytest.mark.parametrize("op", [Scale(0.5), Set(0.03)])
def test_a_rollback_leaves_the_schedule_to_itself(op: Operation, num_moves: int) -> None:
    loop, twin = Loop("computing"), Loop("computing").run()
    for step in range(STEPS):
        if step == 3:
            loop.propose(op)
            for _ in range(num_moves):
                loop.writer.step()
            loop.engine.rollback(step)
            assert loop.engine.history[1].outcome is Outcome.NO_OP
        loop.step()
    at = 3 + num_moves
    assert loop.used[3 : STEPS - num_moves] == [pytest.approx(each) for each in twin.used[at:]]


@pytest.mark.parametrize("op", [Scale(0.5), Set(0.03)])
@pytest.mark.parametrize("saved_at", [AT, AT + 3])
def test_a_resume_holds_the_change_as_before(op: Operation, saved_at: int) -> None:
    whole, first, second = Loop("computing").run(op), Loop("computing"), Loop("computing")
    for step in range(saved_at):
        if step == AT:
            first.propose(op)
        first.step()
    if saved_at == AT:
        first.propose(op)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert isinstance(second.writer, Unheard)
    assert isinstance(first.writer, Unheard)
    second.writer.load_state_dict(first.writer.state_dict())
    engine = ChangeEngine(first.journal, {"lr": second.rate}, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.resume(first.engine.state(saved_at))
    for _ in range(saved_at, STEPS):
        second.step()
    assert second.used == [pytest.approx(each) for each in whole.used[saved_at:]]
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_replay_multiplies_where_the_run_multiplied() -> None:
    whole, again = Loop("computing").run(Scale(0.5)), Loop("computing")
    rule = replay_rule(whole.engine.history, of="first")
    for step in range(STEPS):
        for delta in rule.due(step):
            again.engine.propose(delta, step)
        again.step()
    assert again.used == whole.used
    assert replay_rule(again.engine.history, of="second").due(AT)[0].op.is_relative


def test_a_loaded_optimizer_keeps_the_change() -> None:
    loop, twin = Loop("by hand"), Loop("by hand").run()
    for step in range(STEPS):
        if step == 3:
            loop.propose(Scale(0.5))
        if step == 6:
            loop.optimizer.load_state_dict(loop.optimizer.state_dict())
        loop.step()
    assert loop.used[3:] == [pytest.approx([0.5 * rate for rate in each]) for each in twin.used[3:]]


def test_a_step_that_raises_leaves_no_factor_behind() -> None:
    loop = Loop("reading")
    loop.propose(Scale(0.5))
    loop.optimizer.step = loop.optimizer.step  # type: ignore[method-assign]

    def refuse() -> float:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        loop.optimizer.step(refuse)
    assert loop.rate.read() == 0.05
    loop.step()
    assert loop.used == [pytest.approx([0.05, 0.05])]
    assert loop.shown == [0.1]


def test_a_schedule_that_a_hook_steps_finds_what_it_wrote() -> None:
    loop = Loop("reading")
    loop.optimizer.register_step_post_hook(lambda *_: loop.writer.step())
    loop.propose(Scale(0.5))
    for _ in range(3):
        loop.weights[0].grad = torch.ones(3, dtype=torch.float64)
        loop.optimizer.step()
    assert loop.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.9**3)
    assert loop.engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_hook_that_sets_another_rate_during_the_step_is_said_to_have_lost_the_change() -> None:
    loop = Loop("by hand")
    loop.propose(Scale(0.5))
    loop.optimizer.register_step_pre_hook(lambda o, *_: o.param_groups[0].update(lr=0.1))
    loop.step()
    assert loop.used[0][0] == pytest.approx(0.1)
    record = loop.engine.history[1]
    assert record.outcome is Outcome.FAILED
    assert "at step 1: expected 0.05, found 0.1" in record.reason


def test_a_group_that_is_added_later_has_the_factor_too() -> None:
    loop = Loop("reading")
    loop.propose(Scale(0.5))
    loop.step()
    loop.weights.append(nn.Parameter(torch.ones(3, dtype=torch.float64)))
    loop.optimizer.add_param_group({"params": [loop.weights[-1]]})
    loop.step()
    assert loop.used[-1] == pytest.approx([0.5 * 0.09, 0.5 * 0.09, 0.5 * 0.1])
    assert loop.engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_hook_that_joins_after_the_proof_and_sets_another_rate_has_lost_the_change() -> None:
    loop = Loop("by hand")
    loop.propose(Scale(0.5))
    loop.step()
    assert loop.engine.history[1].outcome is Outcome.EFFECTIVE
    loop.optimizer.register_step_pre_hook(lambda o, *_: o.param_groups[0].update(lr=0.3))
    loop.step()
    assert loop.used[-1][0] == pytest.approx(0.3)
    assert "at step 2: " in loop.engine.history[1].reason
    assert "a hook of the optimizer, registered after the change" in loop.engine.history[1].reason


def test_a_group_that_is_added_to_pinned_ones_runs_with_the_default_and_is_named() -> None:
    loop = Loop("reading")
    loop.propose(Set(0.03))
    loop.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    loop.step()
    assert "group 2 was added after the change and runs with the optimizer's default" in loop.engine.history[1].reason


def test_a_later_binding_goes_on_from_what_is_held() -> None:
    loop = Loop("PyTorch's own, led to a target")
    loop.propose(Scale(0.5))
    loop.step()
    loop.engine.close()
    again = LearningRate(loop.optimizer, loop.writer)
    engine = ChangeEngine(MemoryJournal(), {"lr": again}, [Parameter("lr", "1", low=0.0, high=9.0)])
    engine.propose(Delta("lr", Scale(0.5), "test", "me"), 0)
    expected = 0.25 * float(loop.optimizer.param_groups[0]["lr"])
    loop.step()
    assert loop.used[-1][0] == pytest.approx(expected)
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_a_state_of_another_way_is_refused() -> None:
    loop = Loop("by hand")
    with pytest.raises(InvalidInput, match="bind its rate the same way"):
        loop.rate.restore(LearningRate(loop.optimizer).state())
