"""Oscillation sees alternation and nothing else; velocity keeps the sum of all moves within its cap, exactly."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from change_world import parameters, values
from hypothesis import assume, given
from hypothesis import strategies as st

from seedbed.change import (
    GUARDS,
    Decision,
    Move,
    Parameter,
    ProposedChange,
    cooldown,
    judge_proposal,
    oscillation,
    velocity,
)
from seedbed.change.parameters._grid import exact

SWINGING = Parameter("p", "1", low=0.0, high=1e6, oscillation_window=4)
CAPPED = Parameter("p", "1", low=0.0, high=10.0, velocity_cap=0.3, velocity_window_steps=100)
TENTHS = Parameter("p", "1", low=0.0, high=10.0, increment=0.1, velocity_cap=0.1, velocity_window_steps=100)


def path(*values: float, every: int = 1) -> list[Move]:
    return [Move(every * number, before, after) for number, (before, after) in enumerate(pairwise(values))]


def proposed(parameter: Parameter, moves: list[Move]) -> ProposedChange:
    return ProposedChange(parameter, moves[-1], tuple(moves[:-1]))


def test_five_percent_up_and_down_is_an_oscillation_once_the_window_is_full() -> None:
    course = path(100.0, 105.0, 100.0, 105.0, 100.0)
    decisions = [oscillation(proposed(SWINGING, course[: each + 1])).decision for each in range(4)]
    assert decisions == [Decision.ALLOW] * 3 + [Decision.DENY]


def test_a_swing_that_shrinks_is_one_as_well() -> None:
    assert oscillation(proposed(SWINGING, path(100.0, 105.0, 100.1, 102.0, 101.0))).decision is Decision.DENY


def test_going_on_in_the_last_direction_ends_the_swing() -> None:
    assert oscillation(proposed(SWINGING, path(100.0, 105.0, 100.0, 105.0, 110.0))).decision is Decision.ALLOW


def test_standing_still_is_no_swing_and_is_left_to_no_op() -> None:
    still = proposed(SWINGING, path(100.0, 105.0, 100.0, 105.0, 105.0))
    assert oscillation(still).decision is Decision.ALLOW
    assert judge_proposal(GUARDS, still).guard == "no_op"


def test_an_older_swing_that_ended_counts_no_more() -> None:
    course = path(5.0, 6.0, 5.0, 6.0, 7.0, 6.0, 7.0, 6.0)
    assert oscillation(proposed(SWINGING, course[:-1])).decision is Decision.ALLOW
    assert oscillation(proposed(SWINGING, course)).decision is Decision.DENY


def test_moves_beyond_the_horizon_are_forgotten() -> None:
    course = [Move(step, 1.0, 1.0 + 0.1 * (-1) ** step) for step in range(1, 4)]
    swinging = replace(SWINGING, oscillation_horizon_steps=10)
    for step, expected in ((10, Decision.DENY), (11, Decision.ALLOW)):
        assert oscillation(proposed(swinging, [*course, Move(step, 1.0, 1.1)])).decision is expected
        assert oscillation(proposed(SWINGING, [*course, Move(step, 1.0, 1.1)])).decision is Decision.DENY


def test_the_signs_are_those_of_the_moves_whatever_a_schedule_did_between_them() -> None:
    falling = [Move(0, 1.0, 1.1), Move(10, 0.9, 0.8), Move(20, 0.5, 0.6), Move(30, 0.3, 0.2)]
    assert oscillation(proposed(SWINGING, falling)).decision is Decision.DENY


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=12, unique=True), st.booleans(), st.integers(3, 6))
def test_a_monotone_ramp_is_never_an_oscillation(course: list[float], down: bool, window: int) -> None:
    parameter = Parameter("p", "1", 0.0, 1e6, oscillation_window=window)
    ramp = path(*sorted(course, reverse=down))
    assert oscillation(proposed(parameter, ramp)).decision is Decision.ALLOW


@given(st.lists(st.floats(0.01, 1), min_size=8, max_size=8), st.integers(3, 8))
def test_any_alternation_that_fills_the_window_is_one(sizes: list[float], window: int) -> None:
    parameter = Parameter("p", "1", 0.0, 1e6, oscillation_window=window)
    swing = [Move(each, 10.0, 10.0 + size * (-1) ** each) for each, size in enumerate(sizes)]
    for count in range(1, 9):
        fired = oscillation(proposed(parameter, swing[:count])).decision is Decision.DENY
        assert fired is (count >= window)


def test_a_move_counts_from_its_own_step_on_and_no_longer_when_the_window_has_passed() -> None:
    earlier = (Move(100, 1.0, 1.25),)
    found = [velocity(ProposedChange(CAPPED, Move(step, 1.25, 1.5), earlier)) for step in (100, 199, 200)]
    assert [result.decision for result in found] == [Decision.SHRINK, Decision.SHRINK, Decision.ALLOW]
    assert [result.after for result in found] == [1.3, 1.3, 1.5]


def test_up_and_down_both_spend_the_cap_until_nothing_is_left() -> None:
    earlier = (Move(0, 1.0, 1.2), Move(1, 1.2, 1.1))
    result = velocity(ProposedChange(CAPPED, Move(2, 1.1, 1.0), earlier))
    assert (result.decision, result.after) == (Decision.DENY, 1.1)
    assert result.reason == ("p has moved by 0.3 in the last 100 steps and would by 0.1 more, 0.3 are allowed in all")


def test_a_move_is_shrunk_in_its_own_direction() -> None:
    assert [velocity(ProposedChange(CAPPED, Move(0, 5.0, after))).after for after in (9.0, 1.0)] == [5.3, 4.7]


def test_a_cap_that_was_overspent_before_it_was_declared_leaves_nothing() -> None:
    assert velocity(ProposedChange(CAPPED, Move(1, 3.0, 3.1), (Move(0, 1.0, 3.0),))).decision is Decision.DENY


def test_a_move_to_the_same_value_spends_nothing_and_is_left_to_no_op() -> None:
    spent = ProposedChange(CAPPED, Move(1, 3.0, 3.0), (Move(0, 1.0, 3.0),))
    assert velocity(spent).decision is Decision.ALLOW
    assert judge_proposal(GUARDS, spent).guard == "no_op"


@pytest.mark.parametrize("tenth", range(99))
def test_a_cap_of_one_increment_allows_one_increment_everywhere_although_floats_round(tenth: int) -> None:
    before = tenth / 10  # 0.8 - 0.7 is 0.10000000000000009 in floats, and 0.1 as written
    assert velocity(ProposedChange(TENTHS, Move(0, before, before + 0.1))).decision is Decision.ALLOW
    assert velocity(ProposedChange(TENTHS, Move(0, before, before + 0.2))).after == (tenth + 1) / 10


def test_what_velocity_leaves_lies_on_the_grid() -> None:
    quarter = Parameter("p", "1", low=0.0, high=10.0, increment=0.1, velocity_cap=0.25)
    result = judge_proposal(GUARDS, ProposedChange(quarter, Move(0, 1.0, 2.0)))
    assert (result.decision, result.guard, result.after) == (Decision.SHRINK, "velocity", 1.2)


@pytest.mark.slow
@given(st.data())
def test_in_no_window_does_the_sum_of_the_moves_exceed_the_cap(data: st.DataObject) -> None:
    parameter = data.draw(parameters())
    assume(parameter.velocity_cap is not None)
    value, step = parameter.low, 0
    made: list[Move] = []
    for wanted in data.draw(st.lists(values(parameter), max_size=12)):
        step += data.draw(st.integers(0, 60))
        result = judge_proposal(GUARDS, ProposedChange(parameter, Move(step, value, wanted), tuple(made)))
        if result.decision is not Decision.DENY:
            made.append(Move(step, value, result.after))
            value = result.after
    window, cap = parameter.velocity_window_steps, Fraction(repr(float(parameter.velocity_cap or 0)))
    for opens in range(step + 1):
        within = (move for move in made if opens <= move.step < opens + window)
        assert sum(abs(exact(parameter, move.after) - exact(parameter, move.before)) for move in within) <= cap


def test_cooldown_counts_from_the_last_change() -> None:
    parameter = Parameter("p", "1", 0.0, 1.0, cooldown_steps=10)
    earlier = (Move(0, 0.1, 0.2), Move(50, 0.2, 0.3))
    found = [cooldown(ProposedChange(parameter, Move(step, 0.3, 0.4), earlier)).decision for step in (59, 60)]
    assert found == [Decision.DENY, Decision.ALLOW]
