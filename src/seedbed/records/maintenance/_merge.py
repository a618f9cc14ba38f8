"""Joins two stores: every commit of another store comes into this one under a new number, and keeps its origin."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._status import MERGING, ProcessIdentity, Status, claim_key, is_claim, read_status
from seedbed.records._store import Store
from seedbed.records._views import views
from seedbed.records.log._copies import SNAPSHOT_VIEW, read_object, whole_copy
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._adoption import adopt, expire
from seedbed.records.maintenance._commit_scan import digests_in
from seedbed.records.maintenance._expiries import Expiries, Expiry
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._verify import verify
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._durable import TEMPORARY_PREFIX
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import BLOBS, TAIL
from seedbed.records.storage._local import LocalFiles

__all__ = ["Merged", "merge"]

_STAYS = "one store can hold one run of a name, so this one stays in the other store"


@dataclass(frozen=True)
class Merged:
    """A commit of another store, with the number `from_seq`, and what became of it here.

    `seq` is its number here, and None where it is not here. It `is_new` where this merge brought it, or would.
    `problem` says why it was not merged, or what of it is not whole here; it is empty where all of it is, or was here.
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
    keeps its origin: `name` (by default the last plain part of the other path), number, digest and bytes. What is
    here already is left as it is, so the same merge can be repeated, also after a crash. A commit is not merged where
    this store has another one of the same run, stage and attempt, or something else in the place of the run's files.
    Not merged are runs without a commit, and promotions: a baseline is chosen in each store. With `dry_run` nothing is
    written. Raises InvalidInput when `other` is `store`, NotFound when it has no such project, and StoreUnavailable.
    """
    _require_another(store, other)
    if project is not None and project not in other.projects():
        raise NotFound(f"{other.name} has no project {project!r}; it has {', '.join(other.projects()) or 'none'}")
    named = " ".join(name.split()) or _last_part(other.name)
    blobs = frozenset(filter(None, (blob_digest(item.key) for item in other.files.list(BLOBS))))
    found: list[Merged] = []
    for each in other.projects() if project is None else [project]:
        log, total = CommitLog(store.files, each, reads_all=True), other.log(each).head()
        expiries = Expiries(other.files, each).by_commit()
        for commit in other.log(each).commits():
            one = _Incoming(store, log, other, blobs, commit)
            found.append(one.looked_at() if dry_run else one.merged(named, expiries.get(commit.digest)))
            if progress:
                progress(f"merging {each}", commit.seq, total)
    return found


@dataclass(frozen=True)
class _Incoming:
    """A `commit` of the store `other`, which holds `blobs`, that comes into the `log` of `store`."""

    store: Store
    log: CommitLog
    other: Store
    blobs: Collection[str]
    commit: Commit

    def looked_at(self) -> Merged:
        """What a merge would do."""
        try:
            here = self._here()
            if here is None:
                self._require_room(dict(self._given_files()))
        except Conflict as refused:
            return self._told(None, problem=str(refused))
        return self._told(here, is_new=here is None)

    def merged(self, name: str, expiry: Expiry | None) -> Merged:
        """Claim the run, copy what belongs to the commit, then commit it: so what is here already is here whole.

        A merge that is interrupted leaves a run that is finished and whose commit is lost, until it is repeated.
        """
        snapshot = self.commit.snapshot
        try:
            if here := self._here():
                expire(self.store, here, self.commit, expiry)
                return self._told(here)
            files = dict(self._given_files())
            self._require_room(files)
            self._claim()
            for key, data in files.items():
                with contextlib.suppress(FileExistsError):
                    self.store.files.create(key, data)
            self._copy_blobs()
            made = adopt(self.store, self.log, self.commit, expiry, name)
        except Conflict as refused:
            return self._told(None, problem=str(refused))
        checks = verify(self.store, self.store.finished(snapshot.project, made.seq))
        lost = ", ".join(check.name for check in checks if not check.holds)
        problem = f"not whole here: {lost}; `seedbed runs fsck` of both stores says what is lost" if lost else ""
        return self._told(made, is_new=True, problem=problem)

    @property
    def _who(self) -> str:
        snapshot = self.commit.snapshot
        return f"{snapshot.run_id}:{snapshot.stage} of {snapshot.project}"

    @property
    def _folder(self) -> str:
        return run_folder_of(self.commit.snapshot)

    def _here(self) -> Commit | None:
        """The commit here that is this one. Raises Conflict where something keeps it from coming."""
        snapshot = self.commit.snapshot
        if wrong := self.commit.wrong_digests():
            raise Conflict(
                f"its digests of {', '.join(wrong)} are not those of its content, so it is not what was made"
            )
        try:
            here = self.log.same(self.commit)
        except Conflict:
            problem = f"attempt {snapshot.attempt_id} of {self._who} has other content here; {_STAYS}"
            raise Conflict(problem) from None
        if here is None and self.log.find(snapshot.run_id, snapshot.stage) is None:
            self._require_not_begun()
        return here

    def _require_not_begun(self) -> None:
        """Raise Conflict if the run has an attempt here that an interrupted merge did not claim."""
        if whole_copy(read_object(self.store.files, f"{self._folder}/{SNAPSHOT_VIEW}"), self._folder):
            raise Conflict(f"the commit of {self._who} is lost here; run `seedbed runs recover`, then merge again")
        try:
            status = read_status(self.store.files, self._folder, self.store.clock.now())
        except StoreCorrupt as damage:
            raise Conflict(f"{self._who} has begun here too: {damage}") from None
        if status is None or status == self._status():
            return
        if status.status is RunStatus.RUNNING:
            raise Conflict(f"{self._who} runs here; wait for its end, then merge again: {_STAYS}")
        raise Conflict(f"{self._who} is {status.status} here, and has no commit; {_STAYS}")

    def _status(self) -> Status:
        """The status by which a merge claims the run: it is finished, elsewhere."""
        snapshot = self.commit.snapshot
        return Status(
            project=snapshot.project,
            run_id=snapshot.run_id,
            stage=snapshot.stage,
            attempt=snapshot.attempt_id,
            status=RunStatus.FINISHED,
            started=snapshot.timestamp,
            heartbeat=snapshot.timestamp,
            process=ProcessIdentity(pid=0, start_ticks=0, place=""),
            reason=MERGING,
        )

    def _claim(self) -> None:
        """Claim the attempt, so that nobody starts the run. Raises Conflict when somebody has at this moment."""
        key, claim = claim_key(self._folder, self.commit.snapshot.attempt_id), self._status().encoded()
        with contextlib.suppress(FileExistsError):
            self.store.files.create(key, claim)
        if _bytes(self.store.files, key) != claim:
            raise Conflict(f"{self._who} has begun here at this moment; {_STAYS}")

    def _given_files(self) -> Iterator[tuple[str, bytes]]:
        """The files of the run in the other store, but for what only its process needs, and views."""
        derived = {f"{self._folder}/{name}" for name in views(self.commit)}
        for key in _plain_files(self.other.files, self._folder):
            if key not in derived and not is_claim(key) and not _is_of_process(key):
                data = _bytes(self.other.files, key)
                if data is not None:  # what is lost there is told of in the end
                    yield key, data

    def _require_room(self, files: Mapping[str, bytes]) -> None:
        for key, data in files.items():
            try:
                is_free = self.store.files.read(key) == data
            except NotFound:
                continue
            except StoreCorrupt:
                is_free = False
            if not is_free:
                raise Conflict(f"{key} is another file here; move it away, then merge again")

    def _copy_blobs(self) -> None:
        for digest in set(digests_in(self.commit.body)).intersection(self.blobs):
            try:
                data = self.other.blobs.get(digest)
            except (NotFound, StoreCorrupt):  # what is lost there is told of in the end
                continue
            self.store.blobs.put(data)

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


def _plain_files(files: Files, folder: str) -> Iterator[str]:
    """The keys of the files in `folder` and below, without links: they may lead out of the store."""
    for item in files.list(folder, deep=False):
        key = item.key.rstrip("/")
        if isinstance(files, LocalFiles) and files.path(key).is_symlink():
            continue
        if item.key.endswith("/"):
            yield from _plain_files(files, key)
        else:
            yield key


def _bytes(files: Files, key: str) -> bytes | None:
    """The bytes at `key`; None where there are none that can be read."""
    try:
        return files.read(key)
    except (NotFound, Unreadable):
        return None


def _is_of_process(key: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(TEMPORARY_PREFIX) or name.endswith(TAIL)


def _require_another(store: Store, other: Store) -> None:
    is_same = store.name.rstrip("/") == other.name.rstrip("/")
    if isinstance(store.files, LocalFiles) and isinstance(other.files, LocalFiles):
        is_same = store.files.root.samefile(other.files.root)
    if is_same:
        raise InvalidInput(f"{other.name} is this store itself; name another one")


def _last_part(name: str) -> str:
    path = Path(urlsplit(name).path if "://" in name else Path(name).resolve())
    return path.parent.name if path.name.startswith(".") else path.name
