"""The simulated market: its random numbers, its settings, and its optimum."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change.parameters import nearest_on_grid
from seedbed.errors import InvalidInput
from seedbed.soak.market._draws import draw
from seedbed.soak.market._engine import erlang_c
from seedbed.soak.market._market import MARKET_KPIS, simulate
from seedbed.soak.market._optimum import expected, long_run, optimum
from seedbed.soak.market._plant import MarketPlant
from seedbed.soak.market._regime import REGIMES, regime_at
from seedbed.soak.market._registry import MARKET_EFFECTS, MARKET_INITIAL, TUNER_SUBSYSTEM, market_registry

REGISTRY = market_registry()
PLANT_KEYS = [parameter.key for parameter in REGISTRY if parameter.subsystem != TUNER_SUBSYSTEM]
VOLATILE = next(regime for regime in REGIMES if regime.name == "volatile")
STEP_SHARE = 0.05


@pytest.fixture(scope="module")
def draws():
    return long_run(VOLATILE, seed=5, num_iterations=48)


@pytest.fixture(scope="module")
def best():
    return optimum(VOLATILE, num_iterations=48)


def edge(values, draws):
    return float(simulate(values, draws)["edge_bps_per_hour"].mean())


def moved(key, share):
    parameter = REGISTRY[key]
    reach = max(abs(share) * (parameter.high - parameter.low), parameter.increment)
    return {**MARKET_INITIAL, key: nearest_on_grid(parameter, MARKET_INITIAL[key] + np.sign(share) * reach)}


def test_the_initial_values_are_all_of_the_declared_ones_and_lie_on_their_grids():
    assert REGISTRY.validate(MARKET_INITIAL) == dict(MARKET_INITIAL)
    assert tuple(MARKET_INITIAL) == REGISTRY.keys()
    assert {key: nearest_on_grid(REGISTRY[key], value) for key, value in MARKET_INITIAL.items()} == dict(MARKET_INITIAL)
    assert REGISTRY.get_all(REGISTRY.document(MARKET_INITIAL)) == dict(MARKET_INITIAL)


def test_two_plants_of_one_seed_measure_the_same_in_any_order():
    one, other = MarketPlant(3), MarketPlant(3)
    later = [one.measure(iteration) for iteration in (1, 2, 3)][2]
    assert other.measure(3) == later
    assert MarketPlant(4).measure(3) != later


def test_a_measurement_holds_every_kpi_and_only_finite_numbers():
    measured = MarketPlant(1).measure(1)
    assert measured.used == dict(MARKET_INITIAL)
    assert measured.samples.keys() == MARKET_KPIS.keys()
    assert all(np.isfinite(samples).all() for samples in measured.samples.values())
    assert len(measured.samples["edge_bps_per_hour"]) == 60


def test_a_market_that_trades_nothing_has_no_samples_of_what_needs_a_trade():
    plant = MarketPlant(1)
    plant.take({**MARKET_INITIAL, "min_order_size": 2.0, "impact_cap_ratio": 0.01})
    samples = plant.measure(1).samples
    assert samples["net_bps"] == samples["maker_share"] == samples["adverse_bps"] == ()
    assert set(samples["fill_rate"]) == {0.0}


def test_settings_that_it_cannot_run_with_are_refused_and_the_old_ones_held():
    plant = MarketPlant(1)
    before = plant.measure(1)
    for wrong in ({}, {**MARKET_INITIAL, "spread": 1.0}, {**MARKET_INITIAL, "tick_size": 0.0}):
        with pytest.raises(InvalidInput):
            plant.take(wrong)
    assert plant.measure(1) == before
    with pytest.raises(InvalidInput, match="iteration 0"):
        plant.measure(0)


@pytest.mark.parametrize("key", PLANT_KEYS)
def test_every_setting_of_the_plant_moves_its_declared_kpi_in_the_declared_direction(key, draws):
    kpi, sign = MARKET_EFFECTS[key]
    start = expected(MARKET_INITIAL, draws)[kpi]
    more, less = expected(moved(key, STEP_SHARE), draws)[kpi], expected(moved(key, -STEP_SHARE), draws)[kpi]
    assert sign * (more - less) > 0
    assert sign * (more - start) >= 0
    assert sign * (start - less) >= 0


def test_the_effects_are_declared_of_all_settings_of_the_plant_and_of_known_kpis():
    assert list(MARKET_EFFECTS) == PLANT_KEYS
    assert {kpi for kpi, _ in MARKET_EFFECTS.values()} <= MARKET_KPIS.keys()


@pytest.mark.parametrize("key", PLANT_KEYS)
def test_every_setting_of_the_plant_matters_to_the_objective(key, draws):
    start = edge(MARKET_INITIAL, draws)
    ends = [edge({**MARKET_INITIAL, key: bound}, draws) for bound in (REGISTRY[key].low, REGISTRY[key].high)]
    assert max(abs(end - start) for end in ends) > 0.02 * abs(start)


@pytest.mark.slow
def test_common_random_numbers_make_a_paired_difference_tighter_than_either_side():
    start = simulate(MARKET_INITIAL, long_run(VOLATILE, seed=9))["edge_bps_per_hour"].mean(axis=1)
    wider = simulate(moved("base_spread_bps", STEP_SHARE), long_run(VOLATILE, seed=9))["edge_bps_per_hour"].mean(axis=1)
    apart = simulate(moved("base_spread_bps", STEP_SHARE), long_run(VOLATILE, seed=8))["edge_bps_per_hour"].mean(axis=1)
    assert (wider - start).std() < 0.6 * (apart - start).std()


def test_informed_flow_and_stale_quotes_cost_what_adverse_selection_says(draws):
    informed = long_run(next(r for r in REGIMES if r.name == "informed"), seed=5, num_iterations=48)
    calm = long_run(next(r for r in REGIMES if r.name == "calm"), seed=5, num_iterations=48)
    assert expected(MARKET_INITIAL, informed)["adverse_bps"] > expected(MARKET_INITIAL, calm)["adverse_bps"]
    slow = {**MARKET_INITIAL, "replace_rate_per_min": 6.0}
    assert expected(slow, draws)["staleness_ms"] > expected(MARKET_INITIAL, draws)["staleness_ms"]
    assert expected(slow, draws)["adverse_bps"] > expected(MARKET_INITIAL, draws)["adverse_bps"]


def test_too_few_workers_or_too_many_messages_lengthen_the_queue(draws):
    start = expected(MARKET_INITIAL, draws)["latency_ms"]
    assert expected({**MARKET_INITIAL, "concurrency_limit": 1.0}, draws)["latency_ms"] > start
    assert expected({**MARKET_INITIAL, "tail_age_ms": 200.0}, draws)["latency_ms"] > start
    swamped = {**MARKET_INITIAL, "tail_age_ms": 100.0, "concurrency_limit": 1.0}
    assert expected(swamped, draws)["quote_rejects"] > 0.5


def test_one_worker_waits_as_often_as_it_is_busy_and_more_workers_as_the_sum_says():
    loads = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(erlang_c(loads, 1), loads)
    # Erlang's C for two workers is rho * a / (1 + rho), where rho = a / 2.
    np.testing.assert_allclose(erlang_c(loads, 2), loads / 2 * loads / (1 + loads / 2))


@given(st.integers(0, 2**31), st.integers(1, 400))
def test_a_regime_depends_on_the_seed_and_the_iteration_alone(seed, iteration):
    assert regime_at(seed, iteration) == regime_at(seed, iteration)


def test_regimes_last_and_then_change():
    names = [regime_at(11, iteration).name for iteration in range(1, 400)]
    changes = [at for at in range(1, len(names)) if names[at] != names[at - 1]]
    assert len(changes) >= 5
    assert min(np.diff(changes)) >= 24


def test_flow_is_poisson_and_the_mid_a_random_walk():
    many = long_run(VOLATILE, seed=2, num_iterations=200)
    orders = (many.reach_NTSM >= 0).sum(axis=-1)
    assert orders.mean() == pytest.approx(VOLATILE.orders_per_min / 4, rel=0.02)
    assert orders.var() == pytest.approx(orders.mean(), rel=0.05)
    steps = np.diff(many.mid_NT, axis=1)
    assert abs(np.corrcoef(steps[:, 1:].ravel(), steps[:, :-1].ravel())[0, 1]) < 0.03
    assert many.volatility_NT.mean() == pytest.approx(VOLATILE.volatility_bps, rel=0.03)


@pytest.mark.slow
def test_the_optimum_beats_every_value_of_every_single_setting(best):
    draws = long_run(VOLATILE, num_iterations=48)
    top = edge(best, draws)
    for key in PLANT_KEYS:
        for value in np.linspace(REGISTRY[key].low, REGISTRY[key].high, 31):
            assert edge({**best, key: nearest_on_grid(REGISTRY[key], value)}, draws) < 1.01 * top, key


@pytest.mark.slow
def test_the_optimum_beats_a_grid_of_the_spread_against_what_trades_off_with_it(best):
    draws = long_run(VOLATILE, num_iterations=48)
    top = edge(best, draws)
    for key in ("tick_size", "base_spread_bps_delta", "max_order_size"):
        others = np.linspace(REGISTRY[key].low, REGISTRY[key].high, 11)
        for spread, other in product(np.linspace(10, 40, 16), others):
            tried = {**best, "base_spread_bps": nearest_on_grid(REGISTRY["base_spread_bps"], spread)}
            assert edge({**tried, key: nearest_on_grid(REGISTRY[key], other)}, draws) < 1.04 * top


@pytest.mark.slow
def test_the_optimum_beats_random_settings_on_random_numbers_it_has_not_seen(best, draws):
    generator = np.random.default_rng(0)
    top = edge(best, draws)
    for _ in range(400):
        tried = {p.key: nearest_on_grid(p, generator.uniform(p.low, p.high)) for p in REGISTRY}
        assert edge(tried, draws) < top
    assert top > 2 * edge(MARKET_INITIAL, draws)


def test_a_draw_has_the_samples_of_one_iteration():
    assert draw(1, 1, VOLATILE).volatility_NT.shape == (1, 60)
