"""Joins two stores: every commit of another store comes into this one under a new number, and keeps its origin."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._status import is_claim, read_status
from seedbed.records._store import Store
from seedbed.records._views import views
from seedbed.records.log._copies import SNAPSHOT_VIEW, read_object, whole_copy
from seedbed.records.maintenance._adoption import adopt, expire
from seedbed.records.maintenance._commit_scan import digests_in
from seedbed.records.maintenance._expiries import Expiries, Expiry
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._verify import verify
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._durable import TEMPORARY_PREFIX
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._layout import BLOBS, TAIL
from seedbed.records.storage._local import LocalFiles

__all__ = ["Merged", "merge"]

_RENAME = "one store can hold one of the two: it stays in the other store"


@dataclass(frozen=True)
class Merged:
    """A commit of another store, with the number `from_seq`, and what became of it here.

    `seq` is its number here, and None where it is not here. It `is_new` where this merge brought it, or would.
    `problem` says why it was not merged, or what of it is lost in the other store; it is empty where it is here whole.
    """

    project: str
    run_id: str
    stage: Stage
    from_seq: int
    seq: int | None
    is_new: bool
    problem: str = ""


def merge(
    store: Store,
    other: Store,
    *,
    project: str | None = None,
    name: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
) -> list[Merged]:
    """Bring every commit of `other`, or of one `project` of it, into `store`; return what became of each.

    A commit comes under a new number, with diffs to what is before it here, with its blobs, logs and other files. It
    keeps its origin: `name` (by default the last part of the other store's path), number, digest and bytes. What is
    here already is left as it is, so the same merge can be repeated, also after a crash. A commit is not merged where
    this store has another one of the same run, stage and attempt, or something else in the place of the run's files.
    Not merged are runs without a commit, and promotions: a baseline is chosen in each store. With `dry_run` nothing is
    written. Raises InvalidInput when `other` is `store`, and StoreUnavailable.
    """
    _require_another(store, other)
    named = name or _last_part(other.name)
    blobs = frozenset(filter(None, (blob_digest(item.key) for item in other.files.list(BLOBS))))
    found: list[Merged] = []
    for each in other.projects() if project is None else [project]:
        total = other.log(each).head()
        expiries = Expiries(other.files, each).by_commit()
        for commit in other.log(each).commits():
            one = _Incoming(store, other, blobs, commit)
            found.append(one.looked_at() if dry_run else one.merged(named, expiries.get(commit.digest)))
            if progress:
                progress(f"merging {each}", commit.seq, total)
    return found


@dataclass(frozen=True)
class _Incoming:
    """A `commit` of the store `other`, which holds `blobs`, that comes into `store`."""

    store: Store
    other: Store
    blobs: Collection[str]
    commit: Commit

    def looked_at(self) -> Merged:
        """What a merge would do."""
        try:
            here = self._here()
        except Conflict as refused:
            return self._told(None, problem=str(refused))
        return self._told(here, is_new=here is None)

    def merged(self, name: str, expiry: Expiry | None) -> Merged:
        """Copy what belongs to the commit, then commit it: so what is here already is here whole."""
        project = self.commit.snapshot.project
        try:
            if here := self._here():
                expire(self.store, here, expiry)
                return self._told(here)
            self._copy_files()
            self._copy_blobs()
            made = adopt(self.store, self.store.log(project), self.commit, expiry, name)
        except Conflict as refused:
            return self._told(None, problem=str(refused))
        checks = verify(self.other, self.other.finished(project, self.commit.seq))
        lost = [check.name for check in checks if not check.holds]
        return self._told(made, is_new=True, problem=f"lost there: {', '.join(lost)}" if lost else "")

    def _here(self) -> Commit | None:
        """The commit here that is this one. Raises Conflict where what is here keeps it from coming."""
        snapshot = self.commit.snapshot
        who = f"{snapshot.run_id}:{snapshot.stage} of {snapshot.project}"
        log, folder = self.store.log(snapshot.project), run_folder_of(snapshot)
        try:
            here = log.same(self.commit)
        except Conflict:
            problem = f"attempt {snapshot.attempt_id} of {who} has other content here; {_RENAME}"
            raise Conflict(problem) from None
        if not log.find(snapshot.run_id, snapshot.stage) and self._has_begun(folder):
            raise Conflict(f"{who} has begun here too, and has no commit; move {folder} away, then merge again")
        return here

    def _has_begun(self, folder: str) -> bool:
        """Whether the run's folder here belongs to something else than this commit, or a lost one of its content."""
        copy = whole_copy(read_object(self.store.files, f"{folder}/{SNAPSHOT_VIEW}"), folder)
        if copy and copy.snapshot.digests["content"] == self.commit.snapshot.digests["content"]:
            return False
        try:
            return read_status(self.store.files, folder, self.store.clock.now()) is not None
        except StoreCorrupt:
            return True

    def _copy_files(self) -> None:
        """Copy the files of the run but for what only its process needs, and views."""
        folder = run_folder_of(self.commit.snapshot)
        derived = {f"{folder}/{name}" for name in views(self.commit)}
        for item in list(self.other.files.list(folder)):
            if item.key in derived or is_claim(item.key) or _is_of_process(item.key):
                continue
            with contextlib.suppress(NotFound, Unreadable):  # what is lost there is told of
                self._copy_file(item.key)

    def _copy_file(self, key: str) -> None:
        data = self.other.files.read(key)
        try:
            self.store.files.create(key, data)
        except FileExistsError:
            if self.store.files.read(key) != data:
                raise Conflict(f"{key} is another file here; move it away, then merge again") from None

    def _copy_blobs(self) -> None:
        for digest in set(digests_in(self.commit.body)).intersection(self.blobs):
            with contextlib.suppress(NotFound, StoreCorrupt):  # it is lost there
                self.store.blobs.put(self.other.blobs.get(digest))

    def _told(self, here: Commit | None, *, is_new: bool = False, problem: str = "") -> Merged:
        snapshot = self.commit.snapshot
        return Merged(
            project=snapshot.project,
            run_id=snapshot.run_id,
            stage=snapshot.stage,
            from_seq=self.commit.seq,
            seq=None if here is None else here.seq,
            is_new=is_new,
            problem=problem,
        )


def _is_of_process(key: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(TEMPORARY_PREFIX) or name.endswith(TAIL)


def _require_another(store: Store, other: Store) -> None:
    is_same = store.name == other.name
    if isinstance(store.files, LocalFiles) and isinstance(other.files, LocalFiles):
        is_same = store.files.root.samefile(other.files.root)
    if is_same:
        raise InvalidInput(f"{other.name} is this store itself; name another one")


def _last_part(name: str) -> str:
    return urlsplit(name).path.rstrip("/").rpartition("/")[2] if "://" in name else Path(name).resolve().name
