"""The report of a gate as metrics."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from seedbed.contracts import CheckReport, GateReport, Interval, Verdict
from seedbed.gate.export._exposition import GaugeFamily, InfoFamily, MetricFamily, exposition

__all__ = ["gate_metrics", "metrics_text"]

_RUN_FIELDS = ("project", "run_id", "stage", "snapshot_seq")
_CHECK_LABELS = ("gate", "metric", "expected")


def metrics_text(report: GateReport, record: Mapping[str, object], *, openmetrics: bool = False) -> str:
    """The metrics of a report in the Prometheus text format, or in OpenMetrics; `record` names the run."""
    return exposition(gate_metrics(report, record), openmetrics=openmetrics)


def gate_metrics(report: GateReport, record: Mapping[str, object]) -> tuple[MetricFamily, ...]:
    """The metrics of a report. `seedbed_run` has `project`, `run_id`, `stage` and `snapshot_seq` of the record.

    When several checks have the same metric and demand, the last one is shown.
    """
    verdicts: dict[tuple[str, ...], float] = {
        (report.gate, each.value): float(each is report.verdict) for each in Verdict
    }
    return (
        GaugeFamily(
            "seedbed_gate_verdict", "1 for the gate's verdict, 0 for the others.", ("gate", "verdict"), verdicts
        ),
        GaugeFamily("seedbed_gate_exit_code", "The gate's exit code.", ("gate",), {(report.gate,): report.exit_code}),
        *_checks(report),
        InfoFamily(
            "seedbed_run", "The run that was judged.", {key: str(record[key]) for key in _RUN_FIELDS if key in record}
        ),
    )


def _checks(report: GateReport) -> Iterator[GaugeFamily]:
    for name, help_text, value_of in _OF_A_CHECK:
        values: dict[tuple[str, ...], float] = {}
        for check in report.checks:
            value = value_of(check)
            if value is not None:
                values[report.gate, check.metric, check.expected] = value
        yield GaugeFamily(f"seedbed_gate_check_{name}", help_text, _CHECK_LABELS, values)


def _number(check: CheckReport) -> float | None:
    found = check.found.value if isinstance(check.found, Interval) else check.found
    return float(found) if isinstance(found, bool | float) else None


_OF_A_CHECK: Sequence[tuple[str, str, Callable[[CheckReport], float | None]]] = (
    ("passed", "1 for a check that passed.", lambda check: float(check.verdict is Verdict.PASS)),
    ("value", "The value that a check found; absent when there is no number.", _number),
    ("samples", "How many samples a check judged; only of series.", lambda check: check.n),
    (
        "false_pass_rate",
        "How often a check passes such a series at its threshold, by simulation.",
        lambda check: check.false_pass_rate,
    ),
)
