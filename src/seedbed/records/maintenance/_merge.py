"""Joins two stores: every commit of another store comes into this one under a new number, and keeps its origin."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._status import (
    MERGING,
    Status,
    attempts_in,
    claim_key,
    claim_name,
    is_claim,
    read_claim,
    read_status,
    this_process,
)
from seedbed.records._store import Store
from seedbed.records._views import views
from seedbed.records.log._copies import SNAPSHOT_VIEW, read_object, whole_copy
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._adoption import adopt, follow_again
from seedbed.records.maintenance._commit_scan import digests_in
from seedbed.records.maintenance._expiries import Expiries, Expiry, expire_copies
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._losses import set_record_aside
from seedbed.records.maintenance._verify import DigestCheck, digest_checks
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._durable import TEMPORARY_PREFIX
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import BLOBS, EVENTS, EVENTS_TAIL
from seedbed.records.storage._local import LocalFiles

__all__ = ["Merged", "merge"]

_MERGES = 3  # of one store at a time, which may claim the same run
_STAYS = "one store can hold one run of a name, so this one stays in the other store"


@dataclass(frozen=True)
class Merged:
    """A commit of another store, with the number `from_seq`, and what became of it here.

    `from_seq` is None for a run that finished there, and whose commit is lost there. `seq` is its number here, and None
    where it is not here. It `is_new` where this merge brought it, or would. `problem` says why it was not merged, or
    what of it is not whole here; it is empty where all of it is, or was here.
    """

    project: str
    run_id: str
    stage: Stage
    from_seq: int | None
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
    keeps its origin: `name` (by default the last plain part of the other path), number, digest and bytes. What is here
    already stays as it is, and what of it did not come before comes now: so the same merge can be repeated, also after
    a crash. What is here whole is this store's own to keep, also once it expires there. A commit is not merged where
    this store has another run of its name, or something else in the place of its files. Not merged are runs without a
    commit, and promotions: a baseline is chosen in each store. With `dry_run` nothing is written.
    Raises InvalidInput when `other` is `store`, NotFound when it has no such project, and StoreUnavailable.
    """
    _require_another(store, other)
    if project is not None and project not in other.projects():
        raise NotFound(f"{other.name} has no project {project!r}; it has {', '.join(other.projects()) or 'none'}")
    named = " ".join(name.split()) or _last_part(other.name)
    heads = {each: other.log(each).head() for each in (other.projects() if project is None else [project])}
    # Listed after the heads: what these commits name was there before them.
    blobs = _blobs_of(other)
    found: list[Merged] = []
    for each, head in heads.items():
        joining = _Joining(store, other, each, named, blobs)
        for seq in range(1, head + 1):
            if commit := other.log(each).readable(seq):
                found.append(joining.looked_at(commit) if dry_run else joining.joined(commit))
            if progress:
                progress(f"merging {each}", seq, head)
        if not dry_run:
            joining.settle()
        found += joining.lost_there()
    return found


class _Joining:
    """The commits of one `project` of the store `other`, which holds `blobs`, as they come into `store`."""

    def __init__(self, store: Store, other: Store, project: str, name: str, blobs: frozenset[str]) -> None:
        self._store, self._other = store, other
        self._project, self._name = project, name
        self._log, self._other_log = CommitLog(store.files, project, reads_all=True), other.log(project)
        self._blobs, self._own_blobs = blobs, set(_blobs_of(store))
        self._expired = Expiries(store.files, project).by_commit()
        self._expired_there = Expiries(other.files, project).by_commit()
        self._expiring: list[tuple[Commit, Expiry]] = []  # copies whose expiry is to be recorded
        self._newest: Commit | None = None  # of the copies

    def looked_at(self, commit: Commit) -> Merged:
        """What a merge would do."""
        try:
            here = self._here(commit)
            if here is None:
                self._require_room(commit, self._keys_of(commit))
        except Conflict as refused:
            return _told(commit, None, problem=str(refused))
        return _told(commit, here, is_new=here is None)

    def joined(self, commit: Commit) -> Merged:
        """Claim the run, copy what belongs to the commit, then commit it: so what is here already is here whole.

        A merge that is interrupted leaves a run that is finished and whose commit is lost, until it is repeated.
        """
        try:
            here = self._here(commit)
            keys = self._keys_of(commit)
            if here is None:
                self._require_room(commit, keys)
                self._claim(commit)
            unread = self._bring(commit, here, keys)
            made = here or adopt(self._store, self._log, commit, self._name)
        except Conflict as refused:
            return _told(commit, None, problem=str(refused))
        lost = self._lost(commit, made, is_new=here is None)
        if made.snapshot.origin and (self._newest is None or made.seq > self._newest.seq):
            self._newest = made
        said = (
            [f"not whole here: {', '.join(lost)}; `seedbed runs fsck` of both stores says what is lost"] if lost else []
        )
        said += [f"cannot be read there, so it did not come: {', '.join(unread)}"] if unread else []
        return _told(commit, made, is_new=here is None, problem="; ".join(said))

    def settle(self) -> None:
        """Record what has expired, and write what follows from the newest copy, which an interrupt may have left."""
        expire_copies(self._store, self._project, self._expiring)
        if self._newest:
            follow_again(self._store, self._log, self._newest)

    def lost_there(self) -> Iterator[Merged]:
        """The runs that finished in the other store, whose commits are lost there and not here either."""
        for view in self._other.unfinished(self._project):
            if view.status is RunStatus.FINISHED and self._log.find(view.run_id, view.stage) is None:
                problem = "its commit is lost there: run `seedbed runs recover` in that store, then merge again"
                yield Merged(self._project, view.run_id, view.stage, None, None, is_new=False, problem=problem)

    def _here(self, commit: Commit) -> Commit | None:
        """The commit here that is this one. Raises Conflict where something keeps it from coming."""
        snapshot, who = commit.snapshot, _who(commit)
        if wrong := commit.wrong_digests():
            raise Conflict(
                f"its digests of {', '.join(wrong)} are not those of its content, so it is not what was made"
            )
        try:
            here = self._log.same(commit)
        except Conflict:
            raise Conflict(f"attempt {snapshot.attempt_id} of {who} has other content here; {_STAYS}") from None
        if here and not _are_one(here, commit):
            raise Conflict(f"attempt {snapshot.attempt_id} of {who} has logged other points here; {_STAYS}")
        if here is None:
            header = self._log.find(snapshot.run_id, snapshot.stage)
            if header is None:
                self._require_not_begun(commit)
            elif not self._is_there(header.seq):
                raise Conflict(f"{who} is another run here, which finished as commit {header.seq}; {_STAYS}")
        return here

    def _is_there(self, seq: int) -> bool:
        """Whether the other store has commit `seq` too, so that one run finished in both, in several attempts."""
        found = self._log.readable(seq)
        with contextlib.suppress(Conflict):
            return found is not None and self._other_log.same(found) is not None
        return False

    def _require_not_begun(self, commit: Commit) -> None:
        """Raise Conflict if the run has an attempt here that an interrupted merge did not claim."""
        who, folder = _who(commit), run_folder_of(commit.snapshot)
        if whole_copy(read_object(self._store.files, f"{folder}/{SNAPSHOT_VIEW}"), folder):
            raise Conflict(f"the commit of {who} is lost here; run `seedbed runs recover`, then merge again")
        try:
            status = read_status(self._store.files, folder, self._store.clock.now())
        except StoreCorrupt as damage:
            raise Conflict(f"{who} has begun here too: {damage}") from None
        if status is None or _is_claim_of_merge(status, commit):
            return
        if status.status is RunStatus.RUNNING:
            raise Conflict(f"{who} runs here; wait for its end, then merge again: {_STAYS}")
        if status.status is RunStatus.FINISHED:
            raise Conflict(
                f"{who} is finished here, and its commit is lost: copy {folder}/{SNAPSHOT_VIEW} of that store to its "
                "place here, run `seedbed runs recover`, then merge again"
            )
        if not self._has_gone_on(commit):
            raise Conflict(f"{who} is {status.status} here, and has no commit; {_STAYS}")

    def _has_gone_on(self, commit: Commit) -> bool:
        """Whether every attempt of the run that was begun here was begun before the stores went apart."""
        folder, files = run_folder_of(commit.snapshot), self._store.files
        begun = {name: _bytes(files, f"{folder}/{name}") for name in self._begun(commit)}
        return all(data and data == _bytes(self._other.files, f"{folder}/{name}") for name, data in begun.items())

    def _begun(self, commit: Commit) -> list[str]:
        """The names of the claims of the run here, but for that of a merge of the same commit."""
        folder, files = run_folder_of(commit.snapshot), self._store.files
        return [claim_name(each) for each in attempts_in(files, folder) if not self._is_claimed(commit, each)]

    def _is_claimed(self, commit: Commit, attempt: int) -> bool:
        """Whether a merge of the same commit has claimed the run by its next attempt here."""
        with contextlib.suppress(NotFound, StoreCorrupt):
            claim = read_claim(self._store.files, run_folder_of(commit.snapshot), attempt)
            return _is_claim_of_merge(claim, commit)
        return False

    def _claim(self, commit: Commit) -> None:
        """Claim the next attempt, so that nobody starts the run. Raises Conflict when somebody has at this moment."""
        snapshot, folder = commit.snapshot, run_folder_of(commit.snapshot)
        for _ in range(_MERGES):
            newest = max(attempts_in(self._store.files, folder), default=0)
            if newest and self._is_claimed(commit, newest):
                return
            if not self._has_gone_on(commit):
                break
            claim = Status(
                project=snapshot.project,
                run_id=snapshot.run_id,
                stage=snapshot.stage,
                attempt=newest + 1,
                status=RunStatus.FINISHED,  # elsewhere
                started=snapshot.timestamp,
                heartbeat=self._store.clock.now(),
                process=this_process(),
                reason=MERGING,
            )
            with contextlib.suppress(FileExistsError):
                self._store.files.create(claim_key(folder, claim.attempt), claim.encoded())
                return
        raise Conflict(f"{_who(commit)} has begun here at this moment; {_STAYS}")

    def _keys_of(self, commit: Commit) -> list[str]:
        """The files of the run in the other store, but for views, and what only its process needs."""
        folder = run_folder_of(commit.snapshot)
        _require_no_link(self._other.files, folder)
        of_process = {f"{folder}/{EVENTS_TAIL}", *(f"{folder}/{name}" for name in views(commit))}
        return [
            key
            for key in _plain_files(self._other.files, folder)
            if not (key in of_process or is_claim(key) or key.rpartition("/")[2].startswith(TEMPORARY_PREFIX))
        ]

    def _require_room(self, commit: Commit, keys: Sequence[str]) -> None:
        """Raise Conflict where the place of a file is taken; what an earlier state of the run left there makes room."""
        if self._begun(commit):
            return
        for key in keys:
            try:
                is_free = self._store.files.read(key) == _bytes(self._other.files, key)
            except (NotFound, InvalidInput):
                continue
            except StoreCorrupt:
                is_free = False
            if not is_free:
                raise Conflict(f"{key} is another file here; move it away, then merge again")

    def _bring(self, commit: Commit, here: Commit | None, keys: Sequence[str]) -> list[str]:
        """Copy the files and blobs that are not here; return the names of the files that cannot be read there."""
        if here and here.digest in self._expired:
            return []  # what has expired here does not come back
        folder, unread = run_folder_of(commit.snapshot), []
        present = {item.key for item in self._store.files.list(folder)}
        if here is None and self._begun(commit) and f"{folder}/{EVENTS_TAIL}" in present:
            _moved_aside(self._store.files, f"{folder}/{EVENTS_TAIL}")
        for key in keys:
            if here and key in present:
                continue
            data = _bytes(self._other.files, key)
            if data is None:
                unread.append(key.removeprefix(f"{folder}/"))
            elif key not in present or _bytes(self._store.files, key) != data:
                _moved_aside(self._store.files, key)
                with contextlib.suppress(FileExistsError):
                    self._store.files.create(key, data)
        wanted = self._blobs.intersection(digests_in(commit.body))
        for digest in wanted - self._own_blobs if here else wanted:
            with contextlib.suppress(NotFound, StoreCorrupt):  # what is lost there is told of in the end
                self._own_blobs.add(self._store.blobs.put(self._other.blobs.get(digest)))
        return unread

    def _lost(self, commit: Commit, made: Commit, *, is_new: bool) -> list[str]:
        """The names of the payloads of `made` that are not here, and have not expired."""
        if made.digest in self._expired:
            return []
        is_copy = made.snapshot.origin is not None and made.snapshot.origin.digest == commit.digest
        expiry = self._expired_there.get(commit.digest) if is_copy else None
        checks = digest_checks(self._store, made, expiry) if is_new else self._missing(made, expiry)
        if expiry and any(check.is_expired for check in checks):
            self._expiring.append((made, expiry))
        return [check.name for check in checks if not check.holds]

    def _missing(self, made: Commit, expiry: Expiry | None) -> list[DigestCheck]:
        """The payloads of a commit that was here already which are missing; nothing is read."""
        snapshot, folder = made.snapshot, run_folder_of(made.snapshot)
        present = {item.key for item in self._store.files.list(folder)}
        blobs = {f"blobs/{name}": digest for name, digest in snapshot.blobs.items() if digest not in self._own_blobs}
        logs = {
            f"logs/{name}": head.digest for name, head in snapshot.logs.items() if f"{folder}/{name}" not in present
        }
        may_expire = {*blobs, f"logs/{EVENTS}"} if expiry else set()
        return [
            DigestCheck(name, digest, "it is missing", is_expired=name in may_expire)
            for name, digest in sorted({**blobs, **logs}.items())
        ]


def _told(commit: Commit, here: Commit | None, *, is_new: bool = False, problem: str = "") -> Merged:
    snapshot = commit.snapshot
    return Merged(
        project=snapshot.project,
        run_id=snapshot.run_id,
        stage=snapshot.stage,
        from_seq=commit.seq,
        seq=None if here is None else here.seq,
        is_new=is_new,
        problem=problem,
    )


def _who(commit: Commit) -> str:
    snapshot = commit.snapshot
    return f"{snapshot.run_id}:{snapshot.stage} of {snapshot.project}"


def _are_one(here: Commit, there: Commit) -> bool:
    """Whether two commits of the same content are one, or copies of one; or nothing tells them apart but their time."""
    made = ({commit.digest, *(digest for digest, _ in commit.originals())} for commit in (here, there))
    return bool(set.intersection(*made)) or here.snapshot.logs == there.snapshot.logs


def _is_claim_of_merge(status: Status, commit: Commit) -> bool:
    """Whether a merge of the same commit has claimed the attempt."""
    of_merge = (RunStatus.FINISHED, MERGING, commit.snapshot.timestamp)
    return (status.status, status.reason, status.started) == of_merge


def _blobs_of(store: Store) -> frozenset[str]:
    return frozenset(filter(None, (blob_digest(item.key) for item in store.files.list(BLOBS))))


def _require_no_link(files: Files, folder: str) -> None:
    """Raise Conflict where a link of the other store leads to the folder of a run, perhaps from anywhere."""
    if not isinstance(files, LocalFiles):
        return
    top, _, place = folder.partition("/")
    if files.path(folder).resolve() != files.path(top).resolve() / place:
        raise Conflict(
            f"{folder} is behind a link there, which may lead out of that store; put the folder in its place"
        )


def _plain_files(files: Files, folder: str) -> Iterator[str]:
    """The keys of the files in `folder` and below, without links: they may lead out of the store."""
    for item in files.list(folder, deep=False):
        key = item.key.rstrip("/")
        if isinstance(files, LocalFiles) and (files.root / key).is_symlink():
            continue
        if item.key.endswith("/"):
            yield from _plain_files(files, key)
        else:
            yield key


def _moved_aside(files: Files, key: str) -> None:
    """Keep the file at `key`, if there is one, under `quarantine/`."""
    if set_record_aside(files, key):
        files.remove(key)


def _bytes(files: Files, key: str) -> bytes | None:
    """The bytes at `key`; None where there are none that can be read, or no store can have the name."""
    try:
        return files.read(key)
    except (NotFound, Unreadable, InvalidInput):
        return None


def _require_another(store: Store, other: Store) -> None:
    is_same = store.name.rstrip("/") == other.name.rstrip("/")
    if isinstance(store.files, LocalFiles) and isinstance(other.files, LocalFiles):
        is_same = store.files.root.samefile(other.files.root)
    if is_same:
        raise InvalidInput(f"{other.name} is this store itself; name another one")


def _last_part(name: str) -> str:
    """The last part of the path of a store that tells it from others; of a whole bucket or machine, its name."""
    place = urlsplit(name) if "://" in name else None
    path = Path(place.path if place else Path(name).resolve())
    part = path.parent.name if path.name.startswith(".") else path.name
    return part or (place and place.netloc) or name
