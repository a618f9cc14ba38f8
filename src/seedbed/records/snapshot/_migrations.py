"""Migrations: snapshots of earlier schema versions are converted to the current one when read. Files never change.

Nothing is invented: what an earlier version did not record is absent, or NOT_APPLICABLE if it did not know the field.
A copy of another commit holds that commit whole, in the version that it was made with, and is read as it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from seedbed.errors import InvalidInput
from seedbed.records.snapshot._course import course_of
from seedbed.records.snapshot._digests import group_digests
from seedbed.records.snapshot._schema import NOT_APPLICABLE
from seedbed.records.snapshot._snapshot import NO_BASELINE, SNAPSHOT_SCHEMA_VERSION
from seedbed.records.storage._numbered_log import damaged

__all__ = ["copied", "upgraded"]


def copied(body: Mapping[str, Any], digest: str, store: str) -> dict[str, Any]:
    """A copy of the commit with that `body` and `digest`, of the store named `store`: without its place in a log."""
    origin = {"commit": body, "digest": digest, "store": store}
    return {"origin": origin, "project": body["project"], "schema_version": SNAPSHOT_SCHEMA_VERSION}


def upgraded(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """`body`, read from `key`, in the current schema; its `schema_version` stays the original one.

    Raises InvalidInput for a later version, StoreCorrupt when it has no version.
    """
    version = body.get("schema_version")
    if version == SNAPSHOT_SCHEMA_VERSION:
        return _from_copy(body, key) if body.get("origin") else body
    if isinstance(version, int) and version > SNAPSHOT_SCHEMA_VERSION:
        raise InvalidInput(
            f"{key} has schema version {version}, this Seedbed reads 1 to {SNAPSHOT_SCHEMA_VERSION}; upgrade it"
        )
    if not isinstance(version, int) or version not in _STEPS:
        raise damaged(key, f"it is no snapshot: its schema version is {version!r}")
    for step in range(version, SNAPSHOT_SCHEMA_VERSION):
        body = _STEPS[step](body)
    return body


def _from_1(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """From version 1, which kept the config's digests in `digests` and had no symbols, experiments or baselines."""
    digests = dict(body["digests"])
    computed = {name: digests.pop(name) for name in ("config", "deterministic_config")}
    kept = {name: value for name, value in body.items() if name != "attempt"}
    known = {**kept, "fingerprints": {**body["fingerprints"], **computed}}
    return {
        **known,
        "schema_versions": {"snapshot": "1", "diff": "1", "metadata": "PANEL/1"},
        "attempt_id": body["attempt"],
        "target": body["metadata"]["target"],
        "view": body["metadata"]["view"],
        "symbol": NOT_APPLICABLE,
        "experiment_id": NOT_APPLICABLE,
        "inputs": {},
        "process": {},
        "outputs": {},
        "fingerprint_sources": {},
        "digests": {**digests, **group_digests(known)},
        "diff_prev": {**body["diff_prev"], "num_changes": len(body["diff_prev"]["changed_keys"])},
        "diff_baseline": NO_BASELINE.model_dump(mode="json"),
    }


def _from_2(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """From version 2, which did not compare what happened in a run: its documents hold it all the same."""
    course = course_of(body["documents"], body["config"], body["attempt_id"] - 1, says_who_registered=False)
    return {**body, "course": course}


def _from_3(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """From version 3, whose commits did not name the record before them."""
    return {**body, "previous": None}


_STEPS: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {1: _from_1, 2: _from_2, 3: _from_3}


_PLACE = {"snapshot_seq", "project", "previous", "diff_prev", "diff_baseline"}  # all that is a copy's own


def _from_copy(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The commit that is copied, in the place of the copy; it may be a copy itself."""
    origin = body["origin"]
    commit = origin["commit"]
    if body.keys() - _PLACE - {"origin", "schema_version"} or body["project"] != commit["project"]:
        raise damaged(key, "as a copy of another commit it holds more than its place")
    place = {name: body[name] for name in _PLACE}
    named = {"store": origin["store"], "seq": commit["snapshot_seq"], "digest": origin["digest"]}
    return {**upgraded(commit, key), **place, "origin": named}
