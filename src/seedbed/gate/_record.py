"""What a gate may ask about a committed run."""

from typing import Any

from seedbed.contracts import AuditRun, RuntimeMode
from seedbed.records import Snapshot

__all__ = ["gate_record"]


def gate_record(snapshot: Snapshot) -> dict[str, Any]:
    """What a gate may ask about a snapshot, as JSON: `metrics`, `timing`, `audit`, `changes` and `contract`.

    `contract.kept` is whether the run's own contract held: STRICT promised that nothing requested was lost, COMPAT to
    go on and say what was. `audit.degraded` asks the same of both.
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
