"""What a finished run records, and its judgement."""

from collections.abc import Mapping
from typing import Any

from seedbed.contracts import AuditRun, GateReport
from seedbed.gate import judge_run
from seedbed.loop._declared import Declared
from seedbed.loop._objects import Objects
from seedbed.records import NOT_APPLICABLE, ActiveRun, Commit, SnapshotDraft, environment_facts

__all__ = ["draft_of", "judged"]

_FINGERPRINTS = ("data", "split", "target", "feature")


def draft_of(
    record: ActiveRun, declared: Declared, objects: Objects, metrics: Mapping[str, Any], audit: AuditRun
) -> SnapshotDraft:
    """The snapshot of a finished run. Measurements that depend on the clock are in `timing` only."""
    return record.draft(
        metrics=metrics,
        fingerprints=dict.fromkeys(_FINGERPRINTS, NOT_APPLICABLE),
        config=declared.config,
        volatile_settings=("/gate",),
        factors=_factors(declared.config, objects, audit),
        process={"environment": environment_facts()},
        timing={"wall_seconds": audit.wall_time, "peak_memory_bytes": audit.peak_mem},
        documents={"audit_run": audit.model_dump(mode="json")},
    )


def judged(commit: Commit) -> GateReport:
    """The answer of the gate that the run was configured with."""
    return judge_run(commit.snapshot)


def _factors(config: Mapping[str, Any], objects: Objects, audit: AuditRun) -> dict[str, Any]:
    weights = (weight for model in objects.models.values() for weight in model.parameters())
    factors: dict[str, Any] = {"device": audit.device_name, "parameters": sum(weight.numel() for weight in weights)}
    return {**factors, "seed": config["seed"]} if isinstance(config.get("seed"), int) else factors
