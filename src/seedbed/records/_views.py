"""Files derived from a commit for people to read: the views in the run's folder, and LATEST.json. Never trusted.

A finish writes snapshot.json, which is a whole copy of the commit, and audit_run.json, which says how the run was
computed. The others show parts of the same: they are written when somebody asks for them.
"""

import json
from collections.abc import Container, Mapping
from typing import Any

from seedbed.contracts import Stage
from seedbed.records.canonical._canonical import encode, readable_json
from seedbed.records.log._copies import SNAPSHOT_VIEW
from seedbed.records.log._log import CommitLog
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import latest_key

__all__ = ["FIRST_VIEWS", "latest_key_of", "latest_pointer", "views", "write_latest"]

FIRST_VIEWS = frozenset({SNAPSHOT_VIEW, "audit_run.json"})
"""The views that a finish writes, where the commit has them."""

_SCHEMA_VERSION = 1


def views(commit: Commit, names: Container[str] | None = None) -> dict[str, bytes]:
    """The views of `commit` by file name, in the form that its schema version has: those in `names`, or all."""
    shown, written = (_views_1, _written_1) if commit.body["schema_version"] == 1 else (_views_2, _written_2)
    named = {f"{name}.json": value for name, value in shown(commit).items()}
    return {name: written(commit, name, value) for name, value in named.items() if names is None or name in names}


def latest_pointer(commit: Commit, key: str) -> bytes:
    """The content of LATEST.json when `commit`, at `key`, is the newest of its project, cohort and stage."""
    pointer = {
        "digest": commit.digest,
        "path": key,
        "run_id": commit.side.run_id,
        "snapshot_seq": commit.seq,
    }
    version = {} if commit.body["schema_version"] == 1 else {"schema_version": _SCHEMA_VERSION}
    return readable_json({**pointer, **version})


def latest_key_of(commit: Commit) -> str:
    """The key of the LATEST.json for the project, cohort and stage of `commit`."""
    side = commit.side
    return latest_key(side.project, str(side.metadata["cohort_id"]), Stage(side.stage))


def write_latest(files: Files, log: CommitLog, commit: Commit) -> None:
    """Point LATEST.json to the newest commit of `commit`'s cohort and stage.

    Another writer may commit in between, so every writer checks again after it wrote: the last one names the newest.
    Raises as `CommitLog.read`, and StoreUnavailable.
    """
    cohort, stage = str(commit.side.metadata["cohort_id"]), Stage(commit.side.stage)
    written = None
    while written != (newest := log.newest(cohort, stage) or commit.seq):
        found = commit if newest == commit.seq else log.read(newest)
        files.replace(latest_key_of(commit), latest_pointer(found, log.key(newest)), durable=False)
        written = newest


def _views_2(commit: Commit) -> dict[str, Any]:
    body = upgraded(commit.body, f"commit {commit.seq}")  # of a copy, what the commit holds of which it is one
    return {
        "metadata": {"schema_version": _SCHEMA_VERSION, **body["metadata"]},
        "metrics": {
            "schema_version": _SCHEMA_VERSION,
            "digest": body["digests"]["metrics"],
            "metrics": body["metrics"],
        },
        "snapshot": {**commit.body, "digest": commit.digest},
        "diff_prev": body["diff_prev"],
        "diff_baseline": body["diff_baseline"],
        **body["documents"],
    }


def _views_1(commit: Commit) -> dict[str, Any]:
    body: dict[str, Any] = dict(commit.body)
    return {
        "metadata": body["metadata"],
        "metrics": body["metrics"],
        "snapshot": {**body, "digest": commit.digest},
        "diff_prev": body["diff_prev"],
        **body["documents"],
    }


def _written_2(commit: Commit, name: str, value: Any) -> bytes:
    return _by_line(value, commit.encoded) if name == SNAPSHOT_VIEW else readable_json(value)


def _by_line(parts: dict[str, Any], encoded: Mapping[str, bytes]) -> bytes:
    """A JSON object with each of its members on a line: half the bytes of indented JSON, and found by its name."""
    members = ((name.encode(), encoded[name] if name in encoded else encode(parts[name])) for name in sorted(parts))
    return b"{\n" + b",\n".join(b'"%b":%b' % member for member in members) + b"\n}\n"


def _written_1(_: Commit, __: str, value: Any) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
