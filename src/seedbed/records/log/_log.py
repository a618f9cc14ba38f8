"""The commit log of one project: one immutable snapshot a number, each set against what came before it.

A writer that loses the race for a number catches up with who won, looks again for its predecessor, and tries the next.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from seedbed.contracts import Stage
from seedbed.errors import Conflict, NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import Json, plain
from seedbed.records.canonical._seal import seal
from seedbed.records.log._baselines import Baselines, Promotion
from seedbed.records.log._checkpoint import CHECKPOINT_EVERY, Checkpoint, read_checkpoint, write_checkpoint
from seedbed.records.log._headers import Header, Headers, header_of
from seedbed.records.log._predecessor import Past
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._compared import Side
from seedbed.records.snapshot._draft import SnapshotDraft, build_body
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.snapshot._policy import Policy
from seedbed.records.snapshot._snapshot import NO_BASELINE, Diff, LogHead
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import log_folder
from seedbed.records.storage._numbered_log import NumberedLog, Sealed, damaged

__all__ = ["CommitLog"]

_REMEMBERED = 64
_NOTHING = plain(NO_BASELINE.model_dump(mode="json"))


class CommitLog:
    """One project's commits. Any number of processes may append; what is committed is never written again.

    `turn` makes the writers of one machine wait for each other a little, which spares lost races and decides nothing.
    """

    def __init__(
        self,
        files: Files,
        project: str,
        turn: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.project = project
        self._turn = turn
        self.files = files
        self._records = NumberedLog(files, log_folder(project))
        self._headers: Headers | None = None
        self._recent: dict[int, Commit] = {}
        self.baselines = Baselines(files, project)
        self._past = Past(files, self.baselines, self._committed)
        self._covered: int  # by the checkpoint that was found, or by those that this writer knows to be due since

    def head(self) -> int:
        """The newest number; 0 for an empty log. Raises StoreCorrupt when a commit is missing or damaged."""
        return len(self.headers())

    def headers(self) -> Sequence[Header]:
        """The headers of all commits, oldest first. Commits never change: only new ones are read. Raises as `head`."""
        return self._caught_up()

    def read(self, seq: int) -> Commit:
        """Commit `seq`, its digest verified.

        Raises NotFound; StoreCorrupt when its bytes are not those that were committed; InvalidInput when a later
        version of Seedbed wrote it.
        """
        return self._checked(_commit(self._records.read(seq)))

    def commits(self) -> Iterator[Commit]:
        """Every commit, oldest first. Raises as `head`."""
        for seq in range(1, self.head() + 1):
            yield self._checked(self._committed(seq))

    def find(self, run_id: str, stage: Stage) -> Header | None:
        """The newest commit of the run's stage, whichever attempt made it; None when it never finished."""
        headers = self._caught_up()
        seq = headers.newest_of_stage(run_id, stage)
        return None if seq is None else headers[seq - 1]

    def run_ids(self) -> set[str]:
        """The names of all runs with a commit."""
        return self._caught_up().run_ids()

    def newest(self, cohort_id: str, stage: Stage) -> int | None:
        """The newest commit of the cohort and stage."""
        return self._caught_up().newest_of_cohort(cohort_id, stage)

    def in_group(self, group: str) -> Sequence[int]:
        """The commits of a comparison group, by its digest, oldest first."""
        return self._caught_up().in_group(group)

    def key(self, seq: int) -> str:
        """The key of commit `seq` in the store."""
        return self._records.key(seq)

    def append(self, draft: SnapshotDraft, logs: Mapping[str, LogHead], timestamp: datetime) -> Commit:
        """Commit `draft`: durable on return. The same content again returns the first commit.

        Raises Conflict when other content is committed under the same run, stage and attempt, and StoreUnavailable.
        """
        bare = build_body(draft, logs, timestamp)
        self._caught_up()  # with most of what others wrote, so that the turn is short
        with self._turn():
            while True:
                # One look at the log gives both the answer that the key is free and the number to claim: a commit of
                # the same key that lands after it has that number, and is seen when the claim fails.
                headers = self._caught_up()
                first = self._first(headers, draft.key, bare)
                if first:
                    return first
                commit, data = self._placed(headers, bare, len(headers) + 1)
                if self._records.publish(commit.seq, data):
                    break
                self._require_progress(commit.seq)
        self._remember(headers, header_of(commit.body), commit)
        self._sum_up(headers, commit)
        return commit

    def set_against(self, earlier: Commit, later: Commit, policy: Policy | None = None) -> Diff:
        """What `later`, of whatever log, changed since `earlier` of this one, and what its replicates say of chance.

        Without a policy, under the strictest one that holds.
        """
        return self._past.diff(self._caught_up(), earlier, later.side, policy)

    def promote_by_rule(self, commit: Commit, now: datetime) -> Promotion | None:
        """Make `commit` its group's baseline if the project's rule prefers it. Raises StoreUnavailable."""
        if self.baselines.rule is None:
            return None
        standing = self.baselines.of(commit.snapshot.digests["comparison_group"])
        seq = standing.snapshot_seq if standing else None
        return self.baselines.consider(commit, None if seq is None else self._committed(seq), now)

    def _caught_up(self) -> Headers:
        if self._headers is None:
            self._headers = self._opened()
        while found := self._records.next_after(len(self._headers)):
            commit = _commit(found)
            self._remember(self._headers, self._header(commit), commit)
        return self._headers

    def _opened(self) -> Headers:
        checkpoint = read_checkpoint(self.files, self._records.folder)
        headers = checkpoint.headers if checkpoint and self._covers(checkpoint) else Headers()
        self._covered = len(headers)
        self._records.require_gapless(after=len(headers))
        return headers

    def _covers(self, checkpoint: Checkpoint) -> bool:
        """Whether `checkpoint` sums up this log: its last commit is here, with the digest that it names."""
        try:
            return self._records.read(len(checkpoint.headers)).digest == checkpoint.digest
        except (NotFound, StoreCorrupt):
            return False

    def _first(self, headers: Headers, key: str, bare: Mapping[str, Any]) -> Commit | None:
        seq = headers.with_key(key)
        if seq is None:
            return None
        # Whoever published it may have died before its name was durable; a claim that fails makes it so.
        commit = self.read(seq)
        found, wanted = commit.snapshot.digests["content"], bare["digests"]["content"]
        if found != wanted:
            raise Conflict(
                f"{key} is committed already as number {seq} of {self.project}, with other content "
                f"({found[:12]}…, now {wanted[:12]}…); start a run with a new run_id"
            )
        self._records.publish(seq, seal(dict(commit.body))[0])
        return commit

    def _placed(self, headers: Headers, bare: Mapping[str, Any], seq: int) -> tuple[Commit, bytes]:
        """The commit at place `seq`, set against what came before it, and the bytes to publish."""
        placed = {**bare, "snapshot_seq": seq}
        diffs = self._past.diffs(headers, Side.of(placed))
        body: dict[str, Json] = {**placed, **{name: _json(found) for name, found in diffs.items()}}
        data, sealed = seal(body)
        return Commit(seq, sealed, body), data

    def _committed(self, seq: int) -> Commit:
        """Commit `seq`, not read through."""
        return self._recent.get(seq) or _commit(self._records.read(seq))

    def _checked(self, commit: Commit) -> Commit:
        with self._snapshot_expected(commit):
            header_of(upgraded(commit.body, self.key(commit.seq)))
            return commit.checked()

    def _header(self, commit: Commit) -> Header:
        with self._snapshot_expected(commit):
            return header_of(upgraded(commit.body, self.key(commit.seq)))

    @contextlib.contextmanager
    def _snapshot_expected(self, commit: Commit) -> Iterator[None]:
        place, key = (commit.body.get("snapshot_seq"), commit.body.get("project")), self.key(commit.seq)
        if place != (commit.seq, self.project):
            found, expected = (f"number {seq} of {project}" for seq, project in (place, (commit.seq, self.project)))
            raise damaged(key, f"it holds {found}, expected {expected}")
        try:
            yield
        except ValidationError as problem:
            first = problem.errors()[0]
            raise damaged(key, f"it is no snapshot: {first['msg']} at {first['loc']}") from None
        except (KeyError, TypeError, AttributeError) as problem:
            raise damaged(key, f"it is no snapshot: {problem!r}") from None

    def _remember(self, headers: Headers, header: Header, commit: Commit) -> None:
        headers.append(header)
        self._recent[header.seq] = commit
        self._recent.pop(header.seq - _REMEMBERED, None)

    def _sum_up(self, headers: Headers, commit: Commit) -> None:
        # Whoever commits a round number writes the checkpoint; one that was lost is made up for by a later writer.
        if commit.seq % CHECKPOINT_EVERY == 0 or commit.seq - self._covered >= 2 * CHECKPOINT_EVERY:
            write_checkpoint(self.files, self._records.folder, Checkpoint(headers, commit.digest))
        self._covered = commit.seq

    def _require_progress(self, taken: int) -> None:
        if self.head() < taken:
            raise StoreCorrupt(f"{self.key(taken)} is taken but cannot be read; run `seedbed runs fsck`")


def _json(found: Diff) -> Json:
    # As it will be read again, where 1.0 is 1: what is made of it now and later has the same bytes.
    return _NOTHING if found is NO_BASELINE else plain(found.model_dump(mode="json"))


def _commit(record: Sealed) -> Commit:
    return Commit(record.seq, record.digest, record.body)
