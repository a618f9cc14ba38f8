"""The whole copies of lost commits that the folders of their runs hold, and which of them can be brought back."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.canonical._names import commit_file
from seedbed.records.log._copies import SNAPSHOT_VIEW, read_object, whole_copy
from seedbed.records.maintenance._findings import READ, RECOVER, RECOVER_ANEW, UPGRADE
from seedbed.records.maintenance._inventory import Inventory, Progress
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._layout import log_folder

__all__ = ["LostCopy", "is_committed", "judged", "lost_copies"]

_REPORT_EVERY = 100


@dataclass(frozen=True)
class LostCopy:
    """A whole copy, in a run's `folder`, of a `commit` that the log lacks.

    `rivals` are the other runs that hold a copy of a commit with its number. Its number `is_given` where it is that of
    another commit, or nobody can say whose it was: then it comes back under a new one.
    `problem` says why it cannot be brought back, and is empty where it can; `advice` says what to do.
    """

    folder: str
    commit: Commit
    rivals: tuple[str, ...] = ()
    is_given: bool = False
    problem: str = ""
    advice: str = RECOVER

    @property
    def key(self) -> str:
        """The key of the copy."""
        return f"{self.folder}/{SNAPSHOT_VIEW}"

    @property
    def record(self) -> str:
        """The key of the record that is lost."""
        return f"{log_folder(self.commit.snapshot.project)}/{commit_file(self.commit.seq)}"


def lost_copies(
    store: Store, inventory: Inventory, committed: Collection[str], progress: Progress | None = None
) -> list[LostCopy]:
    """Every whole copy of a commit that the log does not hold, sorted by folder and not yet judged.

    Commits whose digest is among `committed` are known to be in the log, under their number or another.
    """
    found: dict[str, list[LostCopy]] = defaultdict(list)
    folders = sorted(inventory.folders.items())
    for done, (folder, names) in enumerate(folders, 1):
        shown = read_object(store.files, f"{folder}/{SNAPSHOT_VIEW}") if SNAPSHOT_VIEW in names else None
        commit = whole_copy(shown, folder) if shown and shown.get("digest") not in committed else None
        if commit and not is_committed(store, commit):
            copy = LostCopy(folder, commit)
            found[copy.record].append(copy)
        if progress and done % _REPORT_EVERY == 0:
            progress("reading runs", done, len(folders))
    return [
        replace(copy, rivals=tuple(each.commit.snapshot.run_id for each in copies if each is not copy))
        for copies in found.values()
        for copy in copies
    ]


def judged(store: Store, copy: LostCopy, expected: Sequence[str]) -> LostCopy:
    """The copy, with whether its number is given to another commit now, and what keeps it from being brought back.

    `expected` are the digests of the commit with that number, as later commits recorded them.
    """
    try:  # now: the record may have been restored while the store was scanned
        store.log(copy.commit.snapshot.project).read(copy.commit.seq)
    except NotFound:
        pass
    except InvalidInput as newer:
        return replace(copy, problem=str(newer), advice=UPGRADE)
    except StoreCorrupt as damage:
        if isinstance(damage, Unreadable) and damage.is_whole:
            return replace(copy, problem=str(damage), advice=READ)
    else:
        return replace(copy, is_given=True, problem="", advice=RECOVER_ANEW)
    is_given = list(expected) != [copy.commit.digest] if expected else bool(copy.rivals)
    return replace(copy, is_given=is_given, problem="", advice=RECOVER_ANEW if is_given else RECOVER)


def is_committed(store: Store, commit: Commit) -> bool:
    """Whether the log holds this very commit."""
    try:
        return store.log(commit.snapshot.project).read(commit.seq).digest == commit.digest
    except (NotFound, StoreCorrupt, InvalidInput):
        return False
