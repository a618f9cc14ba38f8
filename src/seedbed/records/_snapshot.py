"""The committed record of one run's stage, and what it says about its predecessor, as messages read from the log."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field, JsonValue

from seedbed.contracts import Message, Stage

__all__ = [
    "DIFF_SCHEMA_VERSION",
    "NOT_ENOUGH_REPLICATES",
    "SNAPSHOT_SCHEMA_VERSION",
    "Commit",
    "Comparison",
    "Diff",
    "ExcludedFactor",
    "LogHead",
    "MetricDelta",
    "Snapshot",
]

SNAPSHOT_SCHEMA_VERSION = 1
DIFF_SCHEMA_VERSION = 1
NOT_ENOUGH_REPLICATES = "not enough replicates"


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
    """Current minus previous; `percent` of the previous magnitude, null where that is zero."""

    previous: float
    current: float
    absolute: float | None
    percent: float | None
    noise: str = NOT_ENOUGH_REPLICATES


class Diff(Message):
    """What differs from the predecessor. `comparable` is null, and all prev fields too, when there is none.

    `changed_keys` are JSON Pointers into {metadata, metrics, config, fingerprints, factors, blobs}; `patch` is the
    RFC 6902 patch that turns the previous such object into the current one.
    """

    schema_version: int = DIFF_SCHEMA_VERSION
    summary: str = "no predecessor: nothing earlier shares its comparison group"
    prev_run_id: str | None = None
    prev_snapshot_seq: int | None = None
    prev_snapshot_path: str | None = None
    prev_digest: str | None = None
    policy: str | None = None
    comparable: bool | None = None
    reasons: tuple[str, ...] = ()
    excluded_factors: tuple[ExcludedFactor, ...] = ()
    changed_keys: tuple[str, ...] = ()
    patch: tuple[dict[str, JsonValue], ...] = ()
    metric_deltas: dict[str, MetricDelta] = Field(default_factory=dict)


class LogHead(Message):
    """The last record of a log at the moment of the commit, which its hash chain proves the whole of."""

    sequence: int
    digest: str


class Snapshot(Message):
    """One finished stage of one run. `snapshot_seq` orders it; `timestamp` (UTC) is for people only.

    `metrics` are deterministic; `timing` (seconds, bytes) never enters a digest of metrics. `digests` are SHA-256
    of canonical JSON: metrics, config, deterministic_config (less volatile settings), artifacts (blobs) and content.
    """

    schema_version: int = SNAPSHOT_SCHEMA_VERSION
    project: str
    run_id: str
    stage: Stage
    attempt: int
    snapshot_seq: int
    timestamp: datetime
    metadata: dict[str, JsonValue]
    metrics: dict[str, JsonValue]
    timing: dict[str, JsonValue]
    config: dict[str, JsonValue]
    volatile_settings: tuple[str, ...]
    fingerprints: dict[str, str]
    factors: dict[str, JsonValue]
    documents: dict[str, JsonValue]
    blobs: dict[str, str]
    logs: dict[str, LogHead]
    digests: dict[str, str]
    comparison_group: dict[str, JsonValue]
    diff_prev: Diff = Diff()

    @property
    def key(self) -> str:
        """What makes a commit idempotent: one execution of one stage."""
        return f"{self.run_id}:{self.stage.value}:{self.attempt}"


@dataclass(frozen=True)
class Commit:
    """A snapshot as the log holds it: `seq` its place, `digest` the SHA-256 that its file carries of itself."""

    seq: int
    digest: str
    snapshot: Snapshot
