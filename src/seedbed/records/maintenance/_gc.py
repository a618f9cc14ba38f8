"""Garbage collection: finds (mark) and deletes (sweep) the blobs that no commit needs, and what retention expires.

It is safe while any number of processes write, without a lock: a sweep deletes only old files, and a writer renews a
file before it refers to it. docs/design/gc.md explains why.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from seedbed.errors import InvalidInput
from seedbed.records._status import Status
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expired, Expiries
from seedbed.records.maintenance._folder_check import lost_records
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import DEFAULT_GRACE, Reachability, find_reachable, require_undamaged
from seedbed.records.maintenance._retention import Dated, RetentionPolicy, RetentionRule, expired_commits
from seedbed.records.storage._blobs import REFRESH_AFTER, blob_digest
from seedbed.records.storage._layout import EVENTS

__all__ = ["GcPlan", "GcReason", "GcResult", "PlannedExpiry", "Sweepable", "gc", "plan_gc", "plan_of", "sweep"]

_LEAST_GRACE = 2 * REFRESH_AFTER
_REPORT_EVERY = 100


class GcReason(StrEnum):
    """Why a file may be deleted."""

    UNREFERENCED = "UNREFERENCED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class Sweepable:
    """One file that may be deleted."""

    key: str
    size_bytes: int
    why: GcReason


@dataclass(frozen=True)
class PlannedExpiry:
    """The commits of one project that will expire by one rule."""

    project: str
    rule: RetentionRule
    commits: tuple[Expired, ...]


@dataclass(frozen=True)
class GcPlan:
    """What a sweep of `store` will do: record `expiries`, then delete the `files` older than `cutoff`.

    `held_by` is the running attempt that makes the cutoff earlier, if there is one. `num_young` unreferenced blobs, of
    `young_bytes` in total, are too young to be deleted.
    """

    store: Store = field(repr=False, compare=False)
    cutoff: datetime
    held_by: Status | None
    expiries: tuple[PlannedExpiry, ...]
    files: tuple[Sweepable, ...]
    num_young: int
    young_bytes: int

    @property
    def size_bytes(self) -> int:
        """The disk space that the sweep frees."""
        return sum(item.size_bytes for item in self.files)


@dataclass(frozen=True)
class GcResult:
    """What a sweep deleted; `spared` files were written again after it was planned."""

    plan: GcPlan
    swept: tuple[Sweepable, ...]
    spared: tuple[Sweepable, ...]


def gc(
    store: Store,
    policy: RetentionPolicy | None = None,
    *,
    grace: timedelta = DEFAULT_GRACE,
    progress: Progress | None = None,
) -> GcResult:
    """Plan and sweep. Raises as `plan_gc`, and StoreUnavailable: then call it again."""
    return sweep(plan_gc(store, policy, grace=grace, progress=progress), progress)


def plan_gc(
    store: Store,
    policy: RetentionPolicy | None = None,
    *,
    grace: timedelta = DEFAULT_GRACE,
    progress: Progress | None = None,
) -> GcPlan:
    """What may be deleted: unreferenced blobs older than `grace`, and what expires by `policy`. Only reads.

    Raises InvalidInput for a grace of under an hour, and StoreCorrupt when a record is missing or damaged, as the log
    or the folder of a run tells, until its loss is accepted: nobody knows what it refers to.
    """
    if grace < _LEAST_GRACE:
        raise InvalidInput(f"the grace is {grace}, expected at least {_LEAST_GRACE}: writers rely on it")
    reachable = find_reachable(store, grace, progress)
    require_undamaged(lost_records(store, reachable))
    return plan_of(store, reachable, policy)


def plan_of(store: Store, reachable: Reachability, policy: RetentionPolicy | None = None) -> GcPlan:
    """What may be deleted of the store that `reachable` describes."""
    expiring = list(_expiring(store, reachable, policy)) if policy else []
    retained = reachable.retained([commit for commit, _ in expiring])
    mentioned = {digest for commit in reachable.scan.all_commits() for digest in commit.mentioned}
    unreferenced = list(reachable.unreferenced(retained))
    young = [blob.size_bytes for blob, is_old in unreferenced if not is_old]
    blobs = (
        Sweepable(
            blob.key,
            blob.size_bytes,
            GcReason.EXPIRED if blob_digest(blob.key) in mentioned else GcReason.UNREFERENCED,
        )
        for blob, is_old in unreferenced
        if is_old
    )
    return GcPlan(
        store=store,
        cutoff=reachable.cutoff,
        held_by=reachable.held_by,
        expiries=tuple(_expiries(expiring)),
        files=(*blobs, *_step_logs(reachable, retained)),
        num_young=len(young),
        young_bytes=sum(young),
    )


def sweep(plan: GcPlan, progress: Progress | None = None) -> GcResult:
    """Carry out `plan` on the store that it was made of. If it is killed, a part is done. Raises StoreUnavailable.

    Carried out once more, a plan changes nothing: what is expired or deleted already stays so.
    """
    files, now = plan.store.files, plan.store.clock.now()
    for expiry in plan.expiries:
        expiries = Expiries(files, expiry.project)
        known = expiries.by_commit()
        commits = [commit for commit in expiry.commits if commit.digest not in known]
        if commits:
            expiries.record(commits, expiry.rule, now)
    swept: list[Sweepable] = []
    spared: list[Sweepable] = []
    for done, item in enumerate(plan.files, 1):
        is_deleted = files.remove(item.key, unless_since=plan.cutoff)
        (swept if is_deleted else spared).append(item)
        if progress and done % _REPORT_EVERY == 0:
            progress("sweeping", done, len(plan.files))
    return GcResult(plan, tuple(swept), tuple(spared))


def _expiring(
    store: Store, reachable: Reachability, policy: RetentionPolicy
) -> Iterator[tuple[ScannedCommit, RetentionRule]]:
    """The commits that expire by `policy` and have not expired before, each with its rule."""
    for project, commits in reachable.scan.commits.items():
        kept = {item.snapshot_seq or 0 for item in store.log(project).baselines.current()}
        dated = [Dated(item.seq, item.stage, item.cohort_id, item.when, item.is_copy) for item in commits]
        rules = expired_commits(policy, project, dated, kept, store.clock.now())
        for commit in commits:
            if commit.seq in rules and reachable.expiry_of(commit) is None:
                yield commit, rules[commit.seq]


def _expiries(expiring: Sequence[tuple[ScannedCommit, RetentionRule]]) -> Iterator[PlannedExpiry]:
    grouped: dict[tuple[str, RetentionRule], list[Expired]] = {}
    for commit, rule in expiring:
        item = Expired(snapshot_seq=commit.seq, digest=commit.digest, run_id=commit.run_id, stage=commit.stage)
        grouped.setdefault((commit.project, rule), []).append(item)
    for (project, rule), commits in grouped.items():
        yield PlannedExpiry(project, rule, tuple(commits))


def _step_logs(reachable: Reachability, retained: Sequence[ScannedCommit]) -> Iterator[Sweepable]:
    """The step logs of folders without a `retained` commit, without a young one, and without a running attempt."""
    young = {commit.folder for commit in reachable.scan.all_commits() if commit.when >= reachable.cutoff}
    kept = {commit.folder for commit in retained} | young | reachable.running.keys()
    for folder in sorted({commit.folder for commit in reachable.scan.all_commits()} - kept):
        names = reachable.inventory.folders.get(folder, {})
        if EVENTS in names:
            yield Sweepable(f"{folder}/{EVENTS}", names[EVENTS], GcReason.EXPIRED)
