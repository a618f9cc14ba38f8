"""The numbers that a gate compares are correctly rounded: by Python's fractions, not by numpy."""

import statistics
from collections.abc import Callable
from fractions import Fraction
from math import inf, nextafter
from time import perf_counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seedbed.contracts import Verdict
from seedbed.gate import Series, judge, parse_gate
from seedbed.gate.bounds._exact import exact_mean, exact_quantile, exact_spread, exact_spread_ratio

NUMBERS = st.one_of(st.floats(-1e150, 1e150), st.floats(-3, 3), st.integers(-3, 3).map(float), st.just(5e-324))
SAMPLES = st.lists(NUMBERS, min_size=2, max_size=9)


def verdict(check: str, **series: list[float]) -> Verdict:
    record = {name: Series(values) for name, values in series.items()}
    return judge(parse_gate({"checks": [check]}), record).checks[0].verdict


def variance(values: list[float]) -> Fraction:
    exact = list(map(Fraction, values))
    mean = sum(exact, Fraction()) / len(exact)
    return sum(((each - mean) ** 2 for each in exact), Fraction()) / (len(exact) - 1)


def is_nearest_root(root: float, square: Fraction) -> bool:
    """Whether no float is nearer to the root of `square`: it lies within half-way to the floats beside it."""
    low, high = (Fraction(root) / 2 + Fraction(nextafter(root, end)) / 2 for end in (0.0, inf))
    return (root == 0 or low**2 <= square) and square <= high**2


@given(SAMPLES)
def test_a_mean_and_a_spread_are_the_nearest_floats(values: list[float]) -> None:
    assert exact_mean(np.array(values)) == statistics.mean(values)
    assert is_nearest_root(exact_spread(np.array(values)), variance(values))


@given(SAMPLES, SAMPLES)
def test_a_ratio_of_spreads_is_the_nearest_float(one: list[float], other: list[float]) -> None:
    found = exact_spread_ratio(np.array(one), np.array(other))
    if len({*other}) == 1:
        assert found == (None if len({*one}) == 1 else inf)
        return
    ratio = variance(one) / variance(other)
    assume(ratio < Fraction(1e300) ** 2)
    assert found is not None
    assert is_nearest_root(found, ratio)


@given(st.integers(1, 10**13 - 1), SAMPLES)
def test_a_quantile_is_the_nearest_float_to_what_is_interpolated(share: int, values: list[float]) -> None:
    place = Fraction(share, 10**13) * (len(values) - 1)
    below, part = divmod(place, 1)
    ordered = [*map(Fraction, sorted(values)), Fraction(0)]
    expected = float(ordered[below] * (1 - part) + ordered[below + 1] * part)
    assert exact_quantile(np.array(values), share / 10**13) == expected


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_quantile_that_is_a_sample_is_that_sample(percent: int) -> None:
    assert verdict(f"p{percent}(x) == {percent}", x=[float(each) for each in range(101)]) is Verdict.PASS


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([1e16] * 9 + [1e16 + 2], "0.6324555320336759"),  # 2 / sqrt(10)
        ([2.0**53] * 3 + [2.0**53 + 2], "1"),
        ([1.7e18, 1.7e18 + 256], "181.01933598375618"),  # 256 / sqrt(2)
        ([1e-170, -1e-170], "1.414213562373095e-170"),
        ([0.1] * 50, "0"),
    ],
)
def test_a_spread_is_exact_beside_a_large_offset_and_where_squares_are_no_floats(
    values: list[float], spread: str
) -> None:
    assert verdict(f"std(x) == {spread}", x=values) is Verdict.PASS


def test_the_ratio_of_two_tiny_spreads_is_a_ratio_and_a_mean_is_no_rounding_error_off() -> None:
    assert verdict("spread_ratio(x, y) == 1.5", x=[1e-162, 4e-162], y=[1e-162, 3e-162]) is Verdict.PASS
    assert verdict("mean(x) >= 0.2", x=[0.1, 0.2, 0.3]) is Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("exact", [exact_mean, exact_spread, lambda samples: exact_quantile(samples, 0.57)])
def test_a_million_samples_take_no_second(exact: Callable[[NDArray[np.float64]], float]) -> None:
    samples = np.random.default_rng(0).normal(size=1_000_000) + 1.7e9
    seconds = []
    for _ in range(3):
        begun = perf_counter()
        exact(samples)
        seconds.append(perf_counter() - begun)
    assert min(seconds) < 1.0
