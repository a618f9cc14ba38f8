"""The rules of the simulated market."""

from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule

__all__ = ["market_rules"]

_ABOVE, _BELOW = "above", "below"

# Reason, KPI, side, threshold, key, how it moves, by how much, and its bound.
_ROWS: tuple[tuple[str, str, str, float, str, str, float, float], ...] = (
    ("what is traded loses: quote wider", "net_bps_mean", _BELOW, 0.0, "base_spread_bps", "scale", 1.10, 36.0),
    ("too much of the flow is filled", "fill_rate_mean", _ABOVE, 0.062, "base_spread_bps", "scale", 1.05, 36.0),
    ("too little of the flow is filled", "fill_rate_mean", _BELOW, 0.045, "base_spread_bps", "scale", 0.96, 12.0),
    ("fills move against us", "adverse_bps_mean", _ABOVE, 3.3, "base_spread_bps_delta", "add", 0.1, 2.6),
    ("fills hardly move against us", "adverse_bps_mean", _BELOW, 2.6, "base_spread_bps_delta", "add", -0.1, 1.0),
    ("our footprint costs too much", "slippage_bps_mean", _ABOVE, 3.6, "impact_cap_ratio", "scale", 0.94, 0.1),
    ("our footprint costs little", "slippage_bps_mean", _BELOW, 2.4, "impact_cap_ratio", "scale", 1.08, 0.18),
    ("our footprint costs too much", "slippage_bps_mean", _ABOVE, 3.6, "max_order_size", "scale", 0.94, 6.0),
    ("our footprint costs little", "slippage_bps_mean", _BELOW, 2.4, "max_order_size", "scale", 1.08, 13.0),
    ("inventory nears its limit", "risk_ratio_mean", _ABOVE, 0.30, "max_delta_ratio", "add", 0.03, 0.55),
    ("inventory stays far from its limit", "risk_ratio_mean", _BELOW, 0.16, "max_delta_ratio", "add", -0.03, 0.35),
    ("inventory is taken off too often", "maker_share_mean", _BELOW, 0.96, "risk_limit_ratio", "add", 0.015, 0.36),
    ("too much inventory is held", "inventory_ratio_mean", _ABOVE, 0.12, "risk_limit_ratio", "add", -0.015, 0.24),
    ("replaces wait for a worker", "latency_ms_mean", _ABOVE, 160.0, "concurrency_limit", "add", 1.0, 7.0),
    ("workers contend", "latency_ms_mean", _BELOW, 110.0, "concurrency_limit", "add", -1.0, 5.0),
    ("the venue refuses messages", "quote_rejects_mean", _ABOVE, 0.06, "replace_rate_per_min", "scale", 0.92, 80.0),
    ("quotes stand wrong too long", "staleness_ms_mean", _ABOVE, 215.0, "replace_rate_per_min", "scale", 1.1, 180.0),
    ("quotes stand wrong too long", "staleness_ms_mean", _ABOVE, 215.0, "min_interval_ms", "add", -8.0, 56.0),
    ("replaces come in bursts", "latency_ms_p95", _ABOVE, 320.0, "min_interval_ms", "add", 8.0, 100.0),
    ("the venue refuses messages", "quote_rejects_mean", _ABOVE, 0.06, "tail_age_ms", "scale", 1.06, 1400.0),
    ("replaces wait for a worker", "latency_ms_mean", _ABOVE, 240.0, "tail_age_ms", "scale", 1.06, 1400.0),
    ("messages are few", "quote_rejects_mean", _BELOW, 0.025, "tail_age_ms", "scale", 0.95, 900.0),
    ("orders grow old", "order_age_ms_mean", _ABOVE, 1600.0, "max_age_ms", "scale", 0.94, 2200.0),
    ("orders are taken out young", "order_age_ms_mean", _BELOW, 1300.0, "max_age_ms", "scale", 1.06, 2600.0),
    ("the venue refuses messages", "quote_rejects_mean", _ABOVE, 0.06, "tick_size", "add", 0.04, 1.3),
    ("messages are few", "quote_rejects_mean", _BELOW, 0.025, "tick_size", "add", -0.03, 0.7),
    ("what is traded earns little", "net_bps_mean", _BELOW, 2.5, "min_order_size", "add", 0.05, 1.7),
    ("what is traded earns well", "net_bps_mean", _ABOVE, 4.0, "min_order_size", "add", -0.05, 1.0),
)


def market_rules() -> tuple[Rule, ...]:
    """Rules for each KPI that is out of its good range. The first rule that names a key moves it.

    For every rule that moves a setting up there is one that moves it down. The thresholds are around the KPIs of this
    simulated market at its optima, on seeds that the benchmark does not use. They suit no other market.
    """
    return tuple(_rule(row) for row in _ROWS)


def _rule(row: tuple[str, str, str, float, str, str, float, float]) -> Rule:
    reason, kpi, side, threshold, key, how, amount, bound = row
    upward = amount > (1 if how == "scale" else 0)
    condition = KpiCondition.model_validate({"kpi": kpi, side: threshold})
    adjustment = Adjustment.model_validate({"key": key, how: amount, "cap" if upward else "floor": bound})
    return Rule(when=(condition,), then=(adjustment,), reason=reason)
