"""One side of a comparison: the parts of a snapshot that are compared."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeAlias

from seedbed.records.snapshot._course import with_packages
from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["Compared", "Side", "compared_course"]


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
        known = {**body, "course": _with_packages(body["course"], body["process"], body["documents"])}
        return cls(*(known[name] for name in cls._fields))


Compared: TypeAlias = Snapshot | Side


def compared_course(one: Compared) -> dict[str, Any]:
    """What happened in the run, as it is compared: with the packages that the record tells, or none."""
    return one.course if isinstance(one, Side) else _with_packages(one.course, one.process, one.documents)


def _with_packages(course: Mapping[str, Any], process: Any, documents: Mapping[str, Any]) -> dict[str, Any]:
    return {"packages": {}, **with_packages(course, process, documents)}
