"""Migrations: snapshots of earlier schema versions are converted to the current one when read. Files never change.

Nothing is invented: what an earlier version did not record is absent, or NOT_APPLICABLE if it did not know the field.
"""

from collections.abc import Callable, Mapping
from typing import Any

from seedbed.errors import InvalidInput
from seedbed.records.snapshot._course import course_of
from seedbed.records.snapshot._digests import group_digests
from seedbed.records.snapshot._schema import NOT_APPLICABLE
from seedbed.records.snapshot._snapshot import NO_BASELINE, SNAPSHOT_SCHEMA_VERSION
from seedbed.records.storage._numbered_log import damaged

__all__ = ["upgraded"]


def upgraded(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """`body`, read from `key`, in the current schema; its `schema_version` stays the original one.

    Raises InvalidInput for a later version, StoreCorrupt when it has no version.
    """
    version = body.get("schema_version")
    if version == SNAPSHOT_SCHEMA_VERSION:
        return body
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


_STEPS: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {1: _from_1, 2: _from_2}
