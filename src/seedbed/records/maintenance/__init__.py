"""Looking after a store: check, repair, verify, garbage collection, retention, disk usage, the index."""

from seedbed.records.maintenance._findings import Finding, FindingKind
from seedbed.records.maintenance._fsck import fsck
from seedbed.records.maintenance._gc import GcPlan, GcResult, Letting, Sweepable, Why, gc, plan_gc, sweep
from seedbed.records.maintenance._index import IndexEntry, export_index, read_index
from seedbed.records.maintenance._released import Release, Released, Releases
from seedbed.records.maintenance._repair import repair
from seedbed.records.maintenance._retention import RetentionPolicy, RetentionRule, load_retention
from seedbed.records.maintenance._stats import LargeBlob, ProjectRoom, Room, StoreStats, stats
from seedbed.records.maintenance._verify import DigestCheck, verify

__all__ = [
    "DigestCheck",
    "Finding",
    "FindingKind",
    "GcPlan",
    "GcResult",
    "IndexEntry",
    "LargeBlob",
    "Letting",
    "ProjectRoom",
    "Release",
    "Released",
    "Releases",
    "RetentionPolicy",
    "RetentionRule",
    "Room",
    "StoreStats",
    "Sweepable",
    "Why",
    "export_index",
    "fsck",
    "gc",
    "load_retention",
    "plan_gc",
    "read_index",
    "repair",
    "stats",
    "sweep",
    "verify",
]
