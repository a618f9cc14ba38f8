"""The market as a Gymnasium environment."""

import numpy as np
from gymnasium.utils.env_checker import check_env

from seedbed.soak.market._gym_env import MarketEnv
from seedbed.soak.market._market import MARKET_KPIS
from seedbed.soak.market._plant import MarketPlant


def test_gymnasium_finds_nothing_wrong_with_it():
    check_env(MarketEnv(), skip_render_check=True)


def test_a_seed_gives_the_market_that_a_plant_of_that_seed_measures():
    env = MarketEnv(iterations=3)
    observed, info = env.reset(seed=7)
    samples = MarketPlant(info["seed"]).measure(1).samples
    np.testing.assert_array_equal(observed, [np.mean(samples[kpi]) if samples[kpi] else 0.0 for kpi in MARKET_KPIS])


def test_an_action_spans_the_bounds_and_the_reward_is_the_edge():
    env = MarketEnv(iterations=3)
    env.reset(seed=7)
    shape = env.action_space.shape
    assert shape is not None
    observed, reward, terminated, truncated, info = env.step(np.zeros(shape))
    assert reward == observed[0]
    assert (terminated, truncated, info["iteration"]) == (False, False, 2)
    _, _, _, truncated, _ = env.step(np.ones(shape))
    assert truncated
