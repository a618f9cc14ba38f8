"""A soak's counts and KPIs as metrics."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from seedbed.errors import InvalidInput
from seedbed.gate import GaugeFamily, InfoFamily, MetricFamily

__all__ = ["SoakCounts", "soak_metrics"]


@final
@dataclass(frozen=True)
class SoakCounts:
    """The counts of a soak so far, for metrics: its proposals by how they ended, and its KPIs.

    The guards let through `num_total` proposals, in whole or in part. Of what was let through, everything was seen in
    use in `num_full` of them, some in `num_partial`, nothing in `num_failed`. Denied proposals are in no count.
    `num_stuck` iterations ran with the state hash of the one before although a proposal was applied. `kpis` holds the
    statistics of each KPI by name, such as `{"latency_ms": {"p95": 331.0}}`. Raises InvalidInput for counts that do
    not add up.
    """

    run_id: str
    num_total: int
    num_full: int
    num_partial: int
    num_failed: int
    num_stuck: int
    freeze_ready: bool
    kpis: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = (self.num_total, self.num_full, self.num_partial, self.num_failed, self.num_stuck)
        ended = self.num_full + self.num_partial + self.num_failed
        if min(counts) < 0 or ended > self.num_total:
            raise InvalidInput(
                f"soak {self.run_id}: {self.num_full} full, {self.num_partial} partial and {self.num_failed} failed of "
                f"{self.num_total} proposals, {self.num_stuck} stuck, do not add up; count each proposal once"
            )

    @property
    def full_apply_ratio(self) -> float | None:
        """`num_full / num_total`, None without proposals."""
        return self.num_full / self.num_total if self.num_total else None


def soak_metrics(counts: SoakCounts) -> tuple[MetricFamily, ...]:
    """The counts and KPIs as metrics. Without proposals, the ratio is left out.

    Raises InvalidInput when two KPIs would have the same name in Prometheus.
    """
    ratio = counts.full_apply_ratio
    return (
        GaugeFamily(
            "soak_delta_full_apply_ratio",
            "Share of proposals of which all that the guards let through was seen in use.",
            (),
            {} if ratio is None else {(): ratio},
        ),
        GaugeFamily.single("soak_delta_total_count", "Proposals that the guards let through.", counts.num_total),
        GaugeFamily.single("soak_delta_full_count", "Proposals seen in use, whole.", counts.num_full),
        GaugeFamily.single("soak_delta_partial_count", "Proposals seen in use in part.", counts.num_partial),
        GaugeFamily.single("soak_delta_fail_count", "Proposals of which nothing was seen in use.", counts.num_failed),
        GaugeFamily.single("soak_signature_stuck_count", "Iterations whose state did not move.", counts.num_stuck),
        GaugeFamily.single("soak_freeze_ready", "1 when the loop is ready to be frozen.", float(counts.freeze_ready)),
        *(_kpi(name, statistics) for name, statistics in counts.kpis.items()),
        InfoFamily("soak_run", "The soak that is running.", {"run_id": counts.run_id}),
    )


def _kpi(name: str, statistics: Mapping[str, float]) -> GaugeFamily:
    fit = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    values: dict[tuple[str, ...], float] = {(statistic,): value for statistic, value in statistics.items()}
    return GaugeFamily(f"soak_kpi_{fit}", f"The KPI {name}, by statistic.", ("statistic",), values)
