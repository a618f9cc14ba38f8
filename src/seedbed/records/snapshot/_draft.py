"""The draft of a snapshot, which a run passes to be committed: checked, redacted, copied and frozen."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from unicodedata import normalize

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import Json, encode, frozen, plain
from seedbed.records.canonical._json_pointer import is_under, without
from seedbed.records.canonical._names import DOCUMENT_RULE, NAME_RULE, is_document_name, is_name
from seedbed.records.canonical._numbers import with_plain_numbers
from seedbed.records.canonical._redaction import Identity, doubtful, redact_text, redacted_object, redacted_pointer
from seedbed.records.canonical._secrets import SECRET
from seedbed.records.snapshot._course import change_summaries, course_of, with_packages
from seedbed.records.snapshot._digests import content_digests, own_digests
from seedbed.records.snapshot._schema import (
    NOT_APPLICABLE,
    UNKNOWN,
    MetadataSchema,
    completed,
    default_schema,
    metadata_problems,
)
from seedbed.records.snapshot._snapshot import (
    COMPUTED_FINGERPRINTS,
    DIFF_SCHEMA_VERSION,
    SNAPSHOT_SCHEMA_VERSION,
    LogHead,
)

__all__ = ["BuiltBody", "SnapshotDraft", "build_body"]

_MEASURED = ("metrics", "timing")
_NAMES = ("run_id", "cohort_id")
_OF_CHANGES = "changes"
_GROUPED_FINGERPRINTS = ("data", "split", "target")
_REQUIRED_FINGERPRINTS = (*_GROUPED_FINGERPRINTS, "feature")
_COMPUTED_SOURCES = {
    "config": "canonical JSON of config",
    "deterministic_config": "canonical JSON of config without its volatile settings",
}
_SCHEMA_VERSIONS = {
    "snapshot": str(SNAPSHOT_SCHEMA_VERSION),
    "diff": str(DIFF_SCHEMA_VERSION),
    "metrics": "1",
    "events": "1",
    "changes": "1",
}
_GROUPED_METADATA = ("target", "view", "model_family")
_MOST_TOLD = 5
_logger = logging.getLogger("seedbed.records")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGESTS = ("blobs", "fingerprints")
_OBJECTS = (
    *("metadata", "metrics", "timing", "config", "factors", "inputs", "process", "outputs"),
    *("documents", "blobs", "fingerprints", "fingerprint_sources"),
)


@dataclass(frozen=True, kw_only=True)
class SnapshotDraft:
    """The record of a finished stage, before it has a number in the log. Every mapping is JSON.

    `metrics` hold deterministic values only, `timing` the others (seconds, bytes): numbers of any kind, of numpy and
    torch too. `volatile_settings` are JSON Pointers to settings in `config` that cannot change a result.
    `fingerprints` are digests of the inputs: `data`,
    `split`, `target` and `feature` at least, or NOT_APPLICABLE, or UNKNOWN for an input of which nobody told the
    digest; `fingerprint_sources` say what each was computed from, or why it is unknown.
    `factors` are conditions that a policy may allow to differ (seed, device, threads). `inputs`, `process` and
    `outputs` describe what was read, done and produced, if no other field does. `blobs` are digests of stored payloads
    by name, `predictions` is one digest. `schema` defines the metadata; without one it is EXPERIMENT, which asks for
    nothing and fills in what is left out, or PANEL if the metadata names a field that only PANEL has.
    Raises InvalidInput that lists every wrong field at once.
    """

    project: str
    run_id: str
    stage: Stage
    attempt: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    fingerprint_sources: Mapping[str, str] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    volatile_settings: tuple[str, ...] = ()
    factors: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    process: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)
    predictions: str = NOT_APPLICABLE
    symbol: str = NOT_APPLICABLE
    experiment_id: str = NOT_APPLICABLE
    schema: MetadataSchema | None = None
    # JSON Pointers to the inputs that were replaced as secrets and may be none. What was replaced is gone, so a copy of
    # the draft takes them over.
    _hidden: tuple[str, ...] = field(default=(), repr=False)
    # The same objects in plain JSON types: the public fields are frozen copies, these are written to the log.
    _plain: dict[str, dict[str, Json]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        identity = Identity.of_process()
        composed = {name: _composed(value) for name, value in self.metadata.items()}
        metadata = completed(self.stage, self.run_id, composed, self.metadata_schema)
        object.__setattr__(self, "schema", self.metadata_schema)
        object.__setattr__(self, "metadata", metadata)
        compared = self._compared()
        for name in _OBJECTS:
            given = getattr(self, name)
            clean = _clean(name, with_plain_numbers(given) if name in _MEASURED else given, identity)
            self._plain[name] = clean
            object.__setattr__(self, name, frozen(clean))
        for name in ("symbol", "experiment_id"):
            object.__setattr__(self, name, redact_text(_composed(getattr(self, name)), identity))
        volatile = tuple(redacted_pointer(pointer, identity) for pointer in self.volatile_settings)
        object.__setattr__(self, "volatile_settings", volatile)
        self._tell_hidden(compared, identity)
        problems = _problems(self)
        if problems:
            listed = "\n  - ".join(problems)
            raise InvalidInput(
                f"the snapshot of {self.run_id}:{self.stage} is refused, nothing was written:\n  - {listed}"
            )

    def _compared(self) -> dict[str, Any]:
        """What is compared and may hold any text: in a comparison group, or as an input."""
        grouped = {name: self.metadata[name] for name in _GROUPED_METADATA if name in self.metadata}
        return {"config": self.config, "factors": self.factors, "metadata": grouped, "symbol": self.symbol}

    def _tell_hidden(self, given: Mapping[str, Any], identity: Identity) -> None:
        """Note and warn of what of `given` was replaced although it may be no secret, but for volatile settings."""
        if SECRET not in str(self._compared()):
            return  # nearly always, and it spares a walk through all settings
        volatile = [f"/config{pointer}" for pointer in self.volatile_settings]
        kept = [place for place in doubtful(plain(given), identity) if not is_under(place, volatile)]
        object.__setattr__(self, "_hidden", (*self._hidden, *kept))
        if kept:
            more = f" and {len(kept) - _MOST_TOLD} more" if len(kept) > _MOST_TOLD else ""
            _logger.warning(
                "the record of %s:%s holds %s as <secret>, since the name or the look of what stood there is that of a "
                "secret; nobody can tell later whether it differs from that of another run, so this run is comparable "
                "only as an ablation of it. If it cannot change a result, list it in volatile_settings; if it is no "
                "secret, give it another name",
                self.run_id,
                self.stage.value,
                ", ".join(kept[:_MOST_TOLD]) + more,
            )

    @property
    def metadata_schema(self) -> MetadataSchema:
        """The schema that is given, or else the one that the metadata is of."""
        return self.schema or default_schema(self.metadata)

    @property
    def key(self) -> str:
        """The key of the commit: a second commit with the same key and content is a no-op."""
        return f"{self.run_id}:{self.stage.value}:{self.attempt}"

    @property
    def comparison_group(self) -> dict[str, Json]:
        """The fields that must agree before two snapshots may be compared."""
        return {
            "project": self.project,
            "stage": self.stage.value,
            "target": self.metadata["target"],
            "view": self.metadata["view"],
            "symbol": self.symbol,
            "model_family": self.metadata.get("model_family", NOT_APPLICABLE),
            **{f"{name}_fingerprint": self.fingerprints[name] for name in _GROUPED_FINGERPRINTS},
        }


class BuiltBody(NamedTuple):
    """The JSON of a snapshot without its place in a log, and the canonical JSON of each of its members."""

    content: dict[str, Any]
    encoded: dict[str, bytes]


def build_body(
    draft: SnapshotDraft,
    logs: Mapping[str, LogHead],
    timestamp: datetime,
    resumes: int | None = None,
    untold: Mapping[str, str] = MappingProxyType({}),
) -> BuiltBody:
    """The JSON of the snapshot of `draft`, without its number in the log and its diffs.

    `resumes` is how often the run was resumed, if that is known better than by the number of its attempt; `untold` are
    its journals of changes that no document tells of, as `course_of` takes them.
    """
    given: dict[str, Any] = draft._plain
    resumes = draft.attempt - 1 if resumes is None else resumes
    encoded = {name: encode(value) for name, value in given.items()}
    computed = own_digests(given["config"], draft.volatile_settings, encoded["config"])
    settings = without(given["config"], draft.volatile_settings)
    hidden = dict.fromkeys(draft._hidden, draft.key)
    course = course_of(given["documents"], settings, resumes, untold, hidden)
    made = {
        "schema_version": SNAPSHOT_SCHEMA_VERSION,
        "schema_versions": {**_SCHEMA_VERSIONS, "metadata": draft.metadata_schema.label},
        "project": draft.project,
        "run_id": draft.run_id,
        "stage": draft.stage.value,
        "attempt_id": draft.attempt,
        "timestamp": plain(timestamp),
        "experiment_id": draft.experiment_id,
        "target": draft.metadata["target"],
        "view": draft.metadata["view"],
        "symbol": draft.symbol,
        "volatile_settings": list(draft.volatile_settings),
        "logs": {name: head.model_dump() for name, head in logs.items()},
        "course": with_packages(course, given["process"], given["documents"]),
        "comparison_group": draft.comparison_group,
        "fingerprints": {**given["fingerprints"], **computed},
        "fingerprint_sources": {**given["fingerprint_sources"], **_COMPUTED_SOURCES},
        "digests": {"predictions": draft.predictions},
    }
    made["digests"] |= content_digests({**given, **made}, encoded)
    encoded |= {name: encode(value) for name, value in made.items()}
    return BuiltBody({**given, **made}, encoded)


def _composed(value: Any) -> Any:
    """A text in Unicode's composed form: in another one, the same letters would make another comparison group."""
    return normalize("NFC", value) if isinstance(value, str) else value


def _clean(what: str, value: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    clean = redacted_object(value, identity)
    if what in _DIGESTS:
        # A digest tells nothing, whatever its name is.
        named = {redact_text(name, identity): item for name, item in value.items() if _is_digest(item)}
        return {**clean, **named}
    # These names are used in the store's paths, so they are not redacted in the metadata either.
    kept = {name: value[name] for name in _NAMES if is_name(value.get(name))} if what == "metadata" else {}
    return {**clean, **kept}


def _problems(draft: SnapshotDraft) -> list[str]:
    problems = [
        f"{what} is {value!r}, expected {NAME_RULE}"
        for what, value in (("project", draft.project), ("run_id", draft.run_id))
        if not is_name(value)
    ]
    if draft.attempt < 1:
        problems.append(f"attempt is {draft.attempt}, expected at least 1")
    problems += metadata_problems(draft.stage, draft.run_id, draft.metadata, draft.metadata_schema)
    problems += [
        f"fingerprints.{name} is missing, expected a digest of the {name}, {NOT_APPLICABLE} or {UNKNOWN}"
        for name in _REQUIRED_FINGERPRINTS
        if name not in draft.fingerprints
    ]
    problems += _digest_problems("fingerprints", draft.fingerprints, (NOT_APPLICABLE, UNKNOWN))
    problems += _digest_problems("blobs", draft.blobs, ())
    problems += _digest_problems("digests", {"predictions": draft.predictions}, (NOT_APPLICABLE,))
    problems += [
        f"fingerprints.{name} is computed from config; leave it out"
        for name in COMPUTED_FINGERPRINTS
        if name in draft.fingerprints
    ]
    problems += [
        f"fingerprint_sources.{name} belongs to no given fingerprint; expected one of {sorted(draft.fingerprints)}"
        for name in draft.fingerprint_sources
        if name not in draft.fingerprints
    ]
    problems += [
        f"documents.{name} cannot be a file in the run's folder, expected {DOCUMENT_RULE}"
        for name in draft.documents
        if not is_document_name(name)
    ]
    told = change_summaries(draft._plain["documents"])
    problems += [
        f"documents.{name} is no summary of changes; give what seedbed.change.summary makes, or name it otherwise"
        for name in draft.documents
        if name.startswith(_OF_CHANGES) and name not in told
    ]
    return problems


def _digest_problems(what: str, values: Mapping[str, str], also: tuple[str, ...]) -> list[str]:
    expected = " or ".join(("64 hexadecimal digits", *also))
    return [
        f"{what}.{name} is {value!r}, expected {expected}"
        for name, value in values.items()
        if value not in also and not _is_digest(value)
    ]


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
