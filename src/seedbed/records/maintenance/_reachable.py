"""What keeps what in a store, read once: the ground on which `gc` sweeps, `fsck` judges and `stats` counts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from seedbed.contracts import RunStatus
from seedbed.errors import StoreCorrupt
from seedbed.records._status import Status, claimed, status_of
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import CommitScan, ScannedCommit, readable, survey
from seedbed.records.maintenance._expiries import Expiries, Expiry
from seedbed.records.maintenance._findings import Finding, FindingKind
from seedbed.records.maintenance._inventory import Inventory, Progress, take_inventory
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._files import StoredFile
from seedbed.records.storage._layout import RELEASES

__all__ = ["DEFAULT_GRACE", "Reachability", "mark", "whole"]

DEFAULT_GRACE = timedelta(hours=24)
_KINDS = (FindingKind.RELEASE_MISSING, FindingKind.RELEASE_DAMAGED)


@dataclass(frozen=True)
class Reachability:
    """What lies in a store, its commits, what released some of them (by digest), and what is wrong with any (by key).

    `running` are the attempts that have not ended, by folder. What was written before `cutoff` no writer relies on that
    has not committed; `held_by` is the attempt that keeps the cutoff back, if one does.
    """

    inventory: Inventory
    survey: CommitScan
    releases: Mapping[str, Expiry]
    findings: Mapping[str, Finding]
    running: Mapping[str, Status]
    cutoff: datetime
    held_by: Status | None

    def expiry_of(self, commit: ScannedCommit) -> Expiry | None:
        """The record that let the blobs and step logs of `commit` go."""
        return self.releases.get(commit.digest)

    def staying(self, going: Collection[ScannedCommit] = ()) -> list[ScannedCommit]:
        """The commits that keep what they hold: those that are neither released nor `going` to be."""
        leaving = {(commit.project, commit.seq) for commit in going}
        kept = (commit for commit in self.survey.every() if self.expiry_of(commit) is None)
        return [commit for commit in kept if (commit.project, commit.seq) not in leaving]

    def unheld(self, staying: Iterable[ScannedCommit]) -> Iterator[tuple[StoredFile, bool]]:
        """The blobs whose digest stands in none of `staying`, and whether each is old enough to be swept."""
        live = {digest for commit in staying for digest in commit.mentioned}
        for blob in self.inventory.blobs:
            if blob_digest(blob.key) not in live:
                yield blob, blob.modified < self.cutoff


def mark(store: Store, grace: timedelta = DEFAULT_GRACE, progress: Progress | None = None) -> Reachability:
    """Read the records of `store` and list its files; it changes nothing.

    Raises InvalidInput when a later version of Seedbed wrote a part of it, and StoreUnavailable.
    """
    now = store.clock.now()
    inventory = take_inventory(store.files, progress)
    found = survey(store, inventory, progress)
    findings = dict(found.findings)
    running = _running(store, inventory, found, findings, now - grace)
    first = min(running.values(), key=lambda status: status.started, default=None)
    held_by = first if first and first.started < now else None
    return Reachability(
        inventory=inventory,
        survey=found,
        releases=_releases(store, inventory, findings),
        findings=findings,
        running=running,
        cutoff=(held_by.started if held_by else now) - grace,
        held_by=held_by,
    )


def whole(marks: Reachability) -> Reachability:
    """`marks`, if no record is missing or damaged: else nobody knows what all commits hold. Raises StoreCorrupt."""
    for item in marks.findings.values():
        raise StoreCorrupt(f"{item.kind} {item.path}: {item.problem}; {item.advice}; nothing was done")
    return marks


def _running(
    store: Store, inventory: Inventory, found: CommitScan, findings: dict[str, Finding], oldest_beat: datetime
) -> dict[str, Status]:
    """The attempts that have not ended: those that live, and those out of sight that lived after `oldest_beat`."""
    newest, running = found.newest(), {}
    for folder, names in inventory.folders.items():
        attempts, committed = claimed(names), newest.get(folder)
        if not attempts or (committed and committed.attempt >= attempts[-1]):
            continue
        try:
            status = status_of(store.files, folder, attempts[-1], store.clock.now())
        except StoreCorrupt as damage:
            advice = "move the folder aside and start another run"
            findings[folder] = Finding(FindingKind.CLAIM_DAMAGED, folder, str(damage), advice)
            continue
        if status.status is RunStatus.RUNNING or (
            status.status is RunStatus.CRASHED and status.heartbeat >= oldest_beat
        ):
            running[folder] = status
    return running


def _releases(store: Store, inventory: Inventory, findings: dict[str, Finding]) -> dict[str, Expiry]:
    found: dict[str, Expiry] = {}
    for project in inventory.projects(RELEASES):
        numbers = inventory.numbers[RELEASES, project]
        for release in readable(Expiries(store.files, project), numbers, _KINDS, findings):
            for item in release.commits:
                found.setdefault(item.digest, release)
    return found
