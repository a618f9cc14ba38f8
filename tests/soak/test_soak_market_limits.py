"""The limits that the tuner settings set for the other settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import GUARDS, Decision, Move, ProposedChange, judge_proposal
from seedbed.change.parameters import nearest_on_grid
from seedbed.errors import NotFound
from seedbed.soak.market._limits import ITERATIONS_PER_HOUR, limited
from seedbed.soak.market._registry import MARKET_INITIAL, TUNER_EFFECTS, TUNER_SUBSYSTEM, market_registry
from seedbed.soak.mock._plant import mock_registry

REGISTRY = market_registry()


def moves(values, proposals, guards=GUARDS):
    """The moves that the guards let through when iteration i proposes the i-th value."""
    parameter = limited(REGISTRY, values)["base_spread_bps"]
    live = 20.0
    earlier: tuple[Move, ...] = ()
    for step, wanted in enumerate(proposals, start=1):
        result = judge_proposal(guards, ProposedChange(parameter, Move(step, live, wanted), earlier))
        if result.decision is not Decision.DENY:
            earlier = (*earlier, Move(step, live, result.after))
            live = result.after
    return earlier


def test_longer_cooldown_lets_fewer_changes_through():
    proposals = [20.0 + 0.1 * step for step in range(1, 25)]
    counts = [len(moves({**MARKET_INITIAL, "cooldown_iters": rest}, proposals)) for rest in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert counts == [24, 24, 12, 6, 3]
    assert TUNER_EFFECTS["cooldown_iters"] == -1


def travelled(**tuner):
    """How far the spread goes in two hours when its upper bound is asked for all the time, as a share of its range."""
    values = {**MARKET_INITIAL, "cooldown_iters": 0.0, **tuner}
    low = REGISTRY["base_spread_bps"].low
    return sum(move.after - move.before for move in moves(values, [40.0] * 8)) / (40.0 - low)


@pytest.mark.parametrize(("key", "slow", "fast"), [("velocity_cap", 0.01, 0.03), ("max_delta_per_hour", 0.04, 0.16)])
def test_a_higher_velocity_lets_the_same_proposals_go_further(key, slow, fast):
    other = {"velocity_cap": {"max_delta_per_hour": 0.2}, "max_delta_per_hour": {"velocity_cap": 0.05}}[key]
    assert travelled(**other, **{key: fast}) > 2 * travelled(**other, **{key: slow})
    assert TUNER_EFFECTS[key] == 1


def test_the_longer_an_oscillation_must_be_the_more_swings_are_let_through():
    swings = [20.0 + (step % 2) for step in range(1, 361)]
    counts = [len(moves({**MARKET_INITIAL, "oscillation_window": window}, swings)) for window in (3.0, 5.0, 9.0)]
    assert counts == [120, 144, 160]  # a window's moves but one, then a rest until the first of them is forgotten
    assert TUNER_EFFECTS["oscillation_window"] == 1


@given(st.floats(0.01, 0.5), st.floats(0.02, 1.0))
def test_the_velocity_keeps_both_limits_and_lets_the_smaller_be_reached(by_iteration, by_hour):
    parameter = limited(REGISTRY, {**MARKET_INITIAL, "velocity_cap": by_iteration, "max_delta_per_hour": by_hour})[
        "base_spread_bps"
    ]
    assert parameter.velocity_cap is not None
    share = parameter.velocity_cap / (parameter.high - parameter.low)
    hours_share = share * ITERATIONS_PER_HOUR / parameter.velocity_window_steps
    assert ITERATIONS_PER_HOUR % parameter.velocity_window_steps == 0
    assert share <= by_iteration + 1e-9
    assert hours_share == pytest.approx(min(by_hour, ITERATIONS_PER_HOUR * by_iteration))


def test_only_settings_outside_the_tuner_are_limited_and_their_bounds_stay():
    values = {**MARKET_INITIAL, "cooldown_iters": 3.0, "oscillation_window": 6.0}
    for before, after in zip(REGISTRY, limited(REGISTRY, values), strict=True):
        if before.subsystem == TUNER_SUBSYSTEM:
            assert after == before
        else:
            assert (after.cooldown_steps, after.oscillation_window) == (3, 6)
            assert (after.low, after.high, after.path) == (before.low, before.high, before.path)


def test_a_whole_number_may_always_move_by_one():
    slow = {**MARKET_INITIAL, "velocity_cap": 0.01, "max_delta_per_hour": 0.02}
    assert limited(mock_registry(), slow)["concurrency_limit"].velocity_cap == 1.0


def test_a_registry_without_the_tuners_settings_has_no_limits_to_take():
    with pytest.raises(NotFound):
        limited(type(REGISTRY)([REGISTRY["tick_size"]]), MARKET_INITIAL)


@given(st.sampled_from(list(REGISTRY)), st.floats(-1e4, 1e4))
def test_a_value_put_on_the_grid_is_valid_and_stays_where_it_is(parameter, value):
    put = nearest_on_grid(parameter, value)
    assert REGISTRY.validate({parameter.key: put}) == {parameter.key: put}
    assert nearest_on_grid(parameter, put) == put
    assert abs((put - parameter.low) / parameter.increment - round((put - parameter.low) / parameter.increment)) < 1e-6
