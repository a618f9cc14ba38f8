"""What takes up space in a store: by kind of file, by project, and the largest payloads."""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from seedbed.errors import StoreDamaged
from seedbed.records._store import Store
from seedbed.records.maintenance._file_kinds import files_by_kind
from seedbed.records.maintenance._folder_check import lost_records
from seedbed.records.maintenance._gc import plan_of
from seedbed.records.maintenance._inventory import Inventory, Progress
from seedbed.records.maintenance._reachable import Reachability, find_reachable
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._layout import log_folder
from seedbed.records.storage._numbered_log import advised

__all__ = ["KindUsage", "LargeBlob", "ProjectUsage", "StoreStats", "stats"]


@dataclass(frozen=True)
class KindUsage:
    """The disk usage of all files of one kind."""

    kind: str
    num_files: int
    size_bytes: int


@dataclass(frozen=True)
class ProjectUsage:
    """The disk usage of one project. A blob that several projects use is counted for each of them."""

    project: str
    num_commits: int
    num_runs: int
    log_bytes: int
    folder_bytes: int
    blob_bytes: int


@dataclass(frozen=True)
class LargeBlob:
    """One of the largest blobs as stored; project and run of the first commit that mentions it, or None."""

    digest: str
    size_bytes: int
    project: str | None
    run_id: str | None


@dataclass(frozen=True)
class StoreStats:
    """The disk usage of a store. `reclaimable_bytes` is what `gc` can free now; None if a record is damaged."""

    usage: tuple[KindUsage, ...]
    projects: tuple[ProjectUsage, ...]
    largest: tuple[LargeBlob, ...]
    reclaimable_bytes: int | None

    @property
    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(item.size_bytes for item in self.usage)


def stats(store: Store, *, num_largest: int = 5, progress: Progress | None = None) -> StoreStats:
    """Measure the disk usage of `store`; changes nothing. A warning StoreDamaged names a damaged record.

    Raises InvalidInput for a later version, and StoreUnavailable.
    """
    reachable = find_reachable(store, progress=progress)
    damaged = lost_records(store, reachable)
    for item in damaged.values():
        warnings.warn(f"passed over: {item.path}: {advised(item.problem)}", StoreDamaged, stacklevel=2)
    return StoreStats(
        usage=tuple(_usage(reachable.inventory)),
        projects=tuple(_projects(reachable)),
        largest=tuple(_largest(reachable, num_largest)),
        reclaimable_bytes=None if damaged else plan_of(store, reachable).size_bytes,
    )


def _usage(inventory: Inventory) -> Iterator[KindUsage]:
    """The kinds of files that exist, the largest first."""
    files, sizes = Counter[str](), Counter[str]()
    for kind, size_bytes in files_by_kind(inventory):
        files[kind] += 1
        sizes[kind] += size_bytes
    yield from (KindUsage(str(kind), files[kind], size) for kind, size in sizes.most_common())


def _projects(reachable: Reachability) -> Iterator[ProjectUsage]:
    """Every project, the one with the most commits first."""
    inventory = reachable.inventory
    blob_sizes = {blob_digest(blob.key): blob.size_bytes for blob in inventory.blobs}
    for project, commits in sorted(reachable.scan.commits.items(), key=lambda item: (-len(item[1]), item[0])):
        mentioned = {digest for commit in commits for digest in commit.mentioned}
        folders = [names for folder, names in inventory.folders.items() if folder.split("/")[1] == project]
        yield ProjectUsage(
            project=project,
            num_commits=len(commits),
            num_runs=len({commit.run_id for commit in commits}),
            log_bytes=sum(size for key, size in inventory.others.items() if key.startswith(f"{log_folder(project)}/")),
            folder_bytes=sum(size for names in folders for size in names.values()),
            blob_bytes=sum(blob_sizes[digest] for digest in mentioned),
        )


def _largest(reachable: Reachability, num_largest: int) -> Iterator[LargeBlob]:
    owners = {digest: commit for commit in reversed(list(reachable.scan.all_commits())) for digest in commit.mentioned}
    for blob in nlargest(num_largest, reachable.inventory.blobs, key=lambda blob: blob.size_bytes):
        found = blob_digest(blob.key) or ""
        owner = owners.get(found)
        project, run_id = (owner.project, owner.run_id) if owner else (None, None)
        yield LargeBlob(found, blob.size_bytes, project, run_id)
