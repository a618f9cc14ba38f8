"""The mock plant: deterministic, with known best settings."""

import numpy as np
import pytest

from seedbed.errors import InvalidInput
from seedbed.soak.mock._plant import MOCK_KPIS, MOCK_OPTIMUM, MockPlant


def edges(values, seed=1, iterations=20):
    plant = MockPlant(seed)
    plant.take({**plant.initial, **values})
    return np.array([np.mean(plant.measure(i).samples["edge_bps_per_hour"]) for i in range(1, iterations + 1)])


def test_what_it_measures_depends_on_what_it_holds_and_on_nothing_before():
    plant = MockPlant(1)
    first = plant.measure(2)
    plant.take({**plant.initial, "base_spread_bps": 14.0})
    moved = plant.measure(2)
    assert np.mean(moved.samples["edge_bps_per_hour"]) > np.mean(first.samples["edge_bps_per_hour"])
    assert moved.used["base_spread_bps"] == 14.0
    plant.take(plant.initial)
    assert plant.measure(2) == first == MockPlant(1).measure(2)


@pytest.mark.parametrize("key", MOCK_OPTIMUM)
def test_its_known_best_is_best_in_every_setting(key):
    parameter = MockPlant(1).registry[key]
    best = edges(MOCK_OPTIMUM)
    for value in (parameter.low, parameter.high):
        assert (edges({**MOCK_OPTIMUM, key: value}) < best).all()


def test_it_measures_the_kpis_that_it_is_said_to():
    assert tuple(MockPlant(1).measure(1).samples) == MOCK_KPIS


def test_its_samples_are_correlated_in_time():
    plant = MockPlant(1)
    found = np.log([plant.measure(i).samples["net_bps"] for i in range(1, 101)])
    found -= found.mean()
    assert np.corrcoef(found[:, 1:].ravel(), found[:, :-1].ravel())[0, 1] == pytest.approx(0.6, abs=0.05)
    assert found[:, 0].std() == pytest.approx(found[:, -1].std(), rel=0.3)


def test_settings_that_it_does_not_have_are_refused():
    plant = MockPlant(1)
    for wrong in ({}, {**plant.initial, "tick_size": 1.0}, {**plant.initial, "base_spread_bps": 1.0}):
        with pytest.raises(InvalidInput):
            plant.take(wrong)
    assert plant.measure(1) == MockPlant(1).measure(1)
    with pytest.raises(InvalidInput, match="iteration 0"):
        plant.measure(0)
