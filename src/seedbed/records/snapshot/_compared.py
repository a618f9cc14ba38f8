"""One of two snapshots that are set against each other: what counts of it, without the rest."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeAlias

from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["Compared", "Side"]


class Side(NamedTuple):
    """What counts of a snapshot when it is set against another, without the rest of it."""

    project: str
    run_id: str
    stage: str
    metadata: dict[str, Any]
    metrics: dict[str, Any]
    config: dict[str, Any]
    volatile_settings: list[str]
    factors: dict[str, Any]
    fingerprints: dict[str, str]
    blobs: dict[str, str]
    comparison_group: dict[str, Any]
    digests: dict[str, str]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The side that a snapshot's JSON, in today's form, can be. Raises KeyError for what is no snapshot."""
        return cls(*(body[name] for name in cls._fields))


Compared: TypeAlias = Snapshot | Side
