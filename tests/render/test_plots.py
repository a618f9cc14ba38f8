"""Axes, series and thinning: what a plot must keep of the data whatever the data is."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.render.facts._history import thinned, trailing_mean
from seedbed.render.svg._axis import data_axis, step_axis

FINITE = st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30)


@pytest.mark.slow
@given(st.lists(FINITE, max_size=20), st.integers(2, 8))
def test_a_data_axis_holds_every_value_and_never_crowds_its_ticks(values, num_ticks):
    axis = data_axis(values, 200.0, 10.0, num_ticks)
    assert all(9.9 <= axis.at(value) <= 200.1 for value in values)
    places = [tick.at for tick in axis.ticks]
    assert 2 <= len(places) <= num_ticks + 2
    assert places == sorted(set(places), reverse=True)


@given(st.integers(1, 10_000_000), st.integers(2, 10))
def test_a_step_axis_begins_at_zero_and_ticks_at_whole_steps(last, num_ticks):
    axis = step_axis(last, 0.0, 900.0, num_ticks)
    assert (axis.at(0), axis.at(last)) == (0.0, 900.0)
    assert axis.spacing.is_integer()
    assert axis.ticks[0].label == "0"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.83, 0.92], ["0.825", "0.850", "0.875", "0.900", "0.925"]),
        ([0.0, 0.001], ["0.00000", "0.00025", "0.00050", "0.00075", "0.00100"]),
        ([0.0, 4e-5], ["0", "1e-5", "2e-5", "3e-5", "4e-5"]),
        ([0.0, 4e8], ["0", "1e8", "2e8", "3e8", "4e8"]),
        ([-2.0, 2.0], ["\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "1", "2"]),
    ],
)
def test_ticks_are_at_round_numbers(values, labels):
    assert [tick.label for tick in data_axis(values, 0.0, 100.0, 4).ticks] == labels


@pytest.mark.slow
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(1, 40))
def test_thinning_keeps_both_ends_and_both_extremes(values, num_columns):
    points = tuple(enumerate(values, start=1))
    kept = thinned(points, num_columns)
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {min(values), max(values)} <= {value for _, value in kept}
    assert len(kept) <= 2 * num_columns + 4
    assert list(kept) == sorted(kept)


def test_a_smoothed_step_knows_nothing_of_later_steps():
    points = tuple((step, 1.0) for step in range(1, 21))
    spoilt = (*points[:10], *((step, 100.0) for step, _ in points[10:]))
    assert trailing_mean(points, 5)[:10] == trailing_mean(spoilt, 5)[:10]
    assert math.isclose(trailing_mean(spoilt, 5)[10][1], (4 * 1.0 + 100.0) / 5)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40), st.integers(1, 12))
def test_a_smoothed_value_is_the_exact_mean_of_its_window(values, window):
    means = trailing_mean(tuple(enumerate(values)), window)
    for place, (step, mean) in enumerate(means):
        recent = values[max(0, place - window + 1) : place + 1]
        assert (step, mean) == (place, float(sum(map(Fraction, recent)) / len(recent)))
