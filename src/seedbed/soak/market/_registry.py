"""The settings of the simulated market, and a KPI that each one is known to move."""

from collections.abc import Mapping

from seedbed.change import Number, Parameter, Registry

__all__ = ["MARKET_EFFECTS", "MARKET_INITIAL", "TUNER_EFFECTS", "TUNER_SUBSYSTEM", "market_registry"]

TUNER_SUBSYSTEM = "tuner"
"""The subsystem whose settings limit how all the others may change; see `limited`."""

# The comment beside a row says what the setting does.
_ROWS: tuple[tuple[str, str, str, float, float, float], ...] = (
    # subsystem, key, unit, low, high, increment
    ("risk", "base_spread_bps", "bps", 2.0, 40.0, 0.05),  # distance between our two quotes
    ("risk", "base_spread_bps_delta", "1", 0.0, 4.0, 0.01),  # bps of spread per bps of recent volatility above normal
    ("risk", "impact_cap_ratio", "1", 0.01, 0.30, 0.001),  # largest order, as a share of the volume that passes
    ("risk", "max_delta_ratio", "1", 0.0, 1.0, 0.005),  # largest shift of a quote against inventory, by half-spread
    ("risk", "risk_limit_ratio", "1", 0.02, 0.50, 0.005),  # inventory above this share of capital is closed
    ("engine", "replace_rate_per_min", "1/min", 6.0, 240.0, 1.0),  # replaces allowed for each quote
    ("engine", "concurrency_limit", "1", 1.0, 16.0, 1.0),  # workers that send them
    ("engine", "tail_age_ms", "ms", 100.0, 3000.0, 5.0),  # a quote this old is sent again at the same price
    ("engine", "min_interval_ms", "ms", 0.0, 400.0, 1.0),  # least time between two replaces of one quote
    ("engine", "max_age_ms", "ms", 200.0, 8000.0, 10.0),  # an order this old is removed from the market
    ("tuner", "max_delta_per_hour", "1", 0.02, 1.0, 0.01),  # share of its range that a setting may move in an hour
    ("tuner", "cooldown_iters", "1", 0.0, 8.0, 1.0),  # iterations between two changes of a setting
    ("tuner", "velocity_cap", "1", 0.01, 0.50, 0.005),  # share of its range that a setting may move in an iteration
    ("tuner", "oscillation_window", "1", 3.0, 9.0, 1.0),  # moves back and forth that are an oscillation
    ("market", "min_order_size", "lot", 0.05, 2.0, 0.01),  # an order below this is not sent
    ("market", "max_order_size", "lot", 2.0, 20.0, 0.05),  # an order is never larger
    ("market", "tick_size", "bps", 0.05, 4.0, 0.01),  # the grid that quotes are rounded to, outward
)

_WHOLE = frozenset({"concurrency_limit", "cooldown_iters", "oscillation_window"})
_OWNERS: Mapping[str, str] = {"risk": "risk", "engine": "execution", "tuner": "soak", "market": "market-access"}

MARKET_INITIAL: Mapping[str, float] = {
    "base_spread_bps": 22.0,
    "base_spread_bps_delta": 0.2,
    "impact_cap_ratio": 0.06,
    "max_delta_ratio": 0.1,
    "risk_limit_ratio": 0.3,
    "replace_rate_per_min": 40.0,
    "concurrency_limit": 3.0,
    "tail_age_ms": 900.0,
    "min_interval_ms": 120.0,
    "max_age_ms": 4000.0,
    "max_delta_per_hour": 0.4,
    "cooldown_iters": 1.0,
    "velocity_cap": 0.1,
    "oscillation_window": 6.0,
    "min_order_size": 1.5,
    "max_order_size": 3.0,
    "tick_size": 1.0,
}
"""The first values: plausible, cautious and clearly not the best."""

MARKET_EFFECTS: Mapping[str, tuple[str, int]] = {
    "base_spread_bps": ("fill_rate", -1),
    "base_spread_bps_delta": ("fill_rate", -1),
    "impact_cap_ratio": ("slippage_bps", +1),
    "max_delta_ratio": ("inventory_ratio", -1),
    "risk_limit_ratio": ("maker_share", +1),
    "replace_rate_per_min": ("order_age_ms", -1),
    "concurrency_limit": ("latency_ms", -1),
    "tail_age_ms": ("order_age_ms", +1),
    "min_interval_ms": ("latency_ms", -1),
    "max_age_ms": ("order_age_ms", +1),
    "min_order_size": ("fill_rate", -1),
    "max_order_size": ("slippage_bps", +1),
    "tick_size": ("latency_ms", -1),
}
"""For each setting a KPI, and whether it rises (+1) or falls (-1) when the setting rises a little from its first value.

This holds in a volatile market: in a calm one, `base_spread_bps_delta` leads to more fills. And it holds for few
workers: above about six, one more only slows the others down.
"""

TUNER_EFFECTS: Mapping[str, int] = {
    "max_delta_per_hour": +1,
    "cooldown_iters": -1,
    "velocity_cap": +1,
    "oscillation_window": +1,
}
"""For each tuner setting, whether more (+1) or less (-1) of the proposed changes is let through when it rises."""


def market_registry() -> Registry:
    """The market's settings. In the file they are nested by subsystem. Steps are iterations of 15 simulated minutes."""
    return Registry(_parameter(*row) for row in _ROWS)


def _parameter(subsystem: str, key: str, unit: str, low: float, high: float, increment: float) -> Parameter:
    is_tuner = subsystem == TUNER_SUBSYSTEM
    return Parameter(
        key=key,
        unit=unit,
        low=low,
        high=high,
        cooldown_steps=4 if is_tuner else 1,
        number=Number.INT if key in _WHOLE else Number.FLOAT,
        path=(subsystem, key),
        increment=increment,
        velocity_cap=(high - low) / (4 if is_tuner else 10),
        velocity_window_steps=4 if is_tuner else 1,
        oscillation_window=4,
        subsystem=subsystem,
        owner=_OWNERS[subsystem],
        lag_steps=1,
    )
