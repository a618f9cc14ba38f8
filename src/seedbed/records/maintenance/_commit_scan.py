"""Reads every commit of a store once, and keeps the parts that the checks, sweeps and statistics need."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._names import commit_file
from seedbed.records.log._headers import Headers, header_of
from seedbed.records.maintenance._chain_check import ChainCheck
from seedbed.records.maintenance._findings import MOVE, NO_COPY, NOTHING, READ, UPGRADE, Finding, FindingKind
from seedbed.records.maintenance._inventory import Inventory, Progress
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._layout import LOGS, latest_key, log_folder, run_folder
from seedbed.records.storage._numbered_log import Quarantined, record_number, unadvised

__all__ = [
    "CommitScan",
    "Records",
    "ScannedCommit",
    "add_finding",
    "digests_in",
    "gap_problem",
    "named_blobs",
    "readable_records",
    "scan_commits",
]

Record = TypeVar("Record", covariant=True)

_KINDS = (FindingKind.COMMIT_MISSING, FindingKind.COMMIT_DAMAGED)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REPORT_EVERY = 100


@dataclass(frozen=True, slots=True)
class ScannedCommit:
    """The parts of one undamaged commit. `named` are the blobs that it records as its own (`blobs` and diff `details`).

    `mentioned` are all stored blobs whose digest appears anywhere in the commit.
    """

    project: str
    seq: int
    digest: str
    run_id: str
    stage: Stage
    attempt: int
    cohort_id: str
    when: datetime
    named: tuple[str, ...]
    mentioned: tuple[str, ...]
    logs: Mapping[str, LogHead]
    is_copy: bool

    @property
    def key(self) -> str:
        """The key of the commit itself."""
        return f"{log_folder(self.project)}/{commit_file(self.seq)}"

    @property
    def folder(self) -> str:
        """The folder of its run's stage."""
        return run_folder(self.project, self.run_id, self.stage)

    @property
    def latest_key(self) -> str:
        """The key of the LATEST.json of its project, cohort and stage."""
        return latest_key(self.project, self.cohort_id, self.stage)


@dataclass(frozen=True)
class CommitScan:
    """The undamaged commits of each project in order, their headers, and the damage found, by the key of its file.

    `chains` hold what the commits of a project recorded of each other.
    """

    commits: dict[str, list[ScannedCommit]] = field(default_factory=dict)
    headers: dict[str, Headers] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    chains: dict[str, ChainCheck] = field(default_factory=dict)

    def all_commits(self) -> Iterator[ScannedCommit]:
        """All undamaged commits of all projects."""
        for commits in self.commits.values():
            yield from commits

    def digests(self) -> set[str]:
        """The digests of the undamaged commits, and of those of which they are copies."""
        return {digest for chain in self.chains.values() for digest in chain.digests()}

    def expected(self, key: str) -> list[str]:
        """The digests of the commit at `key`, as `ChainCheck.expected`."""
        chain = self.chains.get(key.split("/")[1])
        return chain.expected(record_number(key) or 0) if chain else []

    def newest(self) -> dict[str, ScannedCommit]:
        """The newest commit of every run folder and of every LATEST.json, by the folder or key."""
        found: dict[str, ScannedCommit] = {}
        for commit in self.all_commits():
            found[commit.folder] = found[commit.latest_key] = commit
        return found


def scan_commits(store: Store, inventory: Inventory, progress: Progress | None = None) -> CommitScan:
    """Read all commits that `inventory` lists."""
    stored = frozenset(filter(None, (blob_digest(blob.key) for blob in inventory.blobs)))
    found = CommitScan()
    total = sum(len(numbers) for (top, _), numbers in inventory.numbers.items() if top == LOGS)
    done = 0
    for project in inventory.projects(LOGS):
        log = store.log(project)
        commits, headers = found.commits.setdefault(project, []), found.headers.setdefault(project, Headers())
        chain = found.chains[project] = ChainCheck(log.key)
        for commit in readable_records(log, inventory.numbers[LOGS, project], _KINDS, found.findings):
            chain.add(commit)
            headers.append(header_of(upgraded(commit.body, log.key(commit.seq))))
            commits.append(_scanned(commit, stored))
            done += 1
            if progress and done % _REPORT_EVERY == 0:
                progress("reading commits", done, total)
        for key, finding in chain.findings().items():
            found.findings.setdefault(key, finding)
    return found


class Records(Protocol[Record]):
    """A log of numbered records of one kind."""

    def key(self, seq: int) -> str:
        """The key of record `seq`."""
        ...

    def read(self, seq: int) -> Record:
        """Record `seq`. Raises StoreCorrupt."""
        ...


def readable_records(
    log: Records[Record], numbers: Sequence[int], kinds: tuple[FindingKind, FindingKind], findings: dict[str, Finding]
) -> Iterator[Record]:
    """The undamaged records among `numbers`, ascending.

    Adds the missing and the damaged to `findings`, as `kinds`, and those in quarantine or of a later version.
    """
    missing, damaged = kinds
    last = 0
    for seq in numbers:
        if seq > last + 1:
            add_finding(findings, missing, log.key(last + 1), gap_problem(last, seq - 1, f"{seq} exists"))
        last = seq
        try:
            record = log.read(seq)
        except NotFound:
            key, problem = log.key(seq), "it cannot be found any more, or is a link that leads nowhere"
            # At the end, nothing may ever have been recorded there.
            kind, advice = (FindingKind.SLOT_TAKEN, MOVE) if seq == numbers[-1] else (missing, NO_COPY)
            findings.setdefault(key, Finding(kind, key, problem, advice))
        except Quarantined as loss:
            key = log.key(seq)
            findings.setdefault(key, Finding(FindingKind.QUARANTINED, key, str(loss), NOTHING))
        except InvalidInput as newer:
            key = log.key(seq)
            findings.setdefault(key, Finding(FindingKind.RECORD_NEWER, key, str(newer), UPGRADE))
        except Unreadable as refused:
            key, advice = log.key(seq), READ if refused.is_whole else NO_COPY
            findings.setdefault(key, Finding(damaged, key, str(refused), advice))
        except StoreCorrupt as damage:
            add_finding(findings, damaged, log.key(seq), unadvised(str(damage)))
        else:
            yield record


def add_finding(findings: dict[str, Finding], kind: FindingKind, key: str, problem: str) -> None:
    """Add damage that only a copy of the store can repair to `findings`, unless `key` has a finding already."""
    findings.setdefault(key, Finding(kind, key, problem, NO_COPY))


def gap_problem(last: int, until: int, because: str) -> str:
    """A message about the missing records `last` + 1 to `until`, with the evidence that they existed."""
    return f"{until - last} missing from number {last + 1} on, while {because}"


def named_blobs(body: Mapping[str, Json]) -> tuple[str, ...]:
    """The digests of the blobs that a commit names: its payloads, and the full lists of long diffs.

    `body` is in the current schema.
    """
    blobs, diffs = body.get("blobs"), (body.get("diff_prev"), body.get("diff_baseline"))
    details = [diff.get("details") for diff in diffs if isinstance(diff, dict)]
    payloads = list(blobs.values()) if isinstance(blobs, dict) else []
    return tuple(dict.fromkeys(str(digest) for digest in (*payloads, *details) if digest))


def _scanned(commit: Commit, stored: frozenset[str]) -> ScannedCommit:
    snapshot = commit.snapshot
    named = named_blobs(upgraded(commit.body, f"commit {commit.seq}"))
    return ScannedCommit(
        project=snapshot.project,
        seq=commit.seq,
        digest=commit.digest,
        run_id=snapshot.run_id,
        stage=snapshot.stage,
        attempt=snapshot.attempt_id,
        cohort_id=str(snapshot.metadata["cohort_id"]),
        when=snapshot.timestamp,
        named=named,
        mentioned=tuple({*named, *digests_in(commit.body)} & stored),
        logs=snapshot.logs,
        is_copy=snapshot.origin is not None,
    )


def digests_in(value: object) -> Iterator[str]:
    """Every text in the JSON `value` that may be the digest of a blob."""
    if isinstance(value, str):
        if _DIGEST.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from digests_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from digests_in(item)
