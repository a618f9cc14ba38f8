"""The digests that a snapshot carries of its own parts, computed by the rules of the schema version that wrote it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from seedbed.records.canonical._canonical import Json, digest_bytes, digest_plain, encode, escape
from seedbed.records.canonical._json_pointer import without
from seedbed.records.snapshot._course import with_packages
from seedbed.records.snapshot._policy import REPLICATE, is_seed
from seedbed.records.snapshot._snapshot import COMPUTED_FINGERPRINTS

__all__ = ["content_digests", "group_digests", "own_digests", "replicates_digest"]

_CONTENT_1 = (
    *("project", "run_id", "stage", "metadata", "metrics", "config", "volatile_settings"),
    *("factors", "documents", "blobs"),
)
_SMALL = (
    *("project", "run_id", "stage", "attempt_id", "experiment_id", "symbol", "volatile_settings"),
    *("factors", "inputs", "process", "outputs", "blobs"),
)
_LARGE = ("metadata", "metrics", "config", "documents")
_FIRST_WITH_COURSE = 3


def own_digests(config: Json, volatile_settings: Sequence[str], encoded: bytes = b"") -> dict[str, str]:
    """The computed fingerprints: of the config, which may be `encoded`, and of it without its volatile settings."""
    whole = digest_bytes(encoded or encode(config))
    effective = digest_plain(without(config, volatile_settings)) if volatile_settings else whole
    return dict(zip(COMPUTED_FINGERPRINTS, (whole, effective), strict=True))


def content_digests(body: Mapping[str, Any], encoded: Mapping[str, bytes] = MappingProxyType({})) -> dict[str, str]:
    """SHA-256 digests of metrics, artifacts and content (everything but `timing`), for a body in the current schema.

    `encoded` holds the canonical JSON of those of its members of which it is known.
    """
    metrics = _member_digest("metrics", body, encoded)
    digests = {"metrics": metrics, "artifacts": _member_digest("blobs", body, encoded)}
    if body["schema_version"] == 1:
        return {**digests, "content": digest_plain(_content_1(body))}
    return {**digests, "content": digest_plain(_content(body, metrics, encoded)), **group_digests(body)}


def group_digests(body: Mapping[str, Any]) -> dict[str, str]:
    """The digests that find comparable runs (`comparison_group`) and replicates (`replicates`)."""
    group, has_course = digest_plain(body["comparison_group"]), body["schema_version"] >= _FIRST_WITH_COURSE
    return {"comparison_group": group, "replicates": _replicates(group, body, has_course=has_course)}


def replicates_digest(body: Mapping[str, Any]) -> str:
    """The digest that finds replicates by the current rule, for a body in the current schema, whatever it recorded."""
    recorded: dict[str, str] = body["digests"]
    course = with_packages(body["course"], body["process"], body["documents"])
    if body["schema_version"] >= _FIRST_WITH_COURSE and course == body["course"]:
        return recorded["replicates"]
    return _replicates(recorded["comparison_group"], {**body, "course": course}, has_course=True)


def _replicates(group: str, body: Mapping[str, Any], *, has_course: bool) -> str:
    course = {name: value for name, value in body["course"].items() if name != "derived"} if has_course else {}
    inputs = {**_inputs(body), **({"course": course} if has_course else {})}
    return digest_plain([group, _unseeded(inputs)])


def _content_1(body: Mapping[str, Any]) -> dict[str, Any]:
    """The hashed content of version 1, which hashed everything at once."""
    names = {name: body[name] for name in _CONTENT_1}
    return {**names, "attempt": body["attempt_id"], "fingerprints": _given(body["fingerprints"])}


def _member_digest(name: str, body: Mapping[str, Any], encoded: Mapping[str, bytes]) -> str:
    return digest_bytes(encoded[name] if name in encoded else encode(body[name]))


def _content(body: Mapping[str, Any], metrics: str, encoded: Mapping[str, bytes]) -> dict[str, Any]:
    """The hashed content since version 2, in which large parts are represented by their digests."""
    known = {"metrics": metrics, "config": body["fingerprints"]["config"]}
    return {
        **{name: body[name] for name in _SMALL},
        **{name: known.get(name) or _member_digest(name, body, encoded) for name in _LARGE},
        "fingerprints": _given(body["fingerprints"]),
        "fingerprint_sources": _given(body["fingerprint_sources"]),
        "predictions": body["digests"]["predictions"],
    }


def _given(values: Mapping[str, str]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if name not in COMPUTED_FINGERPRINTS}


def _inputs(body: Mapping[str, Any]) -> dict[str, Json]:
    grouped = {name.removesuffix("_fingerprint") for name in body["comparison_group"]}
    ignored = {*grouped, *COMPUTED_FINGERPRINTS}
    return {
        "config": without(body["config"], body["volatile_settings"]),
        "factors": body["factors"],
        "fingerprints": {name: value for name, value in body["fingerprints"].items() if name not in ignored},
    }


def _unseeded(inputs: Mapping[str, Json], pointer: str = "") -> dict[str, Json]:
    """The inputs without the seeds, by which alone replicates differ."""
    return {
        key: _unseeded(item, f"{pointer}/{escape(key)}") if isinstance(item, dict) else item
        for key, item in inputs.items()
        if isinstance(item, dict) or key not in REPLICATE.may_differ or not is_seed(f"{pointer}/{key}")
    }
