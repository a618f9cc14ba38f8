"""What a run hands in to be committed: checked, redacted, deep-copied and frozen at the door."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput
from seedbed.records._canonical import Json, digest, frozen, plain
from seedbed.records._names import DOCUMENT_RULE, NAME_RULE, is_document_name, is_name
from seedbed.records._pointer import without
from seedbed.records._redaction import Identity, redacted_object
from seedbed.records._schema import NOT_APPLICABLE, metadata_offences
from seedbed.records._snapshot import LogHead, Snapshot

__all__ = ["SnapshotDraft", "build_snapshot", "content_digests"]

_NAMES = ("run_id", "cohort_id")
_REQUIRED_FINGERPRINTS = ("data", "split")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OBJECTS = ("metadata", "metrics", "timing", "config", "fingerprints", "factors", "documents", "blobs")


@dataclass(frozen=True, kw_only=True)
class SnapshotDraft:
    """A finished stage, before it has a place in the log. Every mapping is JSON.

    `metrics` hold deterministic values only, `timing` the rest (seconds, bytes). `volatile_settings` are JSON
    Pointers into `config` to what cannot alter a result. `fingerprints` name digests, `data` and `split` at least, or
    NOT_APPLICABLE. `factors` are what a policy may let differ (seed, device, threads). `blobs` name stored digests.
    Raises InvalidInput that lists every offending field at once.
    """

    project: str
    run_id: str
    stage: Stage
    attempt: int
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    timing: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    volatile_settings: tuple[str, ...] = ()
    factors: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        identity = Identity.of_process()
        for name in _OBJECTS:
            object.__setattr__(self, name, frozen(_clean(name, getattr(self, name), identity)))
        offences = _offences(self)
        if offences:
            listed = "\n  - ".join(offences)
            raise InvalidInput(
                f"the snapshot of {self.run_id}:{self.stage} is refused, nothing was written:\n  - {listed}"
            )

    @property
    def key(self) -> str:
        """What makes a commit idempotent: one execution of one stage."""
        return f"{self.run_id}:{self.stage.value}:{self.attempt}"

    @property
    def comparison_group(self) -> dict[str, Json]:
        """The fields that must agree before two snapshots may be compared."""
        return {
            "project": self.project,
            "stage": self.stage.value,
            "target": self.metadata["target"],
            "view": self.metadata["view"],
            "model_family": self.metadata.get("model_family", NOT_APPLICABLE),
            **{f"{name}_fingerprint": self.fingerprints[name] for name in _REQUIRED_FINGERPRINTS},
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digests of `content_digests`."""
        return content_digests(self)


def content_digests(source: SnapshotDraft | Snapshot) -> dict[str, str]:
    """SHA-256 of metrics, config, deterministic config, artifacts, and content (all handed in but `timing`)."""
    content = {item.name: getattr(source, item.name) for item in fields(SnapshotDraft) if item.name != "timing"}
    return {
        "metrics": digest(source.metrics),
        "config": digest(source.config),
        "deterministic_config": digest(without(plain(source.config), source.volatile_settings)),
        "artifacts": digest(source.blobs),
        "content": digest(content),
    }


def build_snapshot(draft: SnapshotDraft, logs: Mapping[str, LogHead], seq: int, timestamp: datetime) -> Snapshot:
    """The snapshot of `draft` at place `seq`, before it is set against a predecessor."""
    values = {item.name: getattr(draft, item.name) for item in fields(draft)}
    return Snapshot(
        **cast("dict[str, Any]", plain({**values, "stage": draft.stage.value})),
        snapshot_seq=seq,
        timestamp=timestamp,
        logs=dict(logs),
        digests=draft.digests,
        comparison_group=draft.comparison_group,
    )


def _clean(what: str, value: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    clean = redacted_object(value, identity)
    # Names that stand in the store's own paths were chosen for it, and must stay what they are in the metadata too.
    kept = {name: value[name] for name in _NAMES if is_name(value.get(name))} if what == "metadata" else {}
    return {**clean, **kept}


def _offences(draft: SnapshotDraft) -> list[str]:
    offences = [
        f"{what} is {value!r}, expected {NAME_RULE}"
        for what, value in (("project", draft.project), ("run_id", draft.run_id))
        if not is_name(value)
    ]
    if draft.attempt < 1:
        offences.append(f"attempt is {draft.attempt}, expected at least 1")
    offences += metadata_offences(draft.stage, draft.run_id, draft.metadata)
    offences += [
        f"fingerprints.{name} is missing, expected a digest of the {name}, or {NOT_APPLICABLE}"
        for name in _REQUIRED_FINGERPRINTS
        if name not in draft.fingerprints
    ]
    offences += _digest_offences("fingerprints", draft.fingerprints, (NOT_APPLICABLE,))
    offences += _digest_offences("blobs", draft.blobs, ())
    offences += [
        f"documents.{name} cannot be a file in the run's folder, expected {DOCUMENT_RULE}"
        for name in draft.documents
        if not is_document_name(name)
    ]
    return offences


def _digest_offences(what: str, values: Mapping[str, str], also: tuple[str, ...]) -> list[str]:
    expected = " or ".join(("64 hexadecimal digits", *also))
    return [
        f"{what}.{name} is {value!r}, expected {expected}"
        for name, value in values.items()
        if value not in also and not (isinstance(value, str) and _DIGEST.fullmatch(value))
    ]
