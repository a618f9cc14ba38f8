"""A grid is exact although floats round: 0.1 + 0.2 is 0.3 on it, and what lies off it goes to the point on the way."""

from fractions import Fraction
from math import nextafter

import pytest
from change_world import decimals, parameters, proposed_changes, values
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import GUARDS, Decision, Move, Number, Parameter, ProposedChange, bounds, judge_proposal, no_op
from seedbed.change.parameters._grid import exact, farthest, neighbours, on_grid

TENTHS = Parameter("p", "1", low=0.0, high=1.0, increment=0.1)
COUNT = Parameter("n", "1", low=0, high=300, number=Number.INT)
FIVES = Parameter("n", "1", low=2, high=19, number=Number.INT, increment=5)
SWITCH = Parameter("on", "1", low=0, high=1, number=Number.BOOL)


def judged(parameter: Parameter, before: float, after: float) -> tuple[Decision, str | None, float]:
    result = judge_proposal(GUARDS, ProposedChange(parameter, Move(0, before, after)))
    return result.decision, result.guard, result.after


@pytest.mark.parametrize(
    ("parameter", "before", "after", "allowed"),
    [
        (TENTHS, 0.1, 0.1 + 0.2, 0.3),
        (TENTHS, 0.3, 0.3 - 0.1, 0.2),
        (TENTHS, 0.5, 0.7999999999999999, 0.8),
        (TENTHS, 0.9, 1.0000000000000002, 1.0),
        (TENTHS, 0.1, 0.1 - 0.1 + 1e-17, 0.0),
        (COUNT, 100, 100 * 1.15, 115.0),  # 114.99999999999999
        (SWITCH, 0, 1, 1.0),
    ],
)
def test_a_value_within_rounding_of_a_grid_point_is_that_point(
    parameter: Parameter, before: float, after: float, allowed: float
) -> None:
    assert judged(parameter, before, after) == (Decision.ALLOW, None, allowed)


@pytest.mark.parametrize(
    ("parameter", "before", "after", "shrunk"),
    [
        (TENTHS, 0.3, 0.55, 0.5),
        (TENTHS, 0.8, 0.55, 0.6),
        (TENTHS, 0.33, 0.55, 0.5),
        (COUNT, 100, 115.9, 115.0),
        (COUNT, 100, 50.1, 51.0),
        (FIVES, 7, 11, 7.0),
        (FIVES, 7, 100, 17.0),
        (SWITCH, 1, 0.5, 1.0),
    ],
)
def test_a_value_off_the_grid_goes_to_the_point_next_to_it_on_the_way(
    parameter: Parameter, before: float, after: float, shrunk: float
) -> None:
    result = bounds(ProposedChange(parameter, Move(0, before, after)))
    assert (result.decision, result.after) == (Decision.SHRINK, shrunk)
    if shrunk == before:
        assert judged(parameter, before, after) == (Decision.DENY, "no_op", before)


def test_what_lies_off_the_grid_is_told_from_what_lies_outside_the_bounds() -> None:
    reasons = [bounds(ProposedChange(TENTHS, Move(0, 0.5, after))).reason for after in (0.55, 1.5, 0.6)]
    assert reasons == [
        "0.55 lies off the grid of 0 .. 1 by 0.1",
        "1.5 lies outside 0 .. 1 by 0.1",
        "within 0 .. 1 by 0.1",
    ]


def test_a_value_that_decayed_off_the_grid_is_not_moved_less_than_to_the_next_point() -> None:
    assert judged(TENTHS, 0.95, 0.97) == (Decision.DENY, "no_op", 0.95)
    assert judged(TENTHS, 1.5, 1.2) == (Decision.DENY, "bounds", 1.5)
    assert judged(TENTHS, 1.55, 0.97) == (Decision.SHRINK, "bounds", 1.0)


def test_no_point_of_the_grid_lies_outside_the_bounds() -> None:
    assert on_grid(TENTHS, 1.2000000000000002) == 1.2000000000000002
    assert exact(TENTHS, 1.2000000000000002) != exact(TENTHS, 1.2)
    assert farthest(TENTHS, 0.9, Fraction(5)) == 1.0
    assert farthest(TENTHS, 0.1, Fraction(-5)) == 0.0


def test_where_the_high_bound_lies_off_the_grid_the_last_point_before_it_is_the_highest() -> None:
    thirds = Parameter("p", "1", low=0.0, high=1.0, increment=0.3)
    assert judged(thirds, 0.3, 5.0) == (Decision.SHRINK, "bounds", 0.9)
    assert judged(thirds, 1.5, 0.95) == (Decision.DENY, "bounds", 1.5)


def test_a_setting_kept_in_float32_stands_on_the_grid() -> None:
    kept = 0.30000001192092896
    assert judged(TENTHS, kept, 0.3) == (Decision.DENY, "no_op", kept)
    assert judged(TENTHS, kept, kept) == (Decision.DENY, "no_op", kept)
    assert judged(TENTHS, kept, kept + 0.1) == (Decision.ALLOW, None, 0.4)
    assert judged(TENTHS, kept, 0.35) == (Decision.DENY, "no_op", kept)


def test_without_a_grid_the_smallest_step_of_a_float_is_a_move() -> None:
    free = Parameter("p", "1", low=0.0, high=1.0)
    assert no_op(ProposedChange(free, Move(0, 0.3, nextafter(0.3, 1)))).decision is Decision.ALLOW


def test_tenths_added_one_by_one_arrive_where_they_should() -> None:
    value = 0.0
    for _ in range(10):
        result = judge_proposal(GUARDS, ProposedChange(TENTHS, Move(0, value, value + 0.1)))
        assert result.decision is Decision.ALLOW
        value = result.after
    assert value == 1.0


@pytest.mark.slow
@given(st.data())
def test_a_point_is_read_as_itself(data: st.DataObject) -> None:
    parameter = data.draw(parameters())
    value = on_grid(parameter, data.draw(values(parameter)))
    assert on_grid(parameter, value) == value
    if not neighbours(parameter, value) and parameter.increment and parameter.low <= value <= parameter.high:
        assert value == float(exact(parameter, value))


@pytest.mark.slow
@given(st.data())
def test_neighbours_enclose_a_value_off_the_grid_and_are_an_increment_apart(data: st.DataObject) -> None:
    parameter = data.draw(parameters())
    value = data.draw(st.floats(parameter.low, parameter.high))
    beside = neighbours(parameter, value)
    assert all(parameter.low <= each <= parameter.high and not neighbours(parameter, each) for each in beside)
    if beside:
        assert beside[0] < value < (beside[1] if len(beside) > 1 else beside[0] + (parameter.increment or 0))


@pytest.mark.slow
@given(st.data())
def test_farthest_lies_between_and_on_the_grid_and_the_next_point_would_be_beyond(data: st.DataObject) -> None:
    parameter = data.draw(parameters())
    before, wanted = data.draw(values(parameter)), data.draw(values(parameter))
    limit = exact(parameter, wanted)
    value = farthest(parameter, before, limit)
    assert min(before, float(limit)) <= value <= max(before, float(limit))
    if value != before and parameter.increment:
        step = Fraction(repr(float(parameter.increment)))
        found = exact(parameter, value)
        assert not neighbours(parameter, value)
        assert abs(limit - found) < step or not parameter.low <= float(limit) <= parameter.high


@pytest.mark.slow
@given(before=decimals, limit=st.fractions(-1000, 1000))
def test_without_a_grid_farthest_stops_at_the_last_decimal_that_is_not_beyond(before: float, limit: Fraction) -> None:
    value = farthest(Parameter("p", "1", -1e3, 1e3), before, limit)
    here, there = Fraction(repr(before)), Fraction(repr(value))
    assert min(here, limit) <= there <= max(here, limit)
    if value != before:
        assert abs(there - limit) <= Fraction(2) ** -42


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_a_proposed_change_shows_the_value_as_the_grid_reads_it(proposed: ProposedChange) -> None:
    assert proposed.move.after == on_grid(proposed.parameter, proposed.move.after)
