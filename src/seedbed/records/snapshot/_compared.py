"""One side of a comparison: the parts of a snapshot that are compared."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeAlias

from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["Compared", "Side"]


class Side(NamedTuple):
    """The parts of a snapshot that are needed to compare it with another one."""

    project: str
    run_id: str
    stage: str
    metadata: dict[str, Any]
    metrics: dict[str, Any]
    config: dict[str, Any]
    volatile_settings: list[str]
    factors: dict[str, Any]
    course: dict[str, Any]
    fingerprints: dict[str, str]
    blobs: dict[str, str]
    comparison_group: dict[str, Any]
    digests: dict[str, str]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The side of a snapshot's JSON in the current schema. Raises KeyError when it is not a snapshot."""
        return cls(*(body[name] for name in cls._fields))


Compared: TypeAlias = Snapshot | Side
