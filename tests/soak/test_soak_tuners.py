"""The tuners raise their objectives, and keep no state."""

from itertools import count

import numpy as np
import pytest
from soak_drive import drive, edges

from seedbed.change.parameters import nearest_on_grid
from seedbed.soak import (
    Constraint,
    MarketPlant,
    MockPlant,
    Objective,
    Observation,
    RuleTuner,
    market_registry,
    market_rules,
)
from seedbed.soak.market import MARKET_INITIAL, MARKET_KPIS
from seedbed.soak.mock import MOCK_OPTIMUM
from seedbed.soak.tuners._model import ModelTuner
from seedbed.soak.tuners._objective import scores

REGISTRY = market_registry()
RULES = RuleTuner(market_rules(), REGISTRY, MARKET_KPIS)


def mock_model(seed=0, objective=None):
    return ModelTuner(MockPlant(0).registry, tuple(MOCK_OPTIMUM), objective or Objective(), seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        {},
        {"base_spread_bps": 38.0},
        {"base_spread_bps": 8.0, "impact_cap_ratio": 0.28, "max_order_size": 19.0},
        {"concurrency_limit": 15.0, "tail_age_ms": 300.0},
    ],
)
def test_rules_lead_the_market_to_better_settings_from_either_side(start):
    for seed in (1, 2):
        history = drive(RULES, MarketPlant(seed, {**MARKET_INITIAL, **start}), MarketPlant(seed), 60)
        tuned, control = edges(history)
        assert tuned[-20:].mean() > 1.5 * control[-20:].mean()


@pytest.mark.slow
def test_the_model_raises_the_mock_towards_its_best():
    gained = [np.subtract(*edges(drive(mock_model(seed), MockPlant(seed), MockPlant(seed), 60))) for seed in (1, 2, 3)]
    # What there is to gain is 7.2; a seed that has bad luck gains little of it.
    assert min(each[-20:].mean() for each in gained) > 0
    assert np.mean([each[-20:].mean() for each in gained]) > 3


def test_a_tuner_that_is_made_anew_proposes_as_the_one_before():
    history = drive(mock_model(7), MockPlant(7), MockPlant(7), 15)
    assert mock_model(7).propose(history) == mock_model(7).propose(history)
    assert mock_model(7).propose(history) != mock_model(8).propose(history)


def test_any_seed_will_do_for_a_long_history():
    history = drive(mock_model(2**63), MockPlant(1), MockPlant(1), 15)
    assert mock_model(2**63).propose(history)


def test_a_proposal_lies_on_the_grid_within_the_bounds_and_near_the_best():
    history = drive(mock_model(1), MockPlant(1), MockPlant(1), 12)
    registry = MockPlant(1).registry
    for delta in mock_model(1).propose(history):
        parameter, value = registry[delta.parameter], delta.op.value
        assert value == nearest_on_grid(parameter, value)
        seen = [each.used[delta.parameter] for each in history]
        assert parameter.increment is not None
        reach = 0.21 * (parameter.high - parameter.low) + parameter.increment
        assert min(seen) - reach <= value <= max(seen) + reach


def test_a_model_that_has_seen_nothing_proposes_nothing():
    assert mock_model().propose([]) == ()
    assert mock_model().propose([Observation(1, MockPlant(0).initial, {})]) == ()


def test_the_objective_pays_for_every_constraint_that_is_broken():
    seen = [Observation(1, {}, {"edge_bps_per_hour_mean": 10.0, "latency_ms_p95": 300.0})]
    asked = Objective(constraints=(Constraint("latency_ms_p95", 200.0, 4.0), Constraint("risk_ratio_mean", 1.0, 9.0)))
    assert scores(asked, seen).tolist() == [8.0]
    assert scores(Objective(), seen).tolist() == [10.0]


def test_a_broken_constraint_changes_what_the_model_asks_for():
    history = drive(mock_model(3), MockPlant(3), MockPlant(3), 15)
    held_back = Objective(constraints=(Constraint("order_age_ms_mean", 100.0, 1000.0),))
    assert mock_model(3, held_back).propose(history) != mock_model(3).propose(history)


def test_the_control_takes_the_markets_own_rise_and_fall_out_of_the_score():
    generator, numbers = np.random.default_rng(0), count(1)
    swings = 10 + 5 * generator.standard_normal(40)
    name = "edge_bps_per_hour_mean"
    seen = [Observation(next(numbers), {}, {name: 2 * swing + 1}, {name: swing}) for swing in swings]
    assert np.std(scores(Objective(), seen)) < 0.2 * np.std(swings)
    alone = [Observation(each.iteration, {}, each.kpis) for each in seen]
    assert np.std(scores(Objective(), alone)) == pytest.approx(2 * np.std(swings))
