"""Checks LATEST.json, checkpoints, the catalog and the index against the commits that they are derived from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records._views import latest_pointer
from seedbed.records.log._checkpoint import Checkpoint, checkpoint_key, decoded
from seedbed.records.log._copies import read_object
from seedbed.records.log._headers import Headers
from seedbed.records.maintenance._catalog_check import catalog_problem
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._findings import REPAIR, Finding, FindingKind
from seedbed.records.maintenance._folder_check import confirmed
from seedbed.records.maintenance._index import index_problem
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.maintenance._tail_check import pointed_at
from seedbed.records.storage._layout import CATALOG, INDEX, LOGS, is_latest_key, log_folder

__all__ = ["DerivedCheck", "checkpoint_of"]


@dataclass(frozen=True)
class DerivedCheck:
    """Checks the derived files of a store. Those of projects with `damaged` commits are skipped."""

    store: Store
    reachable: Reachability
    damaged: Mapping[str, Finding]

    def findings(self, progress: Progress | None = None) -> Iterator[Finding]:
        """Everything that is wrong with the derived files."""
        yield from self._latest()
        for project in self.reachable.inventory.projects(LOGS):
            if not self._has_damage(f"{LOGS}/{project}/"):
                yield from self._checkpoint(project)
        if not self._has_damage(f"{LOGS}/"):
            problem = catalog_problem(self.store, progress)
            if problem:
                yield Finding(FindingKind.CATALOG_STALE, CATALOG, problem, REPAIR)
            yield from self._index()

    def _has_damage(self, prefix: str) -> bool:
        return any(f"{key}/".startswith(prefix) for key in self.damaged)

    def _latest(self) -> Iterator[Finding]:
        expected = {item.latest_key: item for item in self.reachable.scan.all_commits()}
        for key in sorted({*expected, *filter(is_latest_key, self.reachable.inventory.others)}):
            commit = expected.get(key)
            check = partial(self._one_latest, key, commit)
            yield from confirmed(self.store, commit.folder, check) if commit else check()

    def _one_latest(self, key: str, commit: ScannedCommit | None) -> list[Finding]:
        """What is wrong with the pointer at `key`, which should name `commit`."""
        found = _bytes(self.store, key)
        if commit and (commit.key in self.damaged or found == self._pointer(commit)):
            return []
        shown = read_object(self.store.files, key) or {}  # once: a writer may point it elsewhere at any moment
        pointed = pointed_at(key, shown)
        if pointed and self._is_named_or_new(pointed.project, pointed.seq):
            return []
        target = str(shown.get("path", ""))
        if target.startswith(f"{LOGS}/") and target not in self.reachable.inventory.others:
            problem = f"it points to {target}, which is missing"
            return [Finding(FindingKind.LATEST_DANGLING, key, problem, REPAIR)]
        newest = f"commit {commit.seq}" if commit else "any commit of its cohort and stage"
        return [Finding(FindingKind.LATEST_STALE, key, f"it does not point to {newest}", REPAIR)]

    def _is_named_or_new(self, project: str, seq: int) -> bool:
        """Whether commit `seq` is not among the undamaged ones: its damage is reported elsewhere, or it is newer."""
        return seq not in {item.seq for item in self.reachable.scan.commits.get(project, ())}

    def _pointer(self, commit: ScannedCommit) -> bytes:
        return latest_pointer(self.store.log(commit.project).read(commit.seq), commit.key)

    def _checkpoint(self, project: str) -> Iterator[Finding]:
        key = checkpoint_key(log_folder(project))
        data = _bytes(self.store, key)
        if data is None:
            return
        try:
            checkpoint = decoded(data)
        except (ValueError, KeyError, TypeError, IndexError) as damage:
            yield Finding(FindingKind.CHECKPOINT_DAMAGED, key, f"it cannot be read: {damage}", REPAIR)
            return
        if checkpoint is None:
            yield Finding(FindingKind.CHECKPOINT_STALE, key, "it is of another version", REPAIR)
            return
        num = checkpoint.headers.last
        if num > self.reachable.scan.headers[project].last:  # it was written after the listing
            return
        expected = checkpoint_of(self.reachable, project, num)
        if (expected.digest, expected.headers.columns()) != (checkpoint.digest, checkpoint.headers.columns()):
            yield Finding(FindingKind.CHECKPOINT_STALE, key, f"it does not match commits 1 to {num}", REPAIR)

    def _index(self) -> Iterator[Finding]:
        data = _bytes(self.store, INDEX)
        problem = None if data is None else index_problem(data, self.reachable)
        if problem:
            yield Finding(FindingKind.INDEX_STALE, INDEX, problem, REPAIR)


def checkpoint_of(reachable: Reachability, project: str, num: int) -> Checkpoint:
    """The right checkpoint of the numbers 1 to `num` of `project`."""
    headers, digest = Headers(), ""
    commits = zip(reachable.scan.headers[project], reachable.scan.commits[project], strict=True)
    for header, commit in takewhile(lambda item: item[1].seq <= num, commits):
        headers.append(header)
        digest = commit.digest
    return Checkpoint(headers, digest)


def _bytes(store: Store, key: str) -> bytes | None:
    try:
        return store.files.read(key)
    except NotFound:
        return None
    except StoreCorrupt:  # nothing can be read there, which no derived file is
        return b""
