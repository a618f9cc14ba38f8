"""A gate's answer as Prometheus metrics."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest

from seedbed.contracts import GateReport, Interval, Verdict

__all__ = ["metrics_text"]

_RUN_FIELDS = ("project", "run_id", "stage", "snapshot_seq")


def metrics_text(report: GateReport, record: Mapping[str, object]) -> str:
    """The report in the Prometheus text format, with `project`, `run_id`, `stage` and `snapshot_seq` of the record."""
    registry = CollectorRegistry()
    _verdict(registry, report)
    _checks(registry, report)
    run = Info("seedbed_run", "The run that was judged.", registry=registry)
    run.info({key: str(record[key]) for key in _RUN_FIELDS if key in record})
    return generate_latest(registry).decode()


def _verdict(registry: CollectorRegistry, report: GateReport) -> None:
    verdict = Gauge(
        "seedbed_gate_verdict", "1 for the gate's verdict, 0 for the others.", ["gate", "verdict"], registry=registry
    )
    for each in Verdict:
        verdict.labels(report.gate, each.value).set(each is report.verdict)
    exit_code = Gauge("seedbed_gate_exit_code", "The gate's exit code.", ["gate"], registry=registry)
    exit_code.labels(report.gate).set(report.exit_code)


def _checks(registry: CollectorRegistry, report: GateReport) -> None:
    labels = ["gate", "metric", "expected"]
    passed = Gauge("seedbed_gate_check_passed", "1 for a check that passed.", labels, registry=registry)
    value = Gauge(
        "seedbed_gate_check_value",
        "The value that a check found; absent when there is no number.",
        labels,
        registry=registry,
    )
    for check in report.checks:
        names = (report.gate, check.metric, check.expected)
        passed.labels(*names).set(check.verdict is Verdict.PASS)
        found = check.found.value if isinstance(check.found, Interval) else check.found
        if isinstance(found, bool | float):
            value.labels(*names).set(found)
