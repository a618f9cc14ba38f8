"""A gate's report as text."""

from rich.console import RenderableType
from rich.text import Text

from seedbed.cli.console._render import section
from seedbed.contracts import CheckReport, GateReport, Verdict

__all__ = ["gate_text"]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NO_DATA: "yellow",
}


def gate_text(report: GateReport) -> RenderableType:
    """The verdict, and one line for each check."""
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
