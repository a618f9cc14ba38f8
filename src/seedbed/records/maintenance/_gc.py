"""Garbage collection: blobs that no commit holds, and what retention lets go, are found (mark) and deleted (sweep).

Safe beside any number of writers, without a lock: what is swept is old, and a writer makes young what it is about to
name. docs/design/gc.md has the argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from seedbed.errors import InvalidInput
from seedbed.records._status import Status
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expired, Expiries
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import DEFAULT_GRACE, Reachability, mark, whole
from seedbed.records.maintenance._retention import Dated, RetentionPolicy, RetentionRule, let_go
from seedbed.records.storage._blobs import REFRESH_AFTER, blob_digest
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import EVENTS

__all__ = ["GcPlan", "GcReason", "GcResult", "PlannedExpiry", "Sweepable", "gc", "plan_gc", "plan_of", "sweep"]

_LEAST_GRACE = 2 * REFRESH_AFTER
_REPORT_EVERY = 100


class GcReason(StrEnum):
    """Why a file may go."""

    UNREFERENCED = "UNREFERENCED"
    RELEASED = "RELEASED"


@dataclass(frozen=True)
class Sweepable:
    """One file that may go."""

    key: str
    size_bytes: int
    why: GcReason


@dataclass(frozen=True)
class PlannedExpiry:
    """Commits of one project that one rule lets go."""

    project: str
    rule: RetentionRule
    commits: tuple[Expired, ...]


@dataclass(frozen=True)
class GcPlan:
    """What a sweep would do: record `expiries`, as of `moment`, then delete those `files` not written since `cutoff`.

    `held_by` is the attempt that keeps the cutoff back, if one does. `num_young` blobs that no commit holds are too
    young to go, `young_bytes` in all.
    """

    moment: datetime
    cutoff: datetime
    held_by: Status | None
    expiries: tuple[PlannedExpiry, ...]
    files: tuple[Sweepable, ...]
    num_young: int
    young_bytes: int

    @property
    def size_bytes(self) -> int:
        """What deleting all of it frees."""
        return sum(item.size_bytes for item in self.files)


@dataclass(frozen=True)
class GcResult:
    """What a sweep deleted; `spared` were written since it was planned."""

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
    """Plan and sweep. Raises as `plan_gc`, and StoreUnavailable: then it may simply be called again."""
    return sweep(plan_gc(store, policy, grace=grace, progress=progress), store.files, progress)


def plan_gc(
    store: Store,
    policy: RetentionPolicy | None = None,
    *,
    grace: timedelta = DEFAULT_GRACE,
    progress: Progress | None = None,
) -> GcPlan:
    """What may go, by reading alone: blobs that no commit holds, older than `grace`, and what `policy` lets go.

    Raises InvalidInput for a grace of under an hour, and StoreCorrupt when a record is missing or damaged: what it
    holds cannot be known then.
    """
    if grace < _LEAST_GRACE:
        raise InvalidInput(f"the grace is {grace}, expected at least {_LEAST_GRACE}: writers rely on it")
    return plan_of(store, whole(mark(store, grace, progress)), policy)


def plan_of(store: Store, marks: Reachability, policy: RetentionPolicy | None = None) -> GcPlan:
    """What may go of a store that is known by `marks`."""
    moment = store.clock.now()
    going = list(_going(store, marks, policy, moment)) if policy else []
    staying = marks.staying([commit for commit, _ in going])
    held = {digest for commit in marks.survey.every() for digest in commit.mentioned}
    unheld = list(marks.unheld(staying))
    young = [blob.size_bytes for blob, is_old in unheld if not is_old]
    blobs = (
        Sweepable(
            blob.key, blob.size_bytes, GcReason.RELEASED if blob_digest(blob.key) in held else GcReason.UNREFERENCED
        )
        for blob, is_old in unheld
        if is_old
    )
    return GcPlan(
        moment=moment,
        cutoff=marks.cutoff,
        held_by=marks.held_by,
        expiries=tuple(_expiries(going)),
        files=(*blobs, *_step_logs(marks, staying)),
        num_young=len(young),
        young_bytes=sum(young),
    )


def sweep(plan: GcPlan, files: Files, progress: Progress | None = None) -> GcResult:
    """Do what `plan` says, in its store's `files`. If it is killed, a part is done. Raises StoreUnavailable."""
    for expiry in plan.expiries:
        Expiries(files, expiry.project).record(expiry.commits, expiry.rule, plan.moment)
    swept: list[Sweepable] = []
    spared: list[Sweepable] = []
    for done, item in enumerate(plan.files, 1):
        is_gone = files.remove(item.key, unless_since=plan.cutoff)
        (swept if is_gone else spared).append(item)
        if progress and done % _REPORT_EVERY == 0:
            progress("sweeping", done, len(plan.files))
    return GcResult(plan, tuple(swept), tuple(spared))


def _going(
    store: Store, marks: Reachability, policy: RetentionPolicy, moment: datetime
) -> Iterator[tuple[ScannedCommit, RetentionRule]]:
    """The commits that `policy` lets go and that are not released yet."""
    for project, commits in marks.survey.commits.items():
        kept = {item.snapshot_seq or 0 for item in store.log(project).baselines.current()}
        dated = [Dated(item.seq, item.stage, item.cohort_id, item.when) for item in commits]
        rules = let_go(policy, project, dated, kept, moment)
        for commit in commits:
            if commit.seq in rules and marks.expiry_of(commit) is None:
                yield commit, rules[commit.seq]


def _expiries(going: Sequence[tuple[ScannedCommit, RetentionRule]]) -> Iterator[PlannedExpiry]:
    grouped: dict[tuple[str, RetentionRule], list[Expired]] = {}
    for commit, rule in going:
        item = Expired(snapshot_seq=commit.seq, digest=commit.digest, run_id=commit.run_id, stage=commit.stage)
        grouped.setdefault((commit.project, rule), []).append(item)
    for (project, rule), commits in grouped.items():
        yield PlannedExpiry(project, rule, tuple(commits))


def _step_logs(marks: Reachability, staying: Sequence[ScannedCommit]) -> Iterator[Sweepable]:
    """The step logs of the folders of which no commit is `staying`, none is young, and where no attempt runs."""
    young = {commit.folder for commit in marks.survey.every() if commit.when >= marks.cutoff}
    kept = {commit.folder for commit in staying} | young | marks.running.keys()
    for folder in sorted({commit.folder for commit in marks.survey.every()} - kept):
        names = marks.inventory.folders.get(folder, {})
        if EVENTS in names:
            yield Sweepable(f"{folder}/{EVENTS}", names[EVENTS], GcReason.RELEASED)
