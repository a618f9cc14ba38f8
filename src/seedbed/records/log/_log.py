"""The commit log of one project: numbered, immutable snapshots, each compared with its predecessor and its baseline.

A writer that loses the race for a number reads the winner's commit, finds its predecessor again, and tries the next.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreDamaged, StoreUnavailable
from seedbed.records.canonical._canonical import Json, encode, encode_object
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.canonical._seal import seal, seal_encoded
from seedbed.records.log._baselines import Baselines, Promotion
from seedbed.records.log._checkpoint import CHECKPOINT_EVERY, Checkpoint, read_checkpoint, write_checkpoint
from seedbed.records.log._copies import mentioned_after
from seedbed.records.log._headers import Header, Headers
from seedbed.records.log._predecessor import Predecessors
from seedbed.records.log._validation import checked_commit, checked_header
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._compared import Side
from seedbed.records.snapshot._draft import SnapshotDraft, build_body
from seedbed.records.snapshot._migrations import copied, upgraded
from seedbed.records.snapshot._policy import Policy
from seedbed.records.snapshot._snapshot import Diff, LogHead, RecordBefore
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import log_folder
from seedbed.records.storage._numbered_log import LostRecord, NumberedLog, Sealed, advised, slot_taken
from seedbed.records.storage._owner import OwnLock, alone
from seedbed.records.storage._writer_turn import Turn, no_turn

__all__ = ["CommitLog"]

_CACHED_COMMITS = 64


class CommitLog:
    """One project's commits. Any number of processes may append; a commit is never changed.

    A commit that cannot be read (damaged, missing, or of a later version of Seedbed) is passed over, with a warning
    StoreDamaged, and its number stays taken: `lost` tells them. Only who asks for its number gets the error.
    `turn` makes the writers of one machine wait for each other: fewer races are lost, but nothing depends on it. A log
    that `reads_all` takes nothing from a checkpoint, which may be of another log. Threads may share the object: those
    that append go one at a time, and while one of them waits for its turn, the others read.
    """

    def __init__(self, files: Files, project: str, turn: Turn = no_turn, *, reads_all: bool = False) -> None:
        self.project = project
        self._turn = turn
        self._reads_all = reads_all
        self.files = files
        self.baselines = Baselines(files, project)
        self._predecessors = Predecessors(files, self.baselines, self._comparable)
        self._appending = OwnLock()  # which is taken before the other
        self._lock = OwnLock(self._begin)
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what is in the log yet."""
        self._records = NumberedLog(
            self.files, log_folder(self.project), partial(mentioned_after, self.files, self.project)
        )
        self._headers: Headers | None = None
        self._has_damage = False
        self._recent: dict[int, Commit] = {}
        self._newest: RecordBefore | None = None  # the record of the newest number, as it was found
        self._num_told = 0  # the number of commits of which a checkpoint alone has told so far
        self._covered: int  # the number of commits covered by the checkpoint that was found, or that was due since

    @alone
    def head(self) -> int:
        """The newest number, lost or not; 0 for an empty log."""
        return self._current_headers().last

    @alone
    def headers(self) -> Iterator[Header]:
        """The headers of all commits, oldest first. Only commits since the last call are read."""
        return iter(list(self._current_headers()))

    @alone
    def header(self, seq: int) -> Header:
        """The header of commit `seq`. Raises IndexError when there is no such number, ValueError when it is lost."""
        return self._current_headers().of(seq)

    @alone
    def lost(self) -> list[int]:
        """The numbers whose commits cannot be read or stand in quarantine, ascending."""
        return self._current_headers().lost()

    def is_quarantined(self, seq: int) -> bool:
        """Whether the loss of commit `seq` was accepted: a tombstone stands in its place."""
        return self._records.is_quarantined(seq)

    def read(self, seq: int) -> Commit:
        """Commit `seq`, its digest verified.

        Raises NotFound; StoreCorrupt when its bytes are not the committed ones, Quarantined when it is known to be
        lost; InvalidInput when a later version of Seedbed wrote it.
        """
        return self._checked(_commit(self._records.read(seq)))

    def readable(self, seq: int) -> Commit | None:
        """Commit `seq`; None, with a warning, when it cannot be read."""
        return self._or_none(seq, self._checked)

    def _comparable(self, seq: int) -> Commit | None:
        """As `readable`, without validation of what no comparison needs."""
        return self._recent.get(seq) or self._or_none(seq, self._header)

    @alone
    def _or_none(self, seq: int, check: Callable[[Commit], object]) -> Commit | None:
        headers = self._current_headers()
        if not 1 <= seq <= headers.last or headers.is_lost(seq):
            return None
        try:
            commit = self._unchecked(seq)
            check(commit)
            self._look_at_checkpoint(headers, commit)
        except (NotFound, StoreCorrupt, InvalidInput) as problem:
            headers.lose(seq)  # the checkpoint told of it, but it was damaged since, or is of a later version
            self._warn(LostRecord(seq, str(problem)))
            return None
        return commit

    def _look_at_checkpoint(self, headers: Headers, commit: Commit) -> None:
        """Read all commits, if `headers` do not tell of this one under its number: the checkpoint was of another log.

        It names only the last commit that it covers by digest, and files of two logs may have been copied into one.
        """
        if commit.seq <= self._num_told and self._header(commit) != headers.of(commit.seq):
            self._headers, self._newest, self._num_told = Headers(), None, 0

    def commits(self) -> Iterator[Commit]:
        """Every commit that can be read, oldest first."""
        for seq in range(1, self.head() + 1):
            if found := self.readable(seq):
                yield found

    @alone
    def newest_commit(self) -> Commit | None:
        """The commit that was made last, as `made_order`, of those that can be read; None when there is none."""
        while (seq := self._current_headers().newest_made()) is not None:
            if commit := self.readable(seq):
                return commit
        return None

    @alone
    def find(self, run_id: str, stage: Stage) -> Header | None:
        """The header of the newest commit of the run's stage, of whichever attempt; None when it never finished."""
        headers = self._current_headers()
        seq = headers.newest_of_stage(run_id, stage)
        if seq is not None and seq <= self._num_told:
            self.readable(seq)
            headers = self._current_headers()
            seq = headers.newest_of_stage(run_id, stage)
        return None if seq is None else headers.of(seq)

    @alone
    def without_commit(self, stages: Iterable[tuple[str, Stage]]) -> list[tuple[str, Stage]]:
        """Those of the `stages` of runs that never finished, after one look at what others wrote."""
        headers = self._current_headers()
        return [stage for stage in stages if headers.newest_of_stage(*stage) is None]

    @alone
    def run_ids(self) -> set[str]:
        """The names of all runs with a commit."""
        return self._current_headers().run_ids()

    @alone
    def newest(self, cohort_id: str, stage: Stage) -> int | None:
        """The number of the newest commit of the cohort and stage; None when there is none."""
        return self._current_headers().newest_of_cohort(cohort_id, stage)

    @alone
    def in_group(self, group: str) -> Sequence[int]:
        """The numbers of the commits of the comparison group with the digest `group`, oldest first."""
        return tuple(self._current_headers().in_group(group))

    def key(self, seq: int) -> str:
        """The key of commit `seq` in the store."""
        return self._records.key(seq)

    def append(
        self,
        draft: SnapshotDraft,
        logs: Mapping[str, LogHead],
        timestamp: datetime,
        resumes: int | None = None,
        untold: Mapping[str, str] = MappingProxyType({}),
    ) -> Commit:
        """Commit `draft`: durable on return. If the same content is committed already, return that commit.

        `resumes` is how often the run was resumed; by default, as often as it had attempts before.
        Raises Conflict when other content is committed under the same run, stage and attempt, and StoreUnavailable.
        """
        built = build_body(draft, logs, timestamp, resumes, untold)
        return self._published(built.content, encoded=built.encoded)

    @alone
    def same(self, commit: Commit) -> Commit | None:
        """The commit of this log with the run, stage, attempt and content of `commit`, of any log; None without one.

        Raises Conflict when there is one with other content.
        """
        return self._existing(self._current_headers(), upgraded(commit.body, f"commit {commit.seq}"))

    def adopt(self, commit: Commit, store: str = "") -> Commit:
        """Commit a copy of `commit` under the next number, with diffs of its own; it keeps where it came from.

        `store` names the store whose log holds `commit`; "" is this one, whose log held it under its number once. If
        the same content is committed already, return that commit. Raises as `append`.
        """
        held = upgraded(commit.body, f"commit {commit.seq}")
        return self._published(held, copied(commit.body, commit.digest, redact_text(store)))

    def _published(
        self,
        content: Mapping[str, Any],
        written: Mapping[str, Any] | None = None,
        encoded: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Commit:
        """The commit of `content`, which is `written` so, under the next number; or that of the same content.

        `encoded` holds the canonical JSON of those members of what is written of which it is known.
        """
        written = content if written is None else written
        encoded = {name: encoded[name] if name in encoded else encode(value) for name, value in written.items()}
        with self._appending:
            self.head()  # read most of what others wrote now, so that the turn is short
            with self._turn() as wait_again:
                attempts = (self._claimed(content, written, encoded) for _ in self._records.races())
                while (commit := next(attempts)) is None:
                    wait_again()
            self._take_own(commit)
        return commit

    @alone
    def _claimed(
        self, content: Mapping[str, Any], written: Mapping[str, Any], encoded: Mapping[str, bytes]
    ) -> Commit | None:
        """As `_published`; None where it is to be tried again, since another process has the next number now."""
        # The same headers say that the key is free and which number to claim. If another process commits the same key
        # after this read, it takes that number, and the claim below fails.
        headers = self._current_headers()
        if existing := self._existing(headers, content):
            # Its writer may have died before the file name was durable; publishing it again makes it so.
            with contextlib.suppress(FileExistsError):
                self.files.create(self.key(existing.seq), seal(dict(existing.body))[0])
            return existing
        commit, data = self._numbered(headers, content, written, encoded)
        if self._headers is not headers:
            return None  # what it was compared with has shown that the checkpoint is of another log
        if not self._records.publish(commit.seq, data):
            self._require_progress(commit.seq)
            return None
        return commit

    @alone
    def _take_own(self, commit: Commit) -> None:
        """Take up what was published here, unless another thread has read it since, or it was there before."""
        if self._headers and self._headers.last == commit.seq - 1:
            self._remember(self._headers, self._header(commit), commit)
            self._write_checkpoint_if_due(self._headers, commit)

    @alone
    def diff(self, earlier: Commit, later: Commit, policy: Policy | None = None) -> Diff:
        """The diff from `earlier`, of this log, to `later`, of any log, with the noise of the replicates of `earlier`.

        Without a policy, under the strictest one that allows it.
        """
        return Diff.model_validate(self._predecessors.diff(self._current_headers(), earlier, later.side, policy))

    @alone
    def replicate_of(self, commit: Commit) -> Commit | None:
        """The newest commit before `commit` that differs from it in the seed, and what follows from it, at most."""
        headers = self._current_headers()
        own = headers.of(commit.seq)
        earlier = reversed([seq for seq in headers.replicating(own.replicates) if seq < commit.seq])
        found = (self.readable(seq) for seq in earlier if headers.run_id(seq) != own.run_id)
        return next(filter(None, found), None)

    @alone
    def promote_by_rule(self, commit: Commit, now: datetime) -> Promotion | None:
        """Promote `commit` to its group's baseline if the project's rule prefers it. Raises StoreUnavailable."""
        return self.baselines.consider(commit, self._predecessors.promoted, now)

    @alone
    def _current_headers(self) -> Headers:
        if self._headers is None:
            self._headers = self._open()
        while found := self._records.follow(self._headers.last + 1):
            self._take(self._headers, found)
        return self._headers

    def _take(self, headers: Headers, found: Sealed | LostRecord) -> None:
        """Take up what stands at the next number."""
        if isinstance(found, Sealed):
            try:
                commit = _commit(found)
                self._remember(headers, self._header(commit), commit)
            except (StoreCorrupt, InvalidInput) as problem:  # it is no snapshot, or one of a later version
                found = LostRecord(found.seq, str(problem), found=found.digest)
            else:
                return
        headers.append_lost()
        self._newest = RecordBefore(digest=found.found, is_lost=True)
        if not found.is_known:
            self._warn(found)

    def _warn(self, lost: LostRecord) -> None:
        self._has_damage = True
        warnings.warn(f"passed over: {advised(lost.problem)}", StoreDamaged, stacklevel=2)

    def _open(self) -> Headers:
        checkpoint = None if self._reads_all else read_checkpoint(self.files, self._records.folder)
        headers = Headers()
        if checkpoint and self._covers(checkpoint):
            headers, self._newest = checkpoint.headers, RecordBefore(digest=checkpoint.digest)
            self._num_told = headers.last
        self._covered = headers.last
        return headers

    def _covers(self, checkpoint: Checkpoint) -> bool:
        """Whether `checkpoint` belongs to this log: its last commit is here, with the digest that it names."""
        try:
            return self._records.read(checkpoint.headers.last).digest == checkpoint.digest
        except (NotFound, StoreCorrupt):
            return False

    def _existing(self, headers: Headers, content: Mapping[str, Any]) -> Commit | None:
        key = f"{content['run_id']}:{content['stage']}:{content['attempt_id']}"
        seq = headers.with_key(key)
        if seq is None:
            return None
        commit = self.readable(seq)
        if commit is None or self._headers is not headers:  # it is lost, or the checkpoint that told of it was wrong
            return self._existing(self._current_headers(), content)
        found, wanted = commit.snapshot.digests["content"], content["digests"]["content"]
        if found != wanted:
            raise Conflict(
                f"{key} is committed already as number {seq} of {self.project}, with other content "
                f"({found[:12]}…, now {wanted[:12]}…); start another run: leave the run_id "
                "out and one is made, or give a new run_id"
            )
        return commit

    def _numbered(
        self,
        headers: Headers,
        content: Mapping[str, Any],
        written: Mapping[str, Any],
        encoded: Mapping[str, bytes],
    ) -> tuple[Commit, bytes]:
        """The commit of `content` with the next number, its diffs and the record before it, and its bytes."""
        seq = headers.last + 1
        diffs = self._predecessors.diffs(headers, Side.of(content))
        previous = None if self._newest is None else self._newest.model_dump()
        added: dict[str, Json] = {"snapshot_seq": seq, "previous": previous, **diffs}
        members = {**encoded, **{name: encode(value) for name, value in added.items()}}
        data, sealed = seal_encoded(encode_object(members))
        return Commit(seq, sealed, {**written, **added}, members), data

    def _unchecked(self, seq: int) -> Commit:
        """Commit `seq`, without validation of its body."""
        return self._recent.get(seq) or _commit(self._records.read(seq))

    def _checked(self, commit: Commit) -> Commit:
        return checked_commit(commit, self.project, self.key(commit.seq))

    def _header(self, commit: Commit) -> Header:
        return checked_header(commit, self.project, self.key(commit.seq))

    def _remember(self, headers: Headers, header: Header, commit: Commit) -> None:
        headers.append(header)
        self._newest = RecordBefore(digest=commit.digest)
        self._recent[header.seq] = commit
        self._recent.pop(header.seq - _CACHED_COMMITS, None)

    def _write_checkpoint_if_due(self, headers: Headers, commit: Commit) -> None:
        # The writer of every thousandth commit writes the checkpoint; if it fails to, a later writer does. None is
        # written over damage: everybody who opens the log is to be told of it.
        if self._has_damage:
            return
        if commit.seq % CHECKPOINT_EVERY == 0 or commit.seq - self._covered >= 2 * CHECKPOINT_EVERY:
            with contextlib.suppress(StoreUnavailable):  # it saves time alone, and the commit is made
                write_checkpoint(self.files, self._records.folder, Checkpoint(headers, commit.digest))
        self._covered = commit.seq

    def _require_progress(self, taken: int) -> None:
        if self.head() < taken:
            raise slot_taken(self.key(taken))


def _commit(record: Sealed) -> Commit:
    return Commit(record.seq, record.digest, record.body)
