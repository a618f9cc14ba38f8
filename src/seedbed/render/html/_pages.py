"""Which fragment shows a value of which type."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord
from seedbed.change._summary import report_of, summary
from seedbed.contracts import ChangeReport, ChangeSummary, GateReport
from seedbed.records import Commit, Diff
from seedbed.render.html._fragments import change_html, changes_html, commit_html, diff_html, verdict_html

__all__ = ["PAGES"]


def _history(history: ChangeHistory) -> str:
    return changes_html(summary(history))


def _record(record: ChangeRecord) -> str:
    return change_html(report_of(record))


PAGES: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        Commit: commit_html,
        Diff: diff_html,
        ChangeSummary: changes_html,
        ChangeReport: change_html,
        ChangeHistory: _history,
        ChangeRecord: _record,
        GateReport: verdict_html,
    }
)
