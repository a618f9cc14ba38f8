"""The market plant: a small simulated market maker, with its settings and rules."""

from seedbed.soak.market._limits import ITERATIONS_PER_HOUR, limited
from seedbed.soak.market._market import MARKET_KPIS
from seedbed.soak.market._optimum import expected, long_run, optimum
from seedbed.soak.market._plant import MarketPlant
from seedbed.soak.market._regime import REGIMES, Regime, regime_at
from seedbed.soak.market._registry import (
    MARKET_EFFECTS,
    MARKET_INITIAL,
    TUNER_EFFECTS,
    TUNER_SUBSYSTEM,
    market_registry,
)
from seedbed.soak.market._rules import market_rules

__all__ = [
    "ITERATIONS_PER_HOUR",
    "MARKET_EFFECTS",
    "MARKET_INITIAL",
    "MARKET_KPIS",
    "REGIMES",
    "TUNER_EFFECTS",
    "TUNER_SUBSYSTEM",
    "MarketPlant",
    "Regime",
    "expected",
    "limited",
    "long_run",
    "market_registry",
    "market_rules",
    "optimum",
    "regime_at",
]
