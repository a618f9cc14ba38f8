"""What tells the replicates of one configuration apart: their seeds. A run with the seeds of another repeats it."""

from seedbed.records.canonical._canonical import Json, digest_plain
from seedbed.records.canonical._json_pointer import leaves, without
from seedbed.records.snapshot._compared import Compared
from seedbed.records.snapshot._policy import is_seed

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
    named = ((pointer, value) for pointer, value in leaves(parts) if is_seed(pointer))
    seeds: dict[str, Json] = {pointer: value for pointer, value in named if value is not None}
    return digest_plain(seeds) if seeds else snapshot.digests["metrics"]
