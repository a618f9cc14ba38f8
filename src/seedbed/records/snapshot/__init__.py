"""The content of a commit: the snapshot, its schemas and digests, and how older versions are read."""

from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._declared_schema import load_schema, parse_schema
from seedbed.records.snapshot._draft import SnapshotDraft
from seedbed.records.snapshot._environment import environment_facts
from seedbed.records.snapshot._policy import EXACT, REPLICATE, Policy, ablation
from seedbed.records.snapshot._schema import (
    EXPERIMENT,
    NOT_APPLICABLE,
    PANEL,
    UNKNOWN,
    FieldKind,
    MetadataField,
    MetadataSchema,
    not_applicable,
    required_fields,
)
from seedbed.records.snapshot._snapshot import Comparison, Diff, ExcludedFactor, MetricDelta, Snapshot

__all__ = [
    "EXACT",
    "EXPERIMENT",
    "NOT_APPLICABLE",
    "PANEL",
    "REPLICATE",
    "UNKNOWN",
    "Commit",
    "Comparison",
    "Diff",
    "ExcludedFactor",
    "FieldKind",
    "MetadataField",
    "MetadataSchema",
    "MetricDelta",
    "Policy",
    "Snapshot",
    "SnapshotDraft",
    "ablation",
    "environment_facts",
    "load_schema",
    "not_applicable",
    "parse_schema",
    "required_fields",
]
