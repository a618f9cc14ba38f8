"""The typed messages that all rooms share."""

from seedbed.contracts._audit import AuditRun, FeatureAudit, Setting
from seedbed.contracts._change import ChangeReport, ChangeSummary
from seedbed.contracts._enums import Feature, Outcome, RunStatus, RuntimeMode, Severity, Stage, Verdict
from seedbed.contracts._gate import CheckKind, CheckReport, GateReport, Interval
from seedbed.contracts._message import Message
from seedbed.contracts._setting_view import SettingView
from seedbed.contracts._skip import SkipReason

__all__ = [
    "AuditRun",
    "ChangeReport",
    "ChangeSummary",
    "CheckKind",
    "CheckReport",
    "Feature",
    "FeatureAudit",
    "GateReport",
    "Interval",
    "Message",
    "Outcome",
    "RunStatus",
    "RuntimeMode",
    "Setting",
    "SettingView",
    "Severity",
    "SkipReason",
    "Stage",
    "Verdict",
]
