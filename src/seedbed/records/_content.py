"""The digests that a snapshot carries of its own parts, by the rules of the schema version that it was written with."""

from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.records._canonical import Json, digest_plain
from seedbed.records._comparison import REPLICATE
from seedbed.records._pointer import without
from seedbed.records._snapshot import COMPUTED_FINGERPRINTS

__all__ = ["content_digests", "group_digests", "own_digests"]

_CONTENT_1 = (
    *("project", "run_id", "stage", "metadata", "metrics", "config", "volatile_settings"),
    *("factors", "documents", "blobs"),
)
_CONTENT_2 = (
    *_CONTENT_1,
    *("attempt_id", "experiment_id", "symbol", "inputs", "process", "outputs"),
)


def own_digests(config: Json, volatile_settings: Sequence[str]) -> dict[str, str]:
    """The fingerprints that records computes itself: of the config, and of all in it that can alter a result."""
    return dict(
        zip(
            COMPUTED_FINGERPRINTS, (digest_plain(config), digest_plain(without(config, volatile_settings))), strict=True
        )
    )


def content_digests(body: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of metrics, artifacts, and content (all handed in but `timing`), of a body in today's form."""
    return {
        "metrics": digest_plain(body["metrics"]),
        "artifacts": digest_plain(body["blobs"]),
        "content": digest_plain(_content(body)),
        **({} if body["schema_version"] == 1 else group_digests(body)),
    }


def group_digests(body: Mapping[str, Any]) -> dict[str, str]:
    """The digests by which runs that may be compared, and runs that are replicates, find each other."""
    group = digest_plain(body["comparison_group"])
    return {"comparison_group": group, "replicates": digest_plain([group, _unseeded(_inputs(body))])}


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in body["fingerprints"].items() if name not in COMPUTED_FINGERPRINTS}
    if body["schema_version"] == 1:
        names = {name: body[name] for name in _CONTENT_1}
        return {**names, "attempt": body["attempt_id"], "fingerprints": given}
    sources = {name: text for name, text in body["fingerprint_sources"].items() if name not in COMPUTED_FINGERPRINTS}
    return {
        **{name: body[name] for name in _CONTENT_2},
        "fingerprints": given,
        "fingerprint_sources": sources,
        "predictions": body["digests"]["predictions"],
    }


def _inputs(body: Mapping[str, Any]) -> dict[str, Json]:
    grouped = {name.removesuffix("_fingerprint") for name in body["comparison_group"]}
    aside = {*grouped, *COMPUTED_FINGERPRINTS}
    return {
        "config": without(body["config"], body["volatile_settings"]),
        "factors": body["factors"],
        "fingerprints": {name: value for name, value in body["fingerprints"].items() if name not in aside},
    }


def _unseeded(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    allowed = REPLICATE.may_differ
    return {key: _unseeded(item) for key, item in value.items() if isinstance(item, dict) or key not in allowed}
