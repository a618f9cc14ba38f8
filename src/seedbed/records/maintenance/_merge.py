"""Joins two stores: every commit of another store comes into this one under a new number, and keeps its origin."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._adoption import adopt, follow_again
from seedbed.records.maintenance._commit_scan import digests_in
from seedbed.records.maintenance._expiries import Expiries, Expiry, expire_copies
from seedbed.records.maintenance._incoming import Incoming
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._verify import DigestCheck, digest_checks
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._layout import BLOBS, EVENTS
from seedbed.records.storage._local import LocalFiles

__all__ = ["Merged", "merge"]


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
        self._log = CommitLog(store.files, project, reads_all=True)
        self._blobs, self._own_blobs = blobs, set(_blobs_of(store))
        self._expired = Expiries(store.files, project).by_commit()
        self._expired_there = Expiries(other.files, project).by_commit()
        self._expiring: list[tuple[Commit, Expiry]] = []  # copies whose expiry is to be recorded
        self._newest: Commit | None = None  # of the copies

    def looked_at(self, commit: Commit) -> Merged:
        """What a merge would do."""
        incoming = self._incoming(commit)
        try:
            here, keys = incoming.here(), incoming.keys()
            if here is None:
                incoming.require_room(keys)
        except Conflict as refused:
            return _told(commit, None, problem=str(refused))
        return _told(commit, here, is_new=here is None)

    def joined(self, commit: Commit) -> Merged:
        """Claim the run, copy what belongs to the commit, then commit it: so what is here already is here whole.

        A merge that is interrupted leaves a run that is finished and whose commit is lost, until it is repeated.
        """
        incoming = self._incoming(commit)
        try:
            here, keys = incoming.here(), incoming.keys()
            if here is None:
                incoming.require_room(keys)
                incoming.claim()
            is_expired = here is not None and here.digest in self._expired  # what has expired does not come back
            unread = [] if is_expired else incoming.bring_files(keys, is_new=here is None)
            if not is_expired:
                self._bring_blobs(commit, is_new=here is None)
            made = here or adopt(self._store, self._log, commit, self._name)
        except Conflict as refused:
            return _told(commit, None, problem=str(refused))
        if made.snapshot.origin and (self._newest is None or made.seq > self._newest.seq):
            self._newest = made
        lost = [] if is_expired else self._lost(incoming, made, is_new=here is None)
        problems = {
            "not whole here: {}; `seedbed runs fsck` of both stores says what is lost": lost,
            "cannot be read there, so it did not come: {}": unread,
        }
        said = "; ".join(problem.format(", ".join(names)) for problem, names in problems.items() if names)
        return _told(commit, made, is_new=here is None, problem=said)

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

    def _incoming(self, commit: Commit) -> Incoming:
        return Incoming(self._store, self._log, self._other, commit)

    def _bring_blobs(self, commit: Commit, *, is_new: bool) -> None:
        """Copy the blobs of a new commit, and of another one those that are not here."""
        wanted = self._blobs.intersection(digests_in(commit.body))
        for digest in wanted if is_new else wanted - self._own_blobs:
            with contextlib.suppress(NotFound, StoreCorrupt):  # what is lost there is told of in the end
                self._own_blobs.add(self._store.blobs.put(self._other.blobs.get(digest)))

    def _lost(self, incoming: Incoming, made: Commit, *, is_new: bool) -> list[str]:
        """The names of the payloads of `made` that are not here, and have not expired there."""
        digest = incoming.commit.digest
        is_copy = made.snapshot.origin is not None and made.snapshot.origin.digest == digest
        expiry = self._expired_there.get(digest) if is_copy else None
        checks = digest_checks(self._store, made, expiry) if is_new else self._missing(incoming, made, expiry)
        if expiry and any(check.is_expired for check in checks):
            self._expiring.append((made, expiry))
        return [check.name for check in checks if not check.holds]

    def _missing(self, incoming: Incoming, made: Commit, expiry: Expiry | None) -> list[DigestCheck]:
        """The payloads of a commit that was here already which are missing; nothing is read."""
        snapshot, present = made.snapshot, incoming.present()
        blobs = {f"blobs/{name}": digest for name, digest in snapshot.blobs.items() if digest not in self._own_blobs}
        lacking = (name for name in snapshot.logs if f"{incoming.folder}/{name}" not in present)
        logs = {f"logs/{name}": snapshot.logs[name].digest for name in lacking}
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


def _blobs_of(store: Store) -> frozenset[str]:
    return frozenset(filter(None, (blob_digest(item.key) for item in store.files.list(BLOBS))))


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
