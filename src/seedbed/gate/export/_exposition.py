"""Metrics as values, and their texts for a Prometheus server."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from seedbed.errors import InvalidInput
from seedbed.records.storage import replace

__all__ = ["GaugeFamily", "InfoFamily", "MetricFamily", "exposition", "registry_of", "write_textfile"]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@final
@dataclass(frozen=True)
class GaugeFamily:
    """A gauge: its name, one line of help, the names of its labels, and a value for each set of their values."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[tuple[str, ...], float] = field(default_factory=dict)

    @classmethod
    def single(cls, name: str, help: str, value: float) -> "GaugeFamily":  # noqa: A002  the format's own word
        """A gauge without labels."""
        return cls(name, help, (), {(): value})


@final
@dataclass(frozen=True)
class InfoFamily:
    """Constant texts, such as a run's name, as labels. Its name in the text ends in `_info`."""

    name: str
    help: str
    labels: Mapping[str, str]


MetricFamily = GaugeFamily | InfoFamily


def exposition(families: Iterable[MetricFamily], *, openmetrics: bool = False) -> str:
    """The metrics in the Prometheus text format 0.0.4, or in OpenMetrics 1.0.

    Raises InvalidInput for a name that Prometheus does not accept, and for a name used twice.
    """
    registry = registry_of(lambda: families)
    generate: Callable[[Collector], bytes] = generate_openmetrics if openmetrics else generate_latest
    return generate(registry).decode()


def write_textfile(path: Path, families: Iterable[MetricFamily]) -> None:
    """Write the metrics to `path` for node_exporter's textfile collector. No reader sees half a file.

    Raises StoreUnavailable, and InvalidInput as `exposition`.
    """
    replace(path, exposition(families).encode(), durable=False)


def registry_of(source: Callable[[], Iterable[MetricFamily]]) -> CollectorRegistry:
    """A registry that calls `source` each time that it is read."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(source))
    return registry


@final
class _Collector(Collector):
    def __init__(self, source: Callable[[], Iterable[MetricFamily]]) -> None:
        self._source = source

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Describe nothing, since the families may change."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily]:
        """Yield every family once."""
        seen: set[str] = set()
        for family in self._source():
            _refuse_unfit(family, seen)
            seen.add(family.name)
            yield _info(family) if isinstance(family, InfoFamily) else _gauge(family)


def _refuse_unfit(family: MetricFamily, seen: set[str]) -> None:
    names = [family.name, *family.labels]
    unfit = [name for name in names if not _NAME.fullmatch(name)]
    if unfit:
        raise InvalidInput(f"metric {family.name!r}: {unfit[0]!r} is no name; use letters, digits and underscores")
    if family.name in seen:
        raise InvalidInput(f"metric {family.name!r} is given twice; use two different names")


def _info(family: InfoFamily) -> InfoMetricFamily:
    return InfoMetricFamily(family.name, family.help, value=dict(family.labels))


def _gauge(family: GaugeFamily) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(family.name, family.help, labels=list(family.labels))
    for labels, value in family.values.items():
        gauge.add_metric(list(labels), value)
    return gauge
