"""Metrics of a gate for Prometheus: as text, as a file, at an endpoint, or pushed."""

from seedbed.gate.export._endpoint import serve_metrics
from seedbed.gate.export._exposition import GaugeFamily, InfoFamily, MetricFamily, exposition, write_textfile
from seedbed.gate.export._metrics import gate_metrics, metrics_text
from seedbed.gate.export._pushgateway import PushTarget, pushing

__all__ = [
    "GaugeFamily",
    "InfoFamily",
    "MetricFamily",
    "PushTarget",
    "exposition",
    "gate_metrics",
    "metrics_text",
    "pushing",
    "serve_metrics",
    "write_textfile",
]
