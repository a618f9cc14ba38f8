"""A run's verdict and its report: what is worked out from the record alone, as often as anybody likes."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.cli._render import plain_table
from seedbed.contracts import GateReport, Verdict
from seedbed.dashboard import render_report
from seedbed.gate import GateSpec, judge, parse_gate
from seedbed.records import Snapshot, read_events, replace
from seedbed.stages import gate_record

__all__ = ["gate_text", "judged", "write_report"]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NO_DATA: "yellow",
}


def judged(snapshot: Snapshot, spec: GateSpec | None = None) -> GateReport:
    """The verdict of `spec`, or of the gate that the run was configured with, on its record. Raises InvalidInput."""
    declared = {"gate": snapshot.project, "checks": snapshot.config.get("gate", [])}
    chosen = spec or parse_gate(declared, source=f"the gate in the configuration of {snapshot.run_id}")
    return judge(chosen, gate_record(snapshot))


def gate_text(report: GateReport) -> RenderableType:
    """The verdict, and one line a check."""
    table = plain_table("", "check", "reason")
    for check in report.checks:
        verdict = Text(check.verdict.value, style=_STYLES[check.verdict])
        table.add_row(Text("  ") + verdict, f"{check.metric} {check.expected}", check.reason)
    table.show_header = False
    head = Text.assemble(
        (f"gate {report.gate}  ", "bold"),
        (report.verdict.value, _STYLES[report.verdict]),
        f"  exit code {report.exit_code}",
    )
    return Group(head, table)


def write_report(folder: Path, snapshot: Snapshot, gate: GateReport, page: Path | None = None) -> Path:
    """Write the report on the run in `folder` to `page`, by default beside the run's files. Raises StoreUnavailable."""
    log, page = folder / "events.log", page or folder / "report.html"
    events = read_events(log) if log.exists() else []
    replace(page, render_report(snapshot, events, gate).encode(), durable=False)
    return page
