"""What takes the room of a store: by kind of file, by project, and the largest payloads."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from seedbed.records._store import Store
from seedbed.records.maintenance._gc import plan_of
from seedbed.records.maintenance._inventory import Inventory, Progress
from seedbed.records.maintenance._reachable import Reachability, mark
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._layout import BASELINES, CATALOG, EVENTS, INDEX, LATEST, LOGS, RELEASES, log_folder
from seedbed.records.storage._numbered_log import record_number

__all__ = ["KindUsage", "LargeBlob", "ProjectUsage", "StoreStats", "stats"]

_COMMITS, _EVENTS, _JOURNALS, _BLOBS = "commits", "step logs", "journals", "blobs"
_DERIVED = "views, pointers and indices"
_OTHER = "claims and markers"


@dataclass(frozen=True)
class KindUsage:
    """What all files of one kind take."""

    kind: str
    num_files: int
    size_bytes: int


@dataclass(frozen=True)
class ProjectUsage:
    """What one project takes. A blob that several projects hold is counted for each of them."""

    project: str
    num_commits: int
    num_runs: int
    log_bytes: int
    folder_bytes: int
    blob_bytes: int


@dataclass(frozen=True)
class LargeBlob:
    """One of the largest payloads as stored, and the first commit that holds it; None where none does."""

    digest: str
    size_bytes: int
    project: str | None
    run_id: str | None


@dataclass(frozen=True)
class StoreStats:
    """All of a store. `reclaimable_bytes` is what `gc` would free now; None while a record is damaged or missing."""

    usage: tuple[KindUsage, ...]
    projects: tuple[ProjectUsage, ...]
    largest: tuple[LargeBlob, ...]
    reclaimable_bytes: int | None

    @property
    def size_bytes(self) -> int:
        """What everything takes."""
        return sum(room.size_bytes for room in self.usage)


def stats(store: Store, *, num_largest: int = 5, progress: Progress | None = None) -> StoreStats:
    """Count what is there; it changes nothing. Raises InvalidInput for a later version, and StoreUnavailable."""
    marks = mark(store, progress=progress)
    return StoreStats(
        usage=tuple(_rooms(marks.inventory)),
        projects=tuple(_projects(marks)),
        largest=tuple(_largest(marks, num_largest)),
        reclaimable_bytes=None if marks.findings else plan_of(store, marks).size_bytes,
    )


def _rooms(inventory: Inventory) -> Iterator[KindUsage]:
    """The kinds that there are, the largest first."""
    files, sizes = Counter[str](), Counter[str]()
    for kind, size_bytes in _by_kind(inventory):
        files[kind] += 1
        sizes[kind] += size_bytes
    yield from (KindUsage(kind, files[kind], size) for kind, size in sizes.most_common())


def _by_kind(inventory: Inventory) -> Iterator[tuple[str, int]]:
    yield from ((_BLOBS, blob.size_bytes) for blob in inventory.blobs)
    yield from (("unpublished or left behind", file.size_bytes) for file in inventory.temporary)
    yield from ((_kind_in_folder(name), size) for names in inventory.folders.values() for name, size in names.items())
    yield from ((_kind(key), size) for key, size in inventory.others.items())


def _kind_in_folder(name: str) -> str:
    if name == EVENTS:
        return _EVENTS
    if name.endswith(".log"):
        return _JOURNALS
    return _OTHER if name.startswith(("attempt-", "status")) else _DERIVED


def _kind(key: str) -> str:
    top = key.partition("/")[0]
    if top in (LOGS, BASELINES, RELEASES):
        kinds = {LOGS: _COMMITS, BASELINES: "promotions", RELEASES: "releases"}
        return _DERIVED if record_number(key) is None else kinds[top]
    return _DERIVED if top == LATEST or key.startswith((CATALOG, INDEX)) else _OTHER


def _projects(marks: Reachability) -> Iterator[ProjectUsage]:
    """Every project, the one with the most commits first."""
    inventory = marks.inventory
    blob_sizes = {blob_digest(blob.key): blob.size_bytes for blob in inventory.blobs}
    for project, commits in sorted(marks.survey.commits.items(), key=lambda item: (-len(item[1]), item[0])):
        held = {digest for commit in commits for digest in commit.mentioned}
        folders = [names for folder, names in inventory.folders.items() if folder.split("/")[1] == project]
        yield ProjectUsage(
            project=project,
            num_commits=len(commits),
            num_runs=len({commit.run_id for commit in commits}),
            log_bytes=sum(size for key, size in inventory.others.items() if key.startswith(f"{log_folder(project)}/")),
            folder_bytes=sum(size for names in folders for size in names.values()),
            blob_bytes=sum(blob_sizes[digest] for digest in held),
        )


def _largest(marks: Reachability, num_largest: int) -> Iterator[LargeBlob]:
    holders = {digest: commit for commit in reversed(list(marks.survey.every())) for digest in commit.mentioned}
    for blob in nlargest(num_largest, marks.inventory.blobs, key=lambda blob: blob.size_bytes):
        found = blob_digest(blob.key) or ""
        holder = holders.get(found)
        whose = (holder.project, holder.run_id) if holder else (None, None)
        yield LargeBlob(found, blob.size_bytes, *whose)
