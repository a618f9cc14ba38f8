"""Judges a run from its record alone, by its configured gate or by another one."""

from seedbed.contracts import GateReport
from seedbed.errors import InvalidInput
from seedbed.gate._calibrate import calibrated
from seedbed.gate._judge import judge
from seedbed.gate._record import gate_record
from seedbed.gate._spec import GateSpec, declared_gate
from seedbed.records import Snapshot

__all__ = ["declares_gate", "judge_run"]


def judge_run(snapshot: Snapshot, spec: GateSpec | None = None, *, calibrate: bool = False) -> GateReport:
    """Judge the run's record by `spec`, or by the gate that the run was configured with.

    `calibrate` adds the false-pass rate of each check on a series, which takes up to a second for each. Raises
    InvalidInput when there is neither a spec nor a configured gate, and as `judge` does.
    """
    if spec is None and not declares_gate(snapshot):
        raise InvalidInput(f"run {snapshot.run_id} was configured without a gate; give one by --spec FILE")
    declared = {"gate": snapshot.project, "checks": snapshot.config.get("gate")}
    chosen = spec or declared_gate(declared, source=f"the gate in the configuration of {snapshot.run_id}")
    record = gate_record(snapshot)
    report = judge(chosen, record)
    return calibrated(report, chosen, record) if calibrate else report


def declares_gate(snapshot: Snapshot) -> bool:
    """Whether the run was configured with a gate."""
    return bool(snapshot.config.get("gate"))
