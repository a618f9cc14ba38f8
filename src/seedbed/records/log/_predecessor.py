"""The commits that a new snapshot is compared with: its predecessor, its group's baseline, and the replicates."""

import functools
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from seedbed.records.compare._diff import EarlierCommit, Replicates, diff_since, numbers, shortened
from seedbed.records.compare._noise import MOST_REPLICATES
from seedbed.records.compare._severity import PlainDiff
from seedbed.records.log._baselines import Baselines, Promotion
from seedbed.records.log._headers import Headers
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._compared import Side
from seedbed.records.snapshot._draw import draw_of
from seedbed.records.snapshot._policy import Policy
from seedbed.records.snapshot._snapshot import NO_BASELINE, NO_PREDECESSOR
from seedbed.records.storage._blobs import Blobs
from seedbed.records.storage._files import Files

__all__ = ["Predecessors"]

_MOST_RUNS = 64  # the newest runs of a configuration among which replicates are looked for
_NO_BASELINE: PlainDiff = NO_BASELINE.model_dump(mode="json")
_NO_PREDECESSOR: PlainDiff = NO_PREDECESSOR.model_dump(mode="json")
_CACHED_COMMITS = 2 * _MOST_RUNS  # more than are looked through each time, or none would be found again


class _Known(NamedTuple):
    """What is needed of a replicate: its draw and its metrics, as `numbers`."""

    draw: str
    metrics: Mapping[str, float]


class Predecessors:
    """Finds what a snapshot is compared with among one project's commits.

    `read` returns a commit by number; None when it cannot be read.
    """

    def __init__(self, files: Files, baselines: Baselines, read: Callable[[int], Commit | None]) -> None:
        self._blobs = Blobs(files)
        self._baselines = baselines
        self._read = read
        self._known = functools.lru_cache(_CACHED_COMMITS)(self._read_known)

    def diffs(self, headers: Headers, current: Side) -> dict[str, PlainDiff]:
        """`diff_prev` and `diff_baseline` of `current`; full lists that are too long are stored as blobs first."""
        earlier = self._predecessor(headers, current) or self._none(headers, current)
        found = {"diff_prev": earlier, "diff_baseline": self._baseline(current)}
        return {
            name: self._shortened_diff(headers, what, current) if isinstance(what, Commit) else what
            for name, what in found.items()
        }

    def _none(self, headers: Headers, current: Side) -> PlainDiff:
        """No predecessor; with the name of the newest commit, if only the case of letters keeps that one from it."""
        newest = self._newest(headers)
        fields = [] if newest is None else _apart_by_case(newest.comparison_group, current.comparison_group)
        if newest is None or not fields:
            return _NO_PREDECESSOR
        names, differ = ", ".join(f"`{field}`" for field in fields), "differs" if len(fields) == 1 else "differ"
        which = f"{newest.run_id} would be the predecessor, but {names} {differ} in upper and lower case"
        return {**_NO_PREDECESSOR, "summary": f"{NO_PREDECESSOR.summary}; {which}"}

    def _predecessor(self, headers: Headers, current: Side) -> Commit | None:
        for seq in reversed(headers.in_group(current.digests["comparison_group"])):
            if headers.run_id(seq) != current.run_id and (found := self._read(seq)):
                return found
        return None

    def _newest(self, headers: Headers) -> Side | None:
        seq = headers.newest()
        found = None if seq is None else self._read(seq)
        return None if found is None else found.side

    def _baseline(self, current: Side) -> Commit | PlainDiff:
        """The baseline of the group; or the diff that says why there is none."""
        found = self._baselines.of(current.digests["comparison_group"])
        if found is None or found.snapshot_seq is None or found.run_id == current.run_id:
            return _NO_BASELINE
        why = f"no baseline: commit {found.snapshot_seq} is promoted, but cannot be read"
        return self.promoted(found) or {**_NO_BASELINE, "summary": why}

    def promoted(self, promotion: Promotion) -> Commit | None:
        """The commit that was promoted; None when it cannot be read, or another one has its number."""
        commit = self._read(promotion.snapshot_seq or 0)
        return commit if commit and commit.digest == promotion.digest else None

    def diff(self, headers: Headers, earlier: Commit, current: Side, policy: Policy | None = None) -> PlainDiff:
        """The diff from `earlier` to `current`, with the noise of the replicates of `earlier`."""
        newest = reversed(headers.replicating(headers.of(earlier.seq).replicates))
        others = (seq for seq in newest if headers.run_id(seq) != current.run_id)
        known = self._known(earlier.seq) or _known(earlier.side)
        before = EarlierCommit(earlier.seq, earlier.digest, earlier.side, known.metrics)
        return diff_since(before, current, policy, self._replicates(islice(others, _MOST_RUNS)))

    def _replicates(self, newest: Iterable[int]) -> Replicates:
        """The newest run of each seed, until MOST_REPLICATES are found."""
        found: dict[str, Mapping[str, float]] = {}
        num_runs = 0
        for seq in newest:
            known = self._known(seq)
            if known is None:
                continue
            found.setdefault(known.draw, known.metrics)
            num_runs += 1
            if len(found) == MOST_REPLICATES:
                break
        return Replicates(tuple(found.values())[::-1], num_runs - len(found))

    def _read_known(self, seq: int) -> _Known | None:
        commit = self._read(seq)
        return None if commit is None else _known(commit.side)

    def _shortened_diff(self, headers: Headers, earlier: Commit, current: Side) -> PlainDiff:
        found, details = shortened(self.diff(headers, earlier, current))
        if details is not None:
            self._blobs.put(details)
        return found


def _apart_by_case(earlier: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """The fields in which the two differ, if they differ in nothing but the case of letters."""
    differing = [name for name in current if current[name] != earlier.get(name)]
    alike = all(str(current[name]).casefold() == str(earlier.get(name)).casefold() for name in differing)
    return differing if alike and earlier.keys() == current.keys() else []


def _known(side: Side) -> _Known:
    return _Known(draw_of(side), numbers(side))
