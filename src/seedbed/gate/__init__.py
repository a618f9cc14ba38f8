"""Gate: declared thresholds held against a record; pass, fail, inconclusive or no data, with an exit code."""

from seedbed.gate._bootstrap import block_bootstrap
from seedbed.gate._facts import Fact, facts_of, lint
from seedbed.gate._judge import judge
from seedbed.gate._metrics import metrics_text
from seedbed.gate._record import gate_record
from seedbed.gate._spec import Check, GateSpec, Op, load_gate, parse_gate

__all__ = [
    "Check",
    "Fact",
    "GateSpec",
    "Op",
    "block_bootstrap",
    "facts_of",
    "gate_record",
    "judge",
    "lint",
    "load_gate",
    "metrics_text",
    "parse_gate",
]
