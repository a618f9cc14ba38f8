"""The kinds of damage and leftovers that can be found in a store. Append-only."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "CLAIM_AGAIN",
    "COPY",
    "EXPIRE",
    "FIRST_THE_COMMIT",
    "FOLDER",
    "GC",
    "GC_LATER",
    "KEEP",
    "MERGE_AGAIN",
    "MOVE",
    "MOVE_OFF",
    "NOTHING",
    "NO_COPY",
    "READ",
    "RECOVER",
    "RECOVER_ANEW",
    "RECOVER_BASELINE",
    "REPAIR",
    "RESTORE",
    "RESTORE_LOG",
    "RESTORE_OR_MOVE",
    "RESTORE_TAIL",
    "UPGRADE",
    "Finding",
    "FindingKind",
    "can_be_accepted",
]

RESTORE = (
    "restore the file from a copy of the store; it cannot be rebuilt; if there is no copy, `seedbed runs quarantine` "
    "records that it is lost"
)
RESTORE_OR_MOVE = (
    "restore the file from a copy of the store; or, if there is none, move it out of the store and start the run "
    "again, which goes on with a new one"
)
RECOVER = "run `seedbed runs recover`: the run's own folder holds a whole copy of the commit"
RECOVER_ANEW = f"{RECOVER}, which comes back under a new number"
RECOVER_BASELINE = "run `seedbed runs recover`: it promotes the commit under its new number"
NO_COPY = (
    "restore the file from a copy of the store; or, if there is none, `seedbed runs quarantine` records that it is lost"
)
UPGRADE = "upgrade Seedbed: a later version wrote it; nothing is deleted before it can be read"
READ = "its bytes may be whole: do what is said there, then check again"
RESTORE_TAIL = (
    "restore the file from a copy of the store before the next run takes its number; or, if there is none, `seedbed "
    "runs quarantine` records that it is lost"
)
FIRST_THE_COMMIT = (
    "bring the commit back first (`seedbed runs recover`, or a copy of the store), then run `seedbed runs fsck` again: "
    "it says whether the record was whole; once the commit is recorded as lost, nothing can say so, and `--repair` "
    "moves the incomplete record to quarantine/"
)
EXPIRE = (
    "restore the file from a copy of the store; or, if it had expired, which a lost record under released/ may have "
    "said, record that as lost (`seedbed runs quarantine`), then `seedbed runs gc --retention FILE` records it anew"
)
CLAIM_AGAIN = (
    "restore the file from a copy of the store; or, if there is none, start the run again, as its next attempt"
)
COPY = "delete it, or move it out of the store"
FOLDER = "put the folder back, or mount the disk to which a link there leads; then check again"
KEEP = "copy the folder of the run to keep it, then move it away"
RESTORE_LOG = (
    "put snapshot.json of this run from a copy of the store into this folder, then run `seedbed runs recover`: so the "
    "commit comes back, under a new number where another one has its own (replace no file of that one); if there is no "
    "copy, start the run again under a new name, and `seedbed runs quarantine` records that it is lost"
)
MERGE_AGAIN = (
    "repeat the merge (`seedbed runs merge`); if that cannot be, `seedbed runs quarantine` records that it is lost"
)
REPAIR = "run `seedbed runs fsck --repair`"
MOVE = "move it away: no version of Seedbed makes one, and no record can take its number before it is gone"
MOVE_OFF = "move it away, since no version of Seedbed makes one; then run `seedbed runs fsck` again"
GC = "run `seedbed runs gc`"
GC_LATER = (
    "keep it: a commit that is lost may need it; once that is back, or recorded as lost, as is said of it here, run "
    "`seedbed runs gc`"
)
NOTHING = "nothing is to be done"


class FindingKind(StrEnum):
    """What is wrong. Kinds with `is_damage` mean lost or changed data; a killed process may leave the others behind."""

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
    DIGEST_WRONG = "DIGEST_WRONG"
    BASELINE_DAMAGED = "BASELINE_DAMAGED"
    BASELINE_MISSING = "BASELINE_MISSING"
    RELEASE_DAMAGED = "RELEASE_DAMAGED"
    RELEASE_MISSING = "RELEASE_MISSING"
    CHECKPOINT_DAMAGED = "CHECKPOINT_DAMAGED"
    CHECKPOINT_STALE = "CHECKPOINT_STALE"
    CATALOG_STALE = "CATALOG_STALE"
    INDEX_STALE = "INDEX_STALE"
    BLOB_ORPHAN = "BLOB_ORPHAN"
    SLOT_TAKEN = "SLOT_TAKEN"
    COMMIT_LOST = "COMMIT_LOST"
    RECORD_NEWER = "RECORD_NEWER"
    QUARANTINED = "QUARANTINED"
    RENUMBERED = "RENUMBERED"
    FOLDER_COPIED = "FOLDER_COPIED"

    @property
    def is_damage(self) -> bool:
        """Whether data was lost or changed: a killed process alone cannot cause this."""
        return self not in _LEFTOVERS and self not in _TOLD

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be done: it is recorded as lost, or what stood at a number is kept under another."""
        return self in _SETTLED

    @property
    def is_derived(self) -> bool:
        """Whether `repair` can fix this from the commits."""
        return self is FindingKind.LATEST_DANGLING or (self in _LEFTOVERS and self is not FindingKind.BLOB_ORPHAN)


_LEFTOVERS = frozenset(
    {
        FindingKind.LATEST_STALE,
        FindingKind.VIEW_MISSING,
        FindingKind.VIEW_STALE,
        FindingKind.LOG_TORN,
        FindingKind.STRAY_FILE,
        FindingKind.CHECKPOINT_DAMAGED,
        FindingKind.CHECKPOINT_STALE,
        FindingKind.CATALOG_STALE,
        FindingKind.INDEX_STALE,
        FindingKind.BLOB_ORPHAN,
    }
)


_SETTLED = frozenset({FindingKind.QUARANTINED, FindingKind.RENUMBERED})
_TOLD = frozenset({FindingKind.RECORD_NEWER, FindingKind.FOLDER_COPIED, *_SETTLED})


@dataclass(frozen=True)
class Finding:
    """One problem in a store; `path` is relative to the store, `advice` says what to do."""

    kind: FindingKind
    path: str
    problem: str
    advice: str


def can_be_accepted(finding: Finding) -> bool:
    """Whether the loss that it tells of is one of a file that stays as it is when it is recorded as lost."""
    return finding.advice in (RESTORE, RESTORE_LOG, MERGE_AGAIN)
