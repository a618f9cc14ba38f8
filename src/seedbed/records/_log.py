"""The commit log of one project: immutable files, numbered from 1 without gaps, published by put-if-absent.

No lock and no clock takes part. A writer that loses the race for a number catches up with who won, looks again for its
predecessor, and tries the next number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._canonical import digest
from seedbed.records._diff import diff
from seedbed.records._draft import SnapshotDraft, build_snapshot
from seedbed.records._durable import create, settle
from seedbed.records._names import commit_file
from seedbed.records._seal import seal, unseal
from seedbed.records._snapshot import SNAPSHOT_SCHEMA_VERSION, Commit, LogHead, Snapshot

__all__ = ["CommitLog", "Header", "numbered_files"]

_COMMIT_FILE = re.compile(r"\d{20}\.json")


@dataclass(frozen=True)
class Header:
    """What finding a commit takes, without holding all of it."""

    seq: int
    key: str
    run_id: str
    stage: Stage
    cohort_id: str
    group: str
    content: str


class CommitLog:
    """One project's commits. Any number of processes may append; what is committed is never written again."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder
        self.project = project
        self._headers: list[Header] = []
        self._by_key: dict[str, Header] = {}

    def head(self) -> int:
        """The newest number; 0 for an empty log. Raises StoreCorrupt when a commit is missing or damaged."""
        return len(self.headers())

    def headers(self) -> Sequence[Header]:
        """The headers of all commits, oldest first. Commits never change: only new ones are read. Raises as `head`."""
        if not self._headers:
            _require_gapless(self.folder)
        while True:
            try:
                commit = self.read(len(self._headers) + 1)
            except NotFound:
                return self._headers
            self._remember(commit.snapshot)

    def read(self, seq: int) -> Commit:
        """Commit `seq`, its digest verified.

        Raises NotFound; StoreCorrupt when its bytes are not those that were committed; InvalidInput when a later
        version of Seedbed wrote it.
        """
        path = self.path(seq)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no commit {seq} in {self.folder}") from None
        return _parse(data, path, seq, self.project)

    def commits(self) -> Iterator[Commit]:
        """Every commit, oldest first. Raises as `head`."""
        for seq in range(1, self.head() + 1):
            yield self.read(seq)

    def find(self, run_id: str, stage: Stage) -> Header | None:
        """The newest commit of the run's stage, whichever attempt made it; None when it never finished."""
        return next((item for item in reversed(self.headers()) if (item.run_id, item.stage) == (run_id, stage)), None)

    def append(self, draft: SnapshotDraft, logs: Mapping[str, LogHead], timestamp: datetime) -> Commit:
        """Commit `draft`: durable on return. The same content again returns the first commit.

        Raises Conflict when other content is committed under the same run, stage and attempt, and StoreUnavailable.
        """
        while True:
            # One look at the log gives both the answer that the key is free and the number to claim: a commit of the
            # same key that lands after it has that number, and is seen when the claim fails.
            seq = self.head() + 1
            first = self._first(draft)
            if first:
                return first
            bare = build_snapshot(draft, logs, seq, timestamp)
            snapshot = bare.model_copy(update={"diff_prev": diff(self._predecessor(bare), bare)})
            data, sealed = seal(snapshot.model_dump(mode="json"))
            try:
                create(self.path(seq), data)
            except FileExistsError:
                self._require_progress(seq)
                continue
            self._remember(snapshot)
            return Commit(seq, sealed, snapshot)

    def path(self, seq: int) -> Path:
        """The file of commit `seq`."""
        return self.folder / commit_file(seq)

    def _first(self, draft: SnapshotDraft) -> Commit | None:
        header = self._by_key.get(draft.key)
        if header is None:
            return None
        if header.content != draft.digests["content"]:
            raise Conflict(
                f"{draft.key} is committed already as number {header.seq} of {self.project}, with other content "
                f"({header.content[:12]}…, now {draft.digests['content'][:12]}…); start a run with a new run_id"
            )
        # Whoever published it may have died before its name was durable.
        settle(self.folder)
        return self.read(header.seq)

    def _predecessor(self, snapshot: Snapshot) -> Commit | None:
        group = digest(snapshot.comparison_group)
        for header in reversed(self._headers):
            if header.group == group and header.run_id != snapshot.run_id:
                return self.read(header.seq)
        return None

    def _remember(self, snapshot: Snapshot) -> None:
        header = Header(
            seq=snapshot.snapshot_seq,
            key=snapshot.key,
            run_id=snapshot.run_id,
            stage=snapshot.stage,
            cohort_id=str(snapshot.metadata["cohort_id"]),
            group=digest(snapshot.comparison_group),
            content=snapshot.digests["content"],
        )
        self._headers.append(header)
        self._by_key.setdefault(header.key, header)

    def _require_progress(self, taken: int) -> None:
        if self.head() < taken:
            raise StoreCorrupt(f"{self.path(taken)} is taken but cannot be read; run `seedbed runs fsck`")


def numbered_files(folder: Path) -> list[int]:
    """The numbers of the commits in `folder`, ascending; a folder that is not there has none."""
    if not folder.is_dir():
        return []
    return sorted(int(path.stem) for path in folder.iterdir() if _COMMIT_FILE.fullmatch(path.name))


def _require_gapless(folder: Path) -> None:
    numbers = numbered_files(folder)
    missing = sorted(set(range(1, len(numbers) + 1)) - set(numbers))
    if missing:
        raise StoreCorrupt(
            f"commit {missing[0]} of {folder} is missing, while {numbers[-1]} exists; "
            "restore the file from a copy of the store: it is never made again"
        )


def _parse(data: bytes, path: Path, seq: int, project: str) -> Commit:
    try:
        body, sealed = unseal(data)
    except ValueError as problem:
        raise _corrupt(path, str(problem)) from None
    version = body.get("schema_version")
    if version != SNAPSHOT_SCHEMA_VERSION:
        raise InvalidInput(
            f"{path} has schema version {version}, this Seedbed reads {SNAPSHOT_SCHEMA_VERSION}; upgrade it"
        )
    try:
        snapshot = Snapshot.model_validate(body)
    except ValidationError as problem:
        raise _corrupt(
            path, f"it is no snapshot: {problem.errors()[0]['msg']} at {problem.errors()[0]['loc']}"
        ) from None
    if (snapshot.snapshot_seq, snapshot.project) != (seq, project):
        raise _corrupt(
            path, f"it holds number {snapshot.snapshot_seq} of {snapshot.project}, expected {seq} of {project}"
        )
    return Commit(seq, sealed, snapshot)


def _corrupt(path: Path, found: str) -> StoreCorrupt:
    return StoreCorrupt(f"the commit {path} is damaged: {found}; restore the file from a copy of the store")
