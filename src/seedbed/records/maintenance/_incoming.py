"""One commit of another store on its way into this one: whether it can come, its claim, its files and blobs."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.contracts import RunStatus
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
from seedbed.records.maintenance._losses import set_record_aside
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._durable import TEMPORARY_PREFIX
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import EVENTS_TAIL
from seedbed.records.storage._local import LocalFiles

__all__ = ["Incoming"]

_MERGES = 3  # of one store at a time, which may claim the same run
_STAYS = "one store can hold one run of a name, so this one stays in the other store"


@dataclass(frozen=True)
class Incoming:
    """A `commit` of the store `other` that may come into the `log` of `store`."""

    store: Store
    log: CommitLog
    other: Store
    commit: Commit

    @property
    def folder(self) -> str:
        """The folder of its run, in both stores."""
        return run_folder_of(self.commit.snapshot)

    def here(self) -> Commit | None:
        """The commit here that is this one. Raises Conflict where something keeps it from coming."""
        snapshot = self.commit.snapshot
        if wrong := self.commit.wrong_digests():
            raise Conflict(
                f"its digests of {', '.join(wrong)} are not those of its content, so it was changed since its commit"
            )
        attempt = f"attempt {snapshot.attempt_id} of {self._who}"
        try:
            found = self.log.same(self.commit)
        except Conflict:
            raise Conflict(f"{attempt} has other content here; {_STAYS}") from None
        if found and not _are_one(found, self.commit):
            raise Conflict(f"{attempt} has logged other points here; {_STAYS}")
        if found is None:
            self._require_one_run()
        return found

    def keys(self) -> list[str]:
        """The files of the run in the other store, but for views, and what only its process needs.

        Raises Conflict where a link leads to its folder.
        """
        _require_no_link(self.other.files, self.folder)
        left = {f"{self.folder}/{EVENTS_TAIL}", *(f"{self.folder}/{name}" for name in views(self.commit))}
        return [
            key
            for key in _plain_files(self.other.files, self.folder)
            if not (key in left or is_claim(key) or key.rpartition("/")[2].startswith(TEMPORARY_PREFIX))
        ]

    def require_room(self, keys: Sequence[str]) -> None:
        """Raise Conflict where the place of a file is taken, unless by an earlier state of the same run."""
        if self._begun():
            return
        for key in keys:
            try:
                is_free = self.store.files.read(key) == _bytes(self.other.files, key)
            except (NotFound, InvalidInput):
                continue
            except StoreCorrupt:
                is_free = False
            if not is_free:
                raise Conflict(f"{key} is another file here; move it away, then merge again")

    def claim(self) -> None:
        """Claim the next attempt, so that nobody starts the run. Raises Conflict when somebody has at this moment."""
        snapshot = self.commit.snapshot
        for _ in range(_MERGES):
            newest = max(attempts_in(self.store.files, self.folder), default=0)
            claimed = self._claim_of_merge(newest)
            if claimed and self._is_own(claimed):
                return
            if not self._has_gone_on():
                break
            claim = Status(
                project=snapshot.project,
                run_id=snapshot.run_id,
                stage=snapshot.stage,
                attempt=newest + 1,
                status=RunStatus.FINISHED,  # elsewhere
                started=snapshot.timestamp,
                heartbeat=self.store.clock.now(),
                process=this_process(),
                reason=MERGING,
            )
            with contextlib.suppress(FileExistsError):
                self.store.files.create(claim_key(self.folder, claim.attempt), claim.encoded())
                return
        raise Conflict(f"{self._who} has begun here at this moment; {_STAYS}")

    def bring_files(self, keys: Sequence[str], *, is_new: bool) -> list[str]:
        """Copy the files that are not here; return the names of those that cannot be read there.

        What an earlier state of the run left in their place is kept under `quarantine/`.
        """
        unread, present = [], self.present()
        if is_new and self._begun() and (tail := f"{self.folder}/{EVENTS_TAIL}") in present:
            _moved_aside(self.store.files, tail)
        for key in keys:
            if key in present and not is_new:
                continue
            data = _bytes(self.other.files, key)
            if data is None:
                unread.append(key.removeprefix(f"{self.folder}/"))
            elif key not in present or _bytes(self.store.files, key) != data:
                _moved_aside(self.store.files, key)
                with contextlib.suppress(FileExistsError):
                    self.store.files.create(key, data)
        return unread

    def present(self) -> set[str]:
        """The keys of what is in the folder of the run here."""
        return {item.key for item in self.store.files.list(self.folder)}

    @property
    def _who(self) -> str:
        snapshot = self.commit.snapshot
        return f"{snapshot.run_id}:{snapshot.stage} of {snapshot.project}"

    def _require_one_run(self) -> None:
        """Raise Conflict if the run of this name that is here is another one."""
        header = self.log.find(self.commit.snapshot.run_id, self.commit.snapshot.stage)
        if header is None:
            self._require_not_begun()
        elif not self._is_there(header.seq):
            raise Conflict(f"{self._who} is another run here, which finished as commit {header.seq}; {_STAYS}")

    def _is_there(self, seq: int) -> bool:
        """Whether the other store has commit `seq` too, so that one run finished in both, in several attempts."""
        found = self.log.readable(seq)
        with contextlib.suppress(Conflict):
            return found is not None and self.other.log(self.log.project).same(found) is not None
        return False

    def _require_not_begun(self) -> None:
        """Raise Conflict if the run has an attempt here that is not one of the other store's, nor claimed for it."""
        files, who = self.store.files, self._who
        if whole_copy(read_object(files, f"{self.folder}/{SNAPSHOT_VIEW}"), self.folder):
            raise Conflict(f"the commit of {who} is lost here; run `seedbed runs recover`, then merge again")
        try:
            status = read_status(files, self.folder, self.store.clock.now())
        except StoreCorrupt as damage:
            raise Conflict(f"{who} has begun here too: {damage}") from None
        if status is None or self._is_own(status):
            return
        if status.status is RunStatus.RUNNING:
            raise Conflict(f"{who} runs here; wait for its end, then merge again: {_STAYS}")
        if status.reason == MERGING:
            raise Conflict(f"a merge of another run {who} was interrupted here; repeat that merge: {_STAYS}")
        if status.status is RunStatus.FINISHED:
            raise Conflict(
                f"{who} is finished here, and its commit is lost: copy {self.folder}/{SNAPSHOT_VIEW} of that store to "
                "its place here, run `seedbed runs recover`, then merge again"
            )
        if not self._has_gone_on():
            raise Conflict(f"{who} is {status.status} here, and has no commit; {_STAYS}")

    def _has_gone_on(self) -> bool:
        """Whether every attempt of the run that was begun here was begun before the stores went apart."""
        names = (f"{self.folder}/{name}" for name in self._begun())
        claims = [(_bytes(self.store.files, key), _bytes(self.other.files, key)) for key in names]
        return all(here and here == there for here, there in claims)

    def _begun(self) -> list[str]:
        """The names of the claims of the run here, but for those of merges."""
        attempts = attempts_in(self.store.files, self.folder)
        return [claim_name(attempt) for attempt in attempts if not self._claim_of_merge(attempt)]

    def _claim_of_merge(self, attempt: int) -> Status | None:
        """The claim of `attempt` here, if a merge made it; otherwise None."""
        with contextlib.suppress(NotFound, StoreCorrupt):
            claim = read_claim(self.store.files, self.folder, attempt)
            return claim if claim.reason == MERGING else None
        return None

    def _is_own(self, claim: Status) -> bool:
        """Whether a merge made `claim` for this very commit."""
        return (claim.reason, claim.started) == (MERGING, self.commit.snapshot.timestamp)


def _are_one(here: Commit, there: Commit) -> bool:
    """Whether two commits of the same content are one, or copies of one; or nothing tells them apart but their time."""
    made = ({commit.digest, *(digest for digest, _ in commit.originals())} for commit in (here, there))
    return bool(set.intersection(*made)) or here.snapshot.logs == there.snapshot.logs


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
