"""What a KPI of a soak means: its unit, its good side, and the limits that the profile declares for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the report of a run must not load torch, which the soak room does
    from seedbed.change import GoodRange
    from seedbed.soak import SoakProfile

__all__ = ["Limit", "caption", "limits", "unit"]

_STATISTICS = {"mean": "mean", "p95": "95% quantile", "low": "low end of the mean", "high": "high end of the mean"}
# How the name of a KPI ends, and the unit that this says; the longest endings first.
_UNITS = {
    "_bps_per_hour": "bps per hour",
    "_per_second": "per second",
    "_per_hour": "per hour",
    "_seconds": "s",
    "_bytes": "bytes",
    "_bps": "bps",
    "_ms": "ms",
    "_ratio": "ratio",
    "_rate": "share",
    "_share": "share",
}


@dataclass(frozen=True)
class Limit:
    """A value that a KPI should keep to; `css` says whether it is one of the good range or of the freeze."""

    value: float
    css: str
    words: str


def unit(kpi: str) -> str:
    """The unit of a KPI and its statistic, as far as its name says: `ms, 95% quantile`."""
    name, _, statistic = kpi.rpartition("_")
    measure = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    return ", ".join(filter(None, (measure, _STATISTICS.get(statistic, ""))))


def limits(profile: "SoakProfile", kpi: str) -> tuple[Limit, ...]:
    """The limits of the KPI's good range, and those from which on settings are frozen."""
    frozen = profile.freeze.good if profile.freeze else ()
    kinds = (("good", profile.good), ("freeze", frozen))
    return tuple(limit for css, ranges in kinds for good in ranges if good.kpi == kpi for limit in _of(good, css))


def caption(plant: str, profile: "SoakProfile", kpi: str) -> str:
    """What the KPI is, which values are good, and where it stands in the soak."""
    found = limits(profile, kpi)
    good = " and ".join(limit.words for limit in found if limit.css == "good")
    parts = (
        _meaning(plant, kpi),
        "the objective, higher is better" if kpi == profile.objective else "",
        good or ("" if kpi == profile.objective else "no good side is declared"),
    )
    text = "; ".join(filter(None, parts))
    return f"{text[:1].upper()}{text[1:]}."


def _of(good: "GoodRange", css: str) -> Iterator[Limit]:
    head = "good" if css == "good" else "freeze"
    for value, side in ((good.low, "at least"), (good.high, "at most")):
        if value is not None:
            yield Limit(value, css, f"{head}: {side} {value:g}")


def _meaning(plant: str, kpi: str) -> str:
    """What a KPI of the market is; the mock has KPIs of the same names."""
    if plant not in ("market", "mock"):
        return ""
    from seedbed.soak.market import MARKET_KPIS

    return MARKET_KPIS.get(kpi.rpartition("_")[0], "").removesuffix("; the objective").partition("; no sample")[0]
