"""What tells the replicates of one configuration apart: their seeds. A run with the seeds of another repeats it."""

from collections.abc import Iterator, Mapping

from seedbed.records.canonical._canonical import Json, digest_plain, escape
from seedbed.records.canonical._json_pointer import without
from seedbed.records.snapshot._compared import Compared
from seedbed.records.snapshot._policy import REPLICATE

__all__ = ["draw_of"]


def draw_of(snapshot: Compared) -> str:
    """A digest of the seeds in config, factors and fingerprints; of a snapshot that records none, of its metrics.

    Without a seed nobody knows whether two runs drew the same; that all their metrics are equal says that they did.
    """
    parts: dict[str, Json] = {
        "config": without(snapshot.config, snapshot.volatile_settings),
        "factors": dict(snapshot.factors),
        "fingerprints": dict(snapshot.fingerprints),
    }
    seeds: dict[str, Json] = {pointer: value for pointer, value in _seeds(parts) if value is not None}
    return digest_plain(seeds) if seeds else snapshot.digests["metrics"]


def _seeds(parts: Mapping[str, Json], pointer: str = "") -> Iterator[tuple[str, Json]]:
    """Every seed in nested objects, with its pointer."""
    for key, value in parts.items():
        if isinstance(value, dict):
            yield from _seeds(value, f"{pointer}/{escape(key)}")
        elif key in REPLICATE.may_differ:
            yield f"{pointer}/{key}", value
