"""Drift of the control arm is reported for a while; then the new level counts as normal."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.soak import RegimeRule, RegimeState

RULE = RegimeRule("edge_mean")


def followed(values: Sequence[float | None], rule: RegimeRule = RULE) -> list[RegimeState]:
    states = [RegimeState()]
    for value in values:
        states.append(rule.observe(states[-1], value))
    return states[1:]


def noise(seed: int, count: int) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(20.0, 1.0, count)]


def test_a_step_is_reported_soon_for_so_many_iterations_and_then_is_the_level() -> None:
    values = [*noise(0, 12), *(value - 8.0 for value in noise(1, 20))]
    reported = [bool(RULE.drifted(state)) for state in followed(values)]
    first = reported.index(True)
    assert 12 <= first <= 13
    assert reported[first : first + 3] == [True, True, False]
    assert not any(reported[first + 2 :])
    assert "edge_mean of the control arm left its level" in RULE.drifted(followed(values)[first])["*"]


def test_a_constant_level_is_seldom_reported() -> None:
    reported = sum(any(RULE.drifted(state) for state in followed(noise(seed, 24))) for seed in range(200))
    assert reported <= 20


def test_an_iteration_without_the_kpi_changes_nothing() -> None:
    assert followed([*noise(0, 8), None])[-1] == followed(noise(0, 8))[-1]


@given(st.lists(st.floats(-1e6, 1e6), max_size=40))
def test_drift_is_never_reported_longer_than_declared(values: list[float]) -> None:
    assert all(0 <= state.left <= RULE.lasting for state in followed(values))


def test_a_level_without_noise_is_left_by_the_first_that_differs() -> None:
    assert [bool(RULE.drifted(state)) for state in followed([5.0] * 6 + [5.1])] == [False] * 6 + [True]


@pytest.mark.parametrize("limits", [{"learn": 2}, {"lasting": 0}, {"slack": 0.0}, {"threshold": 0.0}])
def test_a_rule_that_could_not_detect_drift_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="expected learn"):
        RegimeRule("edge_mean", **limits)  # type: ignore[arg-type]
