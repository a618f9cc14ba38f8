"""The record of a committed run that a gate judges."""

from typing import Any

from seedbed.contracts import AuditRun, RuntimeMode
from seedbed.records import Snapshot

__all__ = ["gate_record"]


def gate_record(snapshot: Snapshot) -> dict[str, Any]:
    """The record that a gate judges, as JSON: `metrics`, `timing`, `audit`, `changes` and `contract`.

    `contract.kept` says whether the run kept its own contract: STRICT promises that every requested feature was used,
    COMPAT only to report those that were not. `audit.degraded` is true in both modes when one was not used.
    """
    audit = snapshot.documents.get("audit_run")
    return {
        "metrics": snapshot.metrics,
        "timing": snapshot.timing,
        "audit": audit or {},
        "changes": snapshot.documents.get("changes") or {},
        "contract": {"kept": None if audit is None else _kept(AuditRun.model_validate(audit))},
    }


def _kept(audit: AuditRun) -> bool:
    return audit.mode is RuntimeMode.COMPAT or not audit.degraded
