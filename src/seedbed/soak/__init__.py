"""Soak: a plant is measured, tuned through guards, and what reached it is verified, iteration by iteration."""

from seedbed.soak._market import MARKET_KPIS
from seedbed.soak._market_limits import ITERATIONS_PER_HOUR, limited, nearest_on_grid
from seedbed.soak._market_optimum import expected, long_run, optimum
from seedbed.soak._market_plant import MarketPlant
from seedbed.soak._market_regime import REGIMES, Regime, regime_at
from seedbed.soak._market_registry import (
    MARKET_EFFECTS,
    MARKET_INITIAL,
    TUNER_EFFECTS,
    TUNER_SUBSYSTEM,
    market_registry,
)
from seedbed.soak._mock import MOCK_OPTIMUM, MockPlant, mock_registry
from seedbed.soak._plant import Measurement, Plant

__all__ = [
    "ITERATIONS_PER_HOUR",
    "MARKET_EFFECTS",
    "MARKET_INITIAL",
    "MARKET_KPIS",
    "MOCK_OPTIMUM",
    "REGIMES",
    "TUNER_EFFECTS",
    "TUNER_SUBSYSTEM",
    "MarketPlant",
    "Measurement",
    "MockPlant",
    "Plant",
    "Regime",
    "expected",
    "limited",
    "long_run",
    "market_registry",
    "mock_registry",
    "nearest_on_grid",
    "optimum",
    "regime_at",
]
