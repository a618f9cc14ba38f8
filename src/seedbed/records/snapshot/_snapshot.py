"""The committed record of one run's stage, and what it says about its predecessor, as messages read from the log."""

from datetime import datetime

from pydantic import Field, JsonValue

from seedbed.contracts import Message, Severity, Stage

__all__ = [
    "COMPUTED_FINGERPRINTS",
    "DIFF_SCHEMA_VERSION",
    "NOT_ENOUGH_REPLICATES",
    "NO_BASELINE",
    "NO_PREDECESSOR",
    "SNAPSHOT_SCHEMA_VERSION",
    "TOP_CHANGES",
    "Comparison",
    "Diff",
    "ExcludedFactor",
    "LogHead",
    "MetricDelta",
    "Snapshot",
]

SNAPSHOT_SCHEMA_VERSION = 2
DIFF_SCHEMA_VERSION = 2
NOT_ENOUGH_REPLICATES = "not enough replicates"
TOP_CHANGES = 50
COMPUTED_FINGERPRINTS = ("config", "deterministic_config")


class ExcludedFactor(Message):
    """A factor that differs and that the policy allows to differ; null where one side lacks it."""

    name: str
    previous: JsonValue = None
    current: JsonValue = None


class Comparison(Message):
    """Whether two snapshots may be compared under a policy, why not, and what was allowed to differ."""

    policy: str
    comparable: bool
    reasons: tuple[str, ...] = ()
    excluded_factors: tuple[ExcludedFactor, ...] = ()


class MetricDelta(Message):
    """Current minus previous; `percent` of the previous magnitude, null where that is zero.

    `z` is the change in standard deviations of what chance alone does between replicates, null while too few are known;
    `noise` says in words what that means.
    """

    previous: float
    current: float
    absolute: float | None
    percent: float | None
    z: float | None = None
    noise: str = NOT_ENOUGH_REPLICATES


class Diff(Message):
    """What differs from an earlier snapshot. `comparable` is null, and all prev fields too, when there is none.

    `severity` is null in records of a version that did not assess it.

    `changed_keys` are JSON Pointers into {metadata, metrics, config, fingerprints, factors, blobs}; `patch` is the
    RFC 6902 patch that turns the previous such object into the current one. Of more than TOP_CHANGES changes the first
    stand here, `num_changes` counts them all, and `details` is the digest of the blob that lists them.
    """

    schema_version: int = DIFF_SCHEMA_VERSION
    summary: str
    severity: Severity | None = None
    severity_reason: str = "not assessed"
    prev_run_id: str | None = None
    prev_snapshot_seq: int | None = None
    prev_snapshot_path: str | None = None
    prev_digest: str | None = None
    policy: str | None = None
    comparable: bool | None = None
    reasons: tuple[str, ...] = ()
    excluded_factors: tuple[ExcludedFactor, ...] = ()
    num_changes: int = 0
    changed_keys: tuple[str, ...] = ()
    patch: tuple[dict[str, JsonValue], ...] = ()
    details: str | None = None
    metric_deltas: dict[str, MetricDelta] = Field(default_factory=dict)


NO_PREDECESSOR = Diff(
    summary="no predecessor: nothing earlier shares its comparison group",
    severity=Severity.NONE,
    severity_reason="there is nothing to differ from",
)
NO_BASELINE = Diff(
    summary="no baseline: none is promoted for its comparison group",
    severity=Severity.NONE,
    severity_reason="there is nothing to differ from",
)


class LogHead(Message):
    """The last record of a log at the moment of the commit, which its hash chain proves the whole of."""

    sequence: int
    digest: str


class Snapshot(Message):
    """One finished stage of one run. `snapshot_seq` orders it; `timestamp` (UTC) is for people only.

    `metrics` are deterministic; `timing` (seconds, bytes) never enters a digest of metrics. `fingerprints` are SHA-256
    of what went in, `fingerprint_sources` say of what exactly; `digests` are SHA-256 of what came out: metrics,
    artifacts (the manifest of blobs), predictions, and content (all that was handed in but `timing`). `schema_version`
    is the one that the record was written with; an earlier one is read through `upgraded`.
    """

    schema_version: int = SNAPSHOT_SCHEMA_VERSION
    schema_versions: dict[str, str]
    project: str
    run_id: str
    stage: Stage
    attempt_id: int
    snapshot_seq: int
    timestamp: datetime
    experiment_id: str
    target: str
    view: str
    symbol: str
    metadata: dict[str, JsonValue]
    metrics: dict[str, JsonValue]
    timing: dict[str, JsonValue]
    config: dict[str, JsonValue]
    volatile_settings: tuple[str, ...]
    factors: dict[str, JsonValue]
    inputs: dict[str, JsonValue]
    process: dict[str, JsonValue]
    outputs: dict[str, JsonValue]
    documents: dict[str, JsonValue]
    blobs: dict[str, str]
    logs: dict[str, LogHead]
    fingerprints: dict[str, str]
    fingerprint_sources: dict[str, str]
    digests: dict[str, str]
    comparison_group: dict[str, JsonValue]
    diff_prev: Diff
    diff_baseline: Diff
