"""The numbers that an iteration's samples become."""

import numpy as np
import pytest

from seedbed.soak import MarketPlant, Measurement
from seedbed.soak._kpis import STATISTICS, kpis


def test_a_kpi_has_its_mean_its_tail_and_an_interval_around_the_mean():
    found = kpis(Measurement(used={}, samples={"net_bps": tuple(float(n) for n in range(60))}))
    assert found["net_bps_mean"] == 29.5
    assert found["net_bps_p95"] == pytest.approx(56.05)
    assert found["net_bps_low"] < 29.5 < found["net_bps_high"]
    assert found.keys() == {f"net_bps_{statistic}" for statistic in STATISTICS}


def test_a_kpi_without_samples_is_absent_and_one_with_few_has_no_interval():
    assert kpis(Measurement(used={}, samples={"net_bps": ()})) == {}
    assert kpis(Measurement(used={}, samples={"net_bps": (1.0, 3.0)})) == {
        "net_bps_mean": 2.0,
        "net_bps_p95": pytest.approx(2.9),
    }


def test_a_sample_that_is_no_number_is_left_out():
    assert kpis(Measurement(used={}, samples={"net_bps": (1.0, float("nan"), 3.0)}))["net_bps_mean"] == 2.0


def test_the_interval_holds_the_mean_about_as_often_as_it_says_and_more_than_a_naive_one_in_correlated_samples():
    generator, weight = np.random.default_rng(0), 0.6
    held = naive = 0
    for _ in range(400):
        level, samples = generator.standard_normal() / (1 - weight**2) ** 0.5, []
        for _ in range(60):
            level = weight * level + generator.standard_normal()
            samples.append(level)
        found = kpis(Measurement(used={}, samples={"x": tuple(samples)}))
        held += found["x_low"] < 0 < found["x_high"]
        naive += abs(np.mean(samples)) < 1.96 * np.std(samples) / 60**0.5
    assert held / 400 == pytest.approx(0.92, abs=0.03)
    assert naive / 400 < 0.75


def test_every_kpi_of_the_market_has_its_statistics():
    measured = MarketPlant(1).measure(1)
    assert {name.rsplit("_", 1)[0] for name in kpis(measured)} == measured.samples.keys()
