"""Records: one immutable, crash-safe commit for every finished stage, and what it may be compared with."""

from seedbed.records._baseline import Baselines, Promotion, PromotionKind, PromotionRule, best_of_groups
from seedbed.records._blobs import Blobs
from seedbed.records._canonical import Json, canonical_json, digest, digest_bytes
from seedbed.records._catalog import Catalog, Found
from seedbed.records._clock import Clock, SystemClock
from seedbed.records._commit import Commit
from seedbed.records._comparison import compare
from seedbed.records._declaration import load_schema, parse_schema
from seedbed.records._diff import diff
from seedbed.records._draft import SnapshotDraft
from seedbed.records._durable import AppendFile, create, replace
from seedbed.records._environment import environment_facts
from seedbed.records._events import Event, EventsLog
from seedbed.records._facts import Fact, facts
from seedbed.records._files import Files, StoredFile
from seedbed.records._findings import Finding, FindingKind
from seedbed.records._framed import Journal, MemoryJournal, read_journal
from seedbed.records._frames import Entry
from seedbed.records._fsck import fsck
from seedbed.records._gc import GcPlan, GcResult, Letting, Sweepable, Why, gc, plan_gc, sweep
from seedbed.records._index import IndexEntry, export_index, read_index
from seedbed.records._json_file import atomic_write_json, json_with_hash, read_json_with_hash
from seedbed.records._local import LocalFiles
from seedbed.records._log import CommitLog
from seedbed.records._policy import EXACT, REPLICATE, Policy, ablation
from seedbed.records._query import Name, Query, matches, parse_name, parse_query
from seedbed.records._redaction import redact_text
from seedbed.records._releases import Release, Released, Releases
from seedbed.records._repair import repair
from seedbed.records._retention import RetentionPolicy, RetentionRule, load_retention
from seedbed.records._runs import ActiveRun
from seedbed.records._schema import (
    NOT_APPLICABLE,
    PANEL,
    FieldKind,
    MetadataField,
    MetadataSchema,
    not_applicable,
    required_fields,
)
from seedbed.records._snapshot import Comparison, Diff, ExcludedFactor, MetricDelta, Snapshot
from seedbed.records._stats import LargeBlob, ProjectRoom, Room, StoreStats, stats
from seedbed.records._steps import follow_events, read_events, run_events, standing_events
from seedbed.records._store import RunView, Store
from seedbed.records._trend import Slope, Trend, TrendPoint, trend
from seedbed.records._verify import DigestCheck, verify
from seedbed.records._why import Cause, Explanation, why

__all__ = [
    "EXACT",
    "NOT_APPLICABLE",
    "PANEL",
    "REPLICATE",
    "ActiveRun",
    "AppendFile",
    "Baselines",
    "Blobs",
    "Catalog",
    "Cause",
    "Clock",
    "Commit",
    "CommitLog",
    "Comparison",
    "Diff",
    "DigestCheck",
    "Entry",
    "Event",
    "EventsLog",
    "ExcludedFactor",
    "Explanation",
    "Fact",
    "FieldKind",
    "Files",
    "Finding",
    "FindingKind",
    "Found",
    "GcPlan",
    "GcResult",
    "IndexEntry",
    "Journal",
    "Json",
    "LargeBlob",
    "Letting",
    "LocalFiles",
    "MemoryJournal",
    "MetadataField",
    "MetadataSchema",
    "MetricDelta",
    "Name",
    "Policy",
    "ProjectRoom",
    "Promotion",
    "PromotionKind",
    "PromotionRule",
    "Query",
    "Release",
    "Released",
    "Releases",
    "RetentionPolicy",
    "RetentionRule",
    "Room",
    "RunView",
    "Slope",
    "Snapshot",
    "SnapshotDraft",
    "Store",
    "StoreStats",
    "StoredFile",
    "Sweepable",
    "SystemClock",
    "Trend",
    "TrendPoint",
    "Why",
    "ablation",
    "atomic_write_json",
    "best_of_groups",
    "canonical_json",
    "compare",
    "create",
    "diff",
    "digest",
    "digest_bytes",
    "environment_facts",
    "export_index",
    "facts",
    "follow_events",
    "fsck",
    "gc",
    "json_with_hash",
    "load_retention",
    "load_schema",
    "matches",
    "not_applicable",
    "parse_name",
    "parse_query",
    "parse_schema",
    "plan_gc",
    "read_events",
    "read_index",
    "read_journal",
    "read_json_with_hash",
    "redact_text",
    "repair",
    "replace",
    "required_fields",
    "run_events",
    "standing_events",
    "stats",
    "sweep",
    "trend",
    "verify",
    "why",
]
