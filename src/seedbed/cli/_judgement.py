"""A run's verdict and its report: what is worked out from the record alone, as often as anybody likes."""

from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from seedbed.cli.console._render import section
from seedbed.contracts import CheckReport, GateReport, Verdict
from seedbed.dashboard import render_report
from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec, calibrated, gate_record, judge, parse_gate
from seedbed.records import Snapshot, read_events, replace

__all__ = ["declares_gate", "gate_text", "judged", "write_report"]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NO_DATA: "yellow",
}


def judged(snapshot: Snapshot, spec: GateSpec | None = None, *, calibrate: bool = False) -> GateReport:
    """The verdict of `spec`, or of the gate that the run was configured with, on its record.

    With `calibrate` each check on a series also has its false-pass rate, which takes up to a second. Raises
    InvalidInput when neither is there, or asks for what no record holds.
    """
    if spec is None and not declares_gate(snapshot):
        raise InvalidInput(f"run {snapshot.run_id} was configured without a gate; give one by --spec FILE")
    declared = {"gate": snapshot.project, "checks": snapshot.config.get("gate")}
    chosen = spec or parse_gate(declared, source=f"the gate in the configuration of {snapshot.run_id}")
    record = gate_record(snapshot)
    report = judge(chosen, record)
    return calibrated(report, chosen, record) if calibrate else report


def declares_gate(snapshot: Snapshot) -> bool:
    """Whether the run was configured with a gate."""
    return bool(snapshot.config.get("gate"))


def gate_text(report: GateReport) -> RenderableType:
    """The verdict, and one line a check."""
    rows = [
        (Text(check.verdict.value, style=_STYLES[check.verdict]), f"{check.metric} {check.expected}", _reason(check))
        for check in report.checks
    ]
    verdict = (report.verdict.value, _STYLES[report.verdict])
    return section(Text.assemble("gate: ", verdict, f", exit code {report.exit_code}", style="bold"), rows)


def _reason(check: CheckReport) -> str:
    if check.false_pass_rate is None:
        return check.reason
    return f"{check.reason}; wrongly passes {100 * check.false_pass_rate:.1f} % of such series, by simulation"


def write_report(folder: Path, snapshot: Snapshot, gate: GateReport | None, page: Path | None = None) -> Path:
    """Write the report on the run in `folder` to `page`, by default beside the run's files. Raises StoreUnavailable."""
    log, page = folder / "events.log", page or folder / "report.html"
    events = read_events(log) if log.exists() else []
    replace(page, render_report(snapshot, events, gate).encode(), durable=False)
    return page
