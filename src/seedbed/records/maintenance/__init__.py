"""Maintenance of a store: check, repair, verify, garbage collection, retention, disk usage, the index."""

from seedbed.records.maintenance._expiries import Expired, Expiries, Expiry
from seedbed.records.maintenance._findings import Finding, FindingKind
from seedbed.records.maintenance._fsck import fsck
from seedbed.records.maintenance._gc import GcPlan, GcReason, GcResult, PlannedExpiry, Sweepable, gc, plan_gc, sweep
from seedbed.records.maintenance._index import IndexEntry, export_index, read_index
from seedbed.records.maintenance._losses import quarantine
from seedbed.records.maintenance._merge import Merged, merge
from seedbed.records.maintenance._recovery import Recovered, recover
from seedbed.records.maintenance._repair import repair
from seedbed.records.maintenance._retention import RetentionPolicy, RetentionRule, load_retention
from seedbed.records.maintenance._stats import KindUsage, LargeBlob, ProjectUsage, StoreStats, stats
from seedbed.records.maintenance._verify import DigestCheck, verify
from seedbed.records.maintenance._write_views import write_views

__all__ = [
    "DigestCheck",
    "Expired",
    "Expiries",
    "Expiry",
    "Finding",
    "FindingKind",
    "GcPlan",
    "GcReason",
    "GcResult",
    "IndexEntry",
    "KindUsage",
    "LargeBlob",
    "Merged",
    "PlannedExpiry",
    "ProjectUsage",
    "Recovered",
    "RetentionPolicy",
    "RetentionRule",
    "StoreStats",
    "Sweepable",
    "export_index",
    "fsck",
    "gc",
    "load_retention",
    "merge",
    "plan_gc",
    "quarantine",
    "read_index",
    "recover",
    "repair",
    "stats",
    "sweep",
    "verify",
    "write_views",
]
