"""The kinds of damage and leftovers that can be found in a store. Append-only."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "FindingKind"]


class FindingKind(StrEnum):
    """What is wrong. Only damage means that bytes once acknowledged are not there; a killed process leaves the rest."""

    MARKER_DAMAGED = "MARKER_DAMAGED"
    COMMIT_DAMAGED = "COMMIT_DAMAGED"
    COMMIT_MISSING = "COMMIT_MISSING"
    BLOB_DAMAGED = "BLOB_DAMAGED"
    BLOB_MISSING = "BLOB_MISSING"
    LOG_DAMAGED = "LOG_DAMAGED"
    LOG_MISSING = "LOG_MISSING"
    CLAIM_DAMAGED = "CLAIM_DAMAGED"
    LATEST_DANGLING = "LATEST_DANGLING"
    LATEST_STALE = "LATEST_STALE"
    VIEW_MISSING = "VIEW_MISSING"
    VIEW_STALE = "VIEW_STALE"
    LOG_TORN = "LOG_TORN"
    STRAY_FILE = "STRAY_FILE"

    @property
    def is_damage(self) -> bool:
        """Whether this cannot be what a killed process leaves behind."""
        return self not in _LEFTOVERS

    @property
    def is_derived(self) -> bool:
        """Whether `repair` can put it right from the commits."""
        return self in _LEFTOVERS or self is FindingKind.LATEST_DANGLING


_LEFTOVERS = frozenset(
    {
        FindingKind.LATEST_STALE,
        FindingKind.VIEW_MISSING,
        FindingKind.VIEW_STALE,
        FindingKind.LOG_TORN,
        FindingKind.STRAY_FILE,
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be; `path` is relative to the store."""

    kind: FindingKind
    path: str
    problem: str
    advice: str
