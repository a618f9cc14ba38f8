"""Checks whether each commit of a log is the one that was made, by the digests that it and later commits recorded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from seedbed.records.canonical._seal import seal
from seedbed.records.maintenance._findings import NO_COPY, NOTHING, Finding, FindingKind
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._digests import content_digests, own_digests
from seedbed.records.snapshot._migrations import upgraded

__all__ = ["ChainCheck"]


class _Claim(NamedTuple):
    """That the commit `against` is not what it was, since the commit `by` recorded the digest `expected` of it."""

    by: int
    against: int
    expected: str
    problem: str


class ChainCheck:
    """Takes the undamaged commits of one log in order, and then says which of them are not what they were.

    `key` gives the key of a commit by its number.
    """

    def __init__(self, key: Callable[[int], str]) -> None:
        self._key = key
        self._digests: dict[int, str] = {}
        self._claims: list[_Claim] = []
        self._copies: dict[str, int] = {}  # the numbers of the copies of other commits, by the digest of those

    def digests(self) -> Iterator[str]:
        """The digests of the commits, and of those of which they are copies."""
        yield from self._digests.values()
        yield from self._copies

    def add(self, commit: Commit) -> None:
        """Take the next commit. Raises as `Commit.snapshot`."""
        body = upgraded(commit.body, f"commit {commit.seq}")
        self._digests[commit.seq] = commit.digest
        self._claims.extend(self._own(commit, body))
        self._claims.extend(self._recorded(commit))
        self._copies |= dict.fromkeys((digest for digest, _ in _originals(commit.body)), commit.seq)

    def findings(self) -> dict[str, Finding]:
        """The commits that are not what they were, by key."""
        claims = sorted(_credible(self._claims), key=lambda claim: claim.expected in self._copies)  # damage goes first
        found: dict[str, Finding] = {}
        for claim in claims:
            key = self._key(claim.against)
            found.setdefault(key, self._finding(key, claim))
        return found

    def _finding(self, key: str, claim: _Claim) -> Finding:
        copy = self._copies.get(claim.expected)
        if copy is None:
            return Finding(FindingKind.DIGEST_WRONG, key, claim.problem, NO_COPY)
        problem = f"it is another one than commit {claim.by} recorded: that is number {copy} now, and nothing is lost"
        return Finding(FindingKind.RENUMBERED, key, problem, NOTHING)

    def _own(self, commit: Commit, body: Mapping[str, Any]) -> Iterator[_Claim]:
        """The digests in a commit that are not those of its own content."""
        recorded = {**body["fingerprints"], **body["digests"]}
        computed = {**own_digests(body["config"], body["volatile_settings"]), **content_digests(body)}
        wrong = sorted(name for name, digest in computed.items() if recorded.get(name) != digest)
        if any(seal(dict(held))[1] != digest for digest, held in _originals(commit.body)):
            wrong.append("the commit of which it is a copy")
        if wrong:
            problem = f"its recorded digests of {', '.join(wrong)} do not match its content"
            yield _Claim(commit.seq, commit.seq, "", problem)

    def _recorded(self, commit: Commit) -> Iterator[_Claim]:
        """The digests that a commit recorded of earlier ones, where those have others."""
        snapshot = commit.snapshot
        diffs = (snapshot.diff_prev, snapshot.diff_baseline)
        recorded = [(diff.prev_snapshot_seq or 0, diff.prev_digest or "", "was compared with it") for diff in diffs]
        if snapshot.previous and not snapshot.previous.is_lost:
            recorded.append((commit.seq - 1, snapshot.previous.digest, "came after it"))
        for seq, digest, how in recorded:
            found = self._digests.get(seq, digest)
            if digest and found != digest:
                problem = f"its digest is {found[:12]}…, but commit {commit.seq}, which {how}, recorded {digest[:12]}…"
                yield _Claim(commit.seq, seq, digest, problem)


def _credible(claims: Iterable[_Claim]) -> Iterator[_Claim]:
    """The claims by commits that are themselves what they were.

    A commit that another has replaced holds digests of the commits that were before the other one. So a claim counts
    only where no credible claim of a later commit, nor one of its own, is against the commit that makes it.
    """
    wrong: set[int] = set()
    for claim in sorted(claims, key=lambda item: (-item.by, item.by != item.against)):
        if claim.by not in wrong:
            wrong.add(claim.against)
            yield claim


def _originals(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The commit of which a commit is a copy, with its digest, and the one of which that one is, and so on."""
    while origin := body.get("origin"):
        body = origin["commit"]
        yield origin["digest"], body
