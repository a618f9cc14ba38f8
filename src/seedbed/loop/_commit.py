"""What a finished run records, and its judgement."""

from collections.abc import Mapping
from typing import Any

from seedbed.contracts import AuditRun, GateReport
from seedbed.gate import declares_gate, judge_run
from seedbed.loop._declared import Declared
from seedbed.loop.provenance import Provenance
from seedbed.loop.settings import LiveObjects
from seedbed.records import UNKNOWN, ActiveRun, Commit, SnapshotDraft

__all__ = ["draft_of", "judged"]

_OBJECTS = "config_objects"  # the fingerprint of objects in the configuration, of which only the class is known


def draft_of(
    record: ActiveRun,
    declared: Declared,
    objects: LiveObjects,
    metrics: Mapping[str, Any],
    audit: AuditRun,
    made_of: Provenance,
) -> SnapshotDraft:
    """The snapshot of a finished run. Measurements that depend on the clock are in `timing` only."""
    return record.draft(
        metrics=metrics,
        fingerprints={**made_of.fingerprints, **({} if declared.is_config_whole else {_OBJECTS: UNKNOWN})},
        fingerprint_sources=made_of.fingerprint_sources,
        config=declared.config,
        volatile_settings=("/gate",),
        factors={**made_of.factors, **_factors(declared.config, objects, audit)},
        inputs=made_of.inputs,
        process=made_of.process,
        blobs={name: record.save_blob(name, data) for name, data in made_of.blobs.items()},
        timing={"wall_seconds": audit.wall_time, "peak_memory_bytes": audit.peak_mem},
        documents={"audit_run": audit.model_dump(mode="json")},
    )


def judged(commit: Commit) -> GateReport | None:
    """The answer of the gate that the run was configured with; None where it was without one."""
    return judge_run(commit.snapshot) if declares_gate(commit.snapshot) else None


def _factors(config: Mapping[str, Any], objects: LiveObjects, audit: AuditRun) -> dict[str, Any]:
    weights = (weight for model in objects.models.values() for weight in model.parameters())
    factors: dict[str, Any] = {"device": audit.device_name, "parameters": sum(weight.numel() for weight in weights)}
    return {**factors, "seed": config["seed"]} if isinstance(config.get("seed"), int) else factors
