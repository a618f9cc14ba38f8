"""The rules of the mock plant: for each setting, the KPI that shows whether it is too high or too low."""

from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule

__all__ = ["mock_rules"]

# KPI, its good range, the key, how much to move it when above and when below, and how far at most.
_ROWS: tuple[tuple[str, float, float, str, float, float, float, float], ...] = (
    ("fill_rate_mean", 0.34, 0.40, "base_spread_bps", 1.12, 0.9, 12.0, 16.0),
    ("risk_ratio_mean", 0.45, 0.56, "risk_limit_ratio", 1.12, 0.9, 0.17, 0.23),
    ("order_age_ms_mean", 660.0, 780.0, "tail_age_ms", 0.88, 1.12, 1000.0, 1400.0),
    ("adverse_bps_mean", 2.75, 2.97, "replace_rate_per_min", 1.2, 0.85, 90.0, 150.0),
    ("latency_ms_mean", 118.0, 150.0, "concurrency_limit", 1.2, 0.85, 5.0, 7.0),
)


def mock_rules() -> tuple[Rule, ...]:
    """Rules that move each KPI into its good range from both sides. They were made for the mock, to test the loop."""
    return tuple(rule for row in _ROWS for rule in _pair(*row))


def _pair(
    kpi: str, low: float, high: float, key: str, above: float, below: float, floor: float, cap: float
) -> tuple[Rule, Rule]:
    moves = {"above": (above, high), "below": (below, low)}
    up, down = (
        Rule(
            when=(KpiCondition.model_validate({"kpi": kpi, side: threshold}),),
            then=(Adjustment.model_validate({"key": key, "scale": scale, "cap" if scale > 1 else "floor": bound}),),
            reason=f"{kpi} lies {side} {threshold:g}",
        )
        for side, (scale, threshold) in moves.items()
        for bound in (cap if scale > 1 else floor,)
    )
    return up, down
