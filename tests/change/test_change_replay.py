"""A replay proposes what took effect in another run, where and as it did, and nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import (
    Bindings,
    ChangeEngine,
    ChangeHistory,
    Delta,
    LearningRate,
    Parameter,
    Scale,
    Set,
    replay_rule,
)
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

LR = "optimizer.lr"


class Loop:
    """An optimizer whose rate changes, and the journal of how."""

    def __init__(self, high: float = 1e-2, cooldown_steps: int = 3) -> None:
        weight = torch.nn.Parameter(torch.ones(1))
        weight.grad = torch.ones(1)
        self.optimizer = torch.optim.SGD([weight], lr=1e-3)
        self.journal = MemoryJournal()
        parameter = Parameter(LR, "1", 1e-5, high, cooldown_steps=cooldown_steps)
        self.engine = ChangeEngine(self.journal, Bindings({LR: LearningRate(self.optimizer)}), [parameter])
        self.rates: list[float] = []

    def step(self) -> int:
        self.optimizer.step()
        self.rates.append(self.engine.values()[LR])
        return len(self.rates)

    def scale(self, factor: float) -> None:
        self.engine.propose(Delta(LR, Scale(factor), "because", "somebody"), len(self.rates))


def replayed(history: ChangeHistory, num_steps: int, high: float = 1e-2, cooldown_steps: int = 3) -> Loop:
    rule, loop = replay_rule(history, "first"), Loop(high, cooldown_steps)
    for _ in range(num_steps):
        if deltas := rule.due(loop.step()):
            loop.engine.propose_all(deltas, len(loop.rates))
    return loop


def test_what_took_effect_is_due_at_its_step_as_the_value_that_it_had() -> None:
    loop = Loop()
    loop.step()
    loop.scale(0.5)
    loop.step()
    rule = replay_rule(loop.engine.history, "first")
    assert rule.due(1) == (Delta(LR, Set(5e-4), "because", "replay of first, somebody"),)
    assert rule.due(0) == rule.due(2) == ()
    assert (len(rule.replayed), rule.left_out) == (1, ())


def test_a_clamped_change_is_replayed_as_the_value_let_through_and_judged_anew() -> None:
    loop = Loop(high=2e-3)
    loop.step()
    loop.scale(100.0)
    loop.step()
    assert loop.engine.history[1].outcome is Outcome.CLAMPED
    again = replayed(loop.engine.history, 2, high=2e-3)
    assert (again.rates, again.engine.history[1].outcome) == (loop.rates, Outcome.EFFECTIVE)
    (repeated,) = replay_rule(again.engine.history, "second").due(1)
    assert repeated.proposer == "replay of second, somebody"
    assert again.engine.history[1].guard_result is not None
    assert replay_rule(loop.engine.history, "first").not_repeated(again.engine.history) == ()


@pytest.mark.slow
def test_denied_changes_are_not_replayed_and_failed_or_unknown_ones_are_named() -> None:
    loop = Loop()
    loop.step()
    loop.scale(0.5)
    loop.step()
    loop.scale(0.5)  # the cooldown denies it
    loop.step()
    loop.optimizer.param_groups[0]["lr"] = 0.1  # takes the first one back
    loop.step()
    loop.scale(0.001)
    loop.engine.close()  # before a step used the second
    rule = replay_rule(loop.engine.history, "first")
    assert [record.outcome for record in loop.engine.history.records] == [
        Outcome.FAILED,
        Outcome.BLOCKED,
        Outcome.UNKNOWN,
    ]
    assert rule.replayed == ()
    assert [record.id for record in rule.left_out] == [1, 3]


def test_a_guard_that_rules_otherwise_is_told() -> None:
    loop = Loop()
    loop.step()
    loop.scale(5.0)
    loop.step()
    rule = replay_rule(loop.engine.history, "first")
    assert rule.not_repeated(replayed(loop.engine.history, 2).engine.history) == ()
    for history in (ChangeHistory(), replayed(loop.engine.history, 2, high=2e-3).engine.history):
        assert [record.id for record in rule.not_repeated(history)] == [1]


@pytest.mark.slow
@given(
    st.lists(st.none() | st.floats(0.3, 0.99) | st.floats(1.01, 3.0), min_size=1, max_size=12),
    st.sampled_from([0, 1, 3]),
)
def test_a_replay_goes_through_the_same_rates_whatever_was_proposed(factors: list[float | None], cooldown: int) -> None:
    loop = Loop(cooldown_steps=cooldown)
    for factor in factors:
        loop.step()
        if factor is not None:
            loop.scale(factor)
    loop.step()
    again = replayed(fold(loop.journal.entries()), len(loop.rates), cooldown_steps=cooldown)
    assert again.rates == loop.rates
    outcomes = {Outcome.EFFECTIVE, Outcome.CLAMPED}
    effective = [each.after for each in loop.engine.history.records if each.outcome in outcomes]
    assert [each.after for each in again.engine.history.records] == effective
    assert not replay_rule(loop.engine.history, "first").not_repeated(again.engine.history)


def test_what_was_taken_back_before_a_step_could_use_it_is_not_made_again() -> None:
    loop = Loop()
    loop.step()
    loop.scale(5.0)
    loop.engine.rollback(1)
    loop.step()
    loop.engine.require_effective()
    rule = replay_rule(loop.engine.history, "first")
    assert ([each.id for each in rule.replayed], rule.left_out) == ([2], ())
    again = replayed(loop.engine.history, 2)
    assert again.rates == loop.rates == [1e-3, 1e-3]
    assert rule.not_repeated(again.engine.history) == ()


def test_a_repeated_change_that_is_taken_back_was_not_repeated() -> None:
    first = Loop()
    first.step()
    first.scale(5.0)
    first.step()
    rule, again = replay_rule(first.engine.history, "first"), Loop()
    again.step()
    again.engine.propose_all(rule.due(1), 1)
    again.engine.rollback(1)
    again.step()
    assert (first.rates, again.rates) == ([1e-3, 5e-3], [1e-3, 1e-3])
    assert again.engine.history[1].outcome is Outcome.NO_OP
    assert [record.id for record in rule.not_repeated(again.engine.history)] == [1]


def test_work_that_a_resume_threw_away_is_not_replayed() -> None:
    loop = Loop()
    loop.step()
    state = loop.engine.state(1)
    loop.scale(0.5)
    loop.step()
    loop.engine.resume(state)
    rule = replay_rule(loop.engine.history, "first")
    assert len(loop.engine.history.superseded) == 1
    assert (rule.replayed, rule.left_out, rule.due(1)) == ((), (), ())


def test_deltas_of_one_step_are_due_together() -> None:
    journal, first = MemoryJournal(), torch.nn.Parameter(torch.ones(1))
    first.grad = torch.ones(1)
    optimizers = [torch.optim.SGD([first], lr=1e-3) for _ in range(2)]
    keys = ("a.lr", "b.lr")
    bindings = {key: LearningRate(optimizer) for key, optimizer in zip(keys, optimizers, strict=True)}
    engine = ChangeEngine(journal, bindings, [Parameter(key, "1", 1e-5, 1e-2) for key in keys])
    engine.propose_all([Delta(key, Scale(0.5), "because", "somebody") for key in keys], 4)
    for optimizer in optimizers:
        optimizer.step()
    due = replay_rule(engine.history, "first").due(4)
    assert [(delta.parameter, delta.op) for delta in due] == [("a.lr", Set(5e-4)), ("b.lr", Set(5e-4))]
    assert pytest.approx(engine.values()) == dict.fromkeys(keys, 5e-4)
