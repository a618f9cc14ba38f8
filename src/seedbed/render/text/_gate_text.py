"""A gate's report as text."""

from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.contracts import CheckReport, GateReport, Verdict
from seedbed.records import Snapshot
from seedbed.render.facts._results import results_of
from seedbed.render.text._layout import section

__all__ = ["gate_text"]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NO_DATA: "yellow",
}


def gate_text(report: GateReport, snapshot: Snapshot | None = None) -> RenderableType:
    """The verdict, and one line for each check; and a warning if it passes a model of `snapshot` below a baseline."""
    rows = [
        (Text(check.verdict.value, style=_STYLES[check.verdict]), f"{check.metric} {check.expected}", _reason(check))
        for check in report.checks
    ]
    verdict = (report.verdict.value, _STYLES[report.verdict])
    said = section(Text.assemble("gate: ", verdict, f", exit code {report.exit_code}", style="bold"), rows)
    warning = "" if snapshot is None or report.verdict is not Verdict.PASS else _passed_below(snapshot)
    return Group(said, Text(warning, style="yellow")) if warning else said


def _passed_below(snapshot: Snapshot) -> str:
    """Where the model is below the strongest baseline, which no check that passed asked about; empty if nowhere."""
    lost = [f"{each.metric}, {table.title}" for table in results_of(snapshot) for each in table.standings if each.lost]
    return f"the gate passes, but the model is below the strongest baseline: {'; '.join(lost)}" if lost else ""


def _reason(check: CheckReport) -> str:
    if check.false_pass_rate is None:
        return check.reason
    return f"{check.reason}; wrongly passes {100 * check.false_pass_rate:.1f} % of such series, by simulation"
