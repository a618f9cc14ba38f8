"""Gate: compares a record with declared thresholds and answers pass, fail, inconclusive or no data."""

from seedbed.gate._calibrate import Calibration, calibrate, calibrated
from seedbed.gate._check import Check
from seedbed.gate._fewest import fewest_samples
from seedbed.gate._judge import judge
from seedbed.gate._judge_run import declares_gate, judge_run
from seedbed.gate._record import gate_record
from seedbed.gate._series import Series
from seedbed.gate._spec import GateSpec, load_gate, parse_gate
from seedbed.gate.bounds._bootstrap import block_bootstrap
from seedbed.gate.bounds._bounded import bounded_mean
from seedbed.gate.bounds._drift import Drift, cusum, page_hinkley
from seedbed.gate.bounds._quantile import block_quantile
from seedbed.gate.bounds._sequence import confidence_sequence
from seedbed.gate.export._endpoint import serve_metrics
from seedbed.gate.export._exposition import GaugeFamily, InfoFamily, MetricFamily, exposition, write_textfile
from seedbed.gate.export._metrics import gate_metrics, metrics_text
from seedbed.gate.export._pushgateway import PushTarget, pushing

__all__ = [
    "Calibration",
    "Check",
    "Drift",
    "GateSpec",
    "GaugeFamily",
    "InfoFamily",
    "MetricFamily",
    "PushTarget",
    "Series",
    "block_bootstrap",
    "block_quantile",
    "bounded_mean",
    "calibrate",
    "calibrated",
    "confidence_sequence",
    "cusum",
    "declares_gate",
    "exposition",
    "fewest_samples",
    "gate_metrics",
    "gate_record",
    "judge",
    "judge_run",
    "load_gate",
    "metrics_text",
    "page_hinkley",
    "parse_gate",
    "pushing",
    "serve_metrics",
    "write_textfile",
]
