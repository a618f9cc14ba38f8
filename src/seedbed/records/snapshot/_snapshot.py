"""The snapshot: the committed record of one stage of a run, with its diffs, as typed messages."""

from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, Field, JsonValue

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
    "Origin",
    "RecordBefore",
    "Snapshot",
]

SNAPSHOT_SCHEMA_VERSION = 4
DIFF_SCHEMA_VERSION = 2
NOT_ENOUGH_REPLICATES = "not enough replicates"
TOP_CHANGES = 50
COMPUTED_FINGERPRINTS = ("config", "deterministic_config")

# What names a file of the store is one: a commit that says otherwise is damaged, and ends no command.
_Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_LogName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class ExcludedFactor(Message):
    """A difference that the policy allows; a value is null when that side lacks it."""

    name: str
    previous: JsonValue = None
    current: JsonValue = None


class Comparison(Message):
    """Whether two snapshots may be compared under a policy; if not, why; and which allowed factors differ."""

    policy: str
    comparable: bool
    reasons: tuple[str, ...] = ()
    excluded_factors: tuple[ExcludedFactor, ...] = ()


class MetricDelta(Message):
    """The change of one metric: current minus previous; `percent` is null when the previous value is zero.

    `z` is the distance from the replicates in standard deviations of prediction, null when there are too few of them;
    `noise` says in words whether that is more than chance.
    """

    previous: float
    current: float
    absolute: float | None
    percent: float | None
    z: float | None = None
    noise: str = NOT_ENOUGH_REPLICATES


class Diff(Message):
    """The differences from an earlier snapshot. When there is none, `comparable` and all prev fields are null.

    `severity` is null in records of a version that did not assess it.

    `changed_keys` are JSON Pointers into {metadata, metrics, config, fingerprints, factors, course, blobs}; `patch` is
    the RFC 6902 patch that turns the previous such object into the current one. Only the first TOP_CHANGES changes are
    listed; `num_changes` counts all of them, and `details` is the digest of the blob with the full lists.
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
    details: _Digest | None = None
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
    """The last record of a log at the time of the commit; by its hash chain it proves the whole log."""

    sequence: int
    digest: _Digest


class RecordBefore(Message):
    """The record before a commit in its log, as the writer of the commit found it: so every log is a chain.

    `digest` is that which the record carries of itself. Where the record `is_lost`, it is the digest of the bytes that
    stood there, or "" where nothing did.
    """

    digest: str
    is_lost: bool = False


class Origin(Message):
    """The commit, number `seq` with that `digest`, of which another one is a copy: of a log that was merged into this.

    `store` names the store of that log; "" is this one, whose log once held the commit under that number.
    """

    store: str
    seq: int
    digest: str


class Snapshot(Message):
    """The record of one finished stage of one run. `snapshot_seq` orders it; `timestamp` (UTC) is for people only.

    `course` is what happened in the run, computed from its documents: an input of its result, as `config` is one.
    `metrics` are deterministic; `timing` (seconds, bytes) never enters a digest of metrics. `fingerprints` are SHA-256
    digests of the inputs, `fingerprint_sources` say what each was computed from. `digests` are SHA-256 digests of the
    results: metrics, artifacts (the manifest of blobs), predictions, and content (everything but `timing`).
    `schema_version` is the version that the record was written with; an earlier one is read through `upgraded`.
    `previous` is the record before it in the log: null for the first, and in versions before 4. `origin` is null unless
    the commit is the copy of another one.
    """

    schema_version: int = SNAPSHOT_SCHEMA_VERSION
    schema_versions: dict[str, str]
    project: str
    run_id: str
    stage: Stage
    attempt_id: int
    snapshot_seq: int
    timestamp: AwareDatetime
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
    course: dict[str, JsonValue]
    blobs: dict[str, str]
    logs: dict[_LogName, LogHead]
    fingerprints: dict[str, str]
    fingerprint_sources: dict[str, str]
    digests: dict[str, str]
    comparison_group: dict[str, JsonValue]
    diff_prev: Diff
    diff_baseline: Diff
    previous: RecordBefore | None
    origin: Origin | None = None
