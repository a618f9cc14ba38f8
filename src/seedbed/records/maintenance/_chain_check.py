"""Checks whether each commit of a log is the one that was made, by the digests that it and later commits recorded."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from seedbed.records.maintenance._findings import NO_COPY, NOTHING, Finding, FindingKind
from seedbed.records.snapshot._commit import Commit

__all__ = ["ChainCheck"]


class _Record(NamedTuple):
    """That the commit `by` recorded the `digest` of commit `seq`; `how` it came to know it, in words."""

    by: int
    seq: int
    digest: str
    how: str


class ChainCheck:
    """Takes the undamaged commits of one log, and then says which of them are not what they were.

    `key` gives the key of a commit by its number. Commits are judged from the newest back, as far as is asked for. So
    one that is added below is judged with the rest, and one at the end changes nothing where it agrees with the others.
    """

    def __init__(self, key: Callable[[int], str]) -> None:
        self._key = key
        self._digests: dict[int, str] = {}
        self._records: dict[int, list[_Record]] = defaultdict(list)  # by the number of the commit that recorded them
        self._last = 0  # the highest number
        self._own: dict[int, str] = {}  # what is wrong with a commit by itself
        self._copies: dict[str, int] = {}  # the numbers of the copies of other commits, by the digest of those
        self._judge_anew()

    def copy_of(self, digest: str) -> int | None:
        """The number of the copy of the commit with this digest; None when there is none."""
        return self._copies.get(digest)

    def copies(self) -> list[tuple[str, int]]:
        """The commits that have copies here: the digest of each, and the number of its copy."""
        return list(self._copies.items())

    def own_digests(self) -> Collection[str]:
        """The digests of the commits."""
        return self._digests.values()

    def digests(self) -> Iterator[str]:
        """The digests of the commits, and of those of which they are copies."""
        yield from self._digests.values()
        yield from self._copies

    def add(self, commit: Commit) -> None:
        """Take a commit. Raises as `Commit.snapshot`."""
        records = list(_recorded(commit))
        if wrong := commit.wrong_digests():
            self._own[commit.seq] = f"its recorded digests of {', '.join(wrong)} do not match its content"
        if commit.seq > self._last >= self._judged_after and not wrong and all(map(self._agrees, records)):
            for record in records:
                self._credible.setdefault(record.seq, []).insert(0, record)
        else:
            if commit.seq > self._judged_after:
                self._judge_anew()
            if commit.seq not in self._digests:
                heappush(self._unjudged, -commit.seq)
        self._last = max(self._last, commit.seq)
        self._digests[commit.seq] = commit.digest
        self._records[commit.seq].extend(records)
        self._copies |= dict.fromkeys((digest for digest, _ in commit.originals()), commit.seq)

    def expected(self, seq: int) -> list[str]:
        """The digests of commit `seq`, as commits recorded them that count, the latest first; one, if they agree."""
        self._judge(seq)
        return list(dict.fromkeys(record.digest for record in self._credible.get(seq, ()) if record.by > seq))

    def findings(self) -> dict[str, Finding]:
        """The commits that are not what they were, by key."""
        wrong = FindingKind.DIGEST_WRONG
        numbers = {digest: seq for seq, digest in self._digests.items()}
        found = {seq: Finding(wrong, self._key(seq), what, NO_COPY) for seq, what in self._own.items()}
        self._judge(0)
        credible = (record for records in self._credible.values() for record in records)
        against = [item for item in credible if self._digests.get(item.seq, item.digest) != item.digest]
        for record in sorted(against, key=lambda item: (item.digest in self._copies, item.seq)):  # damage goes first
            found.setdefault(record.seq, self._finding(record))
        for digest, seq in self._copies.items():
            if seq not in found and (first := numbers.get(digest)) is not None:
                problem = f"it is a copy of commit {first}, which is in the log too: each holds the same run"
                found[seq] = Finding(FindingKind.RENUMBERED, self._key(seq), problem, NOTHING)
        return {finding.path: finding for finding in found.values()}

    def _finding(self, record: _Record) -> Finding:
        key, copy = self._key(record.seq), self._copies.get(record.digest)
        if copy is not None:
            problem = f"it is another one than commit {record.by} recorded: that is number {copy} now; nothing is lost"
            return Finding(FindingKind.RENUMBERED, key, problem, NOTHING)
        digests = f"{self._digests[record.seq][:12]}…, but commit {record.by}, which {record.how}, recorded"
        return Finding(FindingKind.DIGEST_WRONG, key, f"its digest is {digests} {record.digest[:12]}…", NO_COPY)

    def _agrees(self, record: _Record) -> bool:
        """Whether the latest that counts says the same as `record`, or else the commit itself, if it is there."""
        told = self._credible.get(record.seq)
        return record.digest == (told[0].digest if told else self._digests.get(record.seq, record.digest))

    def _judge_anew(self) -> None:
        self._unjudged = [-seq for seq in sorted(self._digests, reverse=True)]  # a heap: the newest first
        self._judged_after = math.inf
        self._credible: dict[int, list[_Record]] = {}  # by the number of which they tell, the latest first

    def _judge(self, after: int) -> None:
        """Take what the commits after number `after` recorded and are themselves what they were.

        A commit that another has replaced holds digests of the commits that were before the other one. So what a commit
        recorded counts only where its own content agrees with it, and so does the latest commit that counts.
        """
        while self._unjudged and -self._unjudged[0] > after:
            by = -heappop(self._unjudged)
            told = self._credible.get(by)
            if by not in self._own and (told is None or told[0].digest == self._digests[by]):
                for record in self._records[by]:
                    self._credible.setdefault(record.seq, []).append(record)
        self._judged_after = min(self._judged_after, after)


def _recorded(commit: Commit) -> Iterator[_Record]:
    """The digests that a commit recorded of earlier ones."""
    snapshot = commit.snapshot
    if snapshot.previous and not snapshot.previous.is_lost:
        yield _Record(commit.seq, commit.seq - 1, snapshot.previous.digest, "came after it")
    for diff in (snapshot.diff_prev, snapshot.diff_baseline):
        if diff.prev_snapshot_seq and diff.prev_digest:
            yield _Record(commit.seq, diff.prev_snapshot_seq, diff.prev_digest, "was compared with it")
