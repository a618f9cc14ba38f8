"""Which blobs the commits of a store still need, read once: the basis of `gc`, `fsck` and `stats`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from seedbed.contracts import RunStatus
from seedbed.errors import StoreCorrupt
from seedbed.records._status import Status, claimed, copied_from, is_claim, read_status, status_of
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import (
    CommitScan,
    ScannedCommit,
    named_blobs,
    readable_records,
    scan_commits,
)
from seedbed.records.maintenance._copies import LostCopy, judged, lost_copies
from seedbed.records.maintenance._expiries import Expiries, Expiry
from seedbed.records.maintenance._findings import FOLDER, Finding, FindingKind
from seedbed.records.maintenance._inventory import Inventory, Progress, take_inventory
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._files import StoredFile
from seedbed.records.storage._layout import EXPIRIES, LOGS, expiries_folder, log_folder

__all__ = ["DEFAULT_GRACE", "Reachability", "find_reachable", "require_undamaged", "unsettled"]

DEFAULT_GRACE = timedelta(hours=24)
_KINDS = (FindingKind.RELEASE_MISSING, FindingKind.RELEASE_DAMAGED)


@dataclass(frozen=True)
class Reachability:
    """The files and commits of a store, the expiries (by the digest of the commit), and the damage found (by key).

    `running` are the attempts that have not ended, by folder. No writer relies on an unreferenced blob from before
    `cutoff`. `held_by` is the running attempt that makes the cutoff earlier, if there is one. `copies` are the whole
    copies of lost commits, by the run's folder that holds them.
    """

    inventory: Inventory
    scan: CommitScan
    expiries: Mapping[str, Expiry]
    findings: Mapping[str, Finding]
    running: Mapping[str, Status]
    cutoff: datetime
    held_by: Status | None
    copies: Mapping[str, LostCopy]

    def expiry_of(self, commit: ScannedCommit) -> Expiry | None:
        """The record by which `commit` expired; None when it has not."""
        return self.expiries.get(commit.digest)

    def lacks_expiry(self, commit: ScannedCommit) -> bool:
        """Whether a record of what expired in its project is lost, which may have named `commit`."""
        folder = f"{expiries_folder(commit.project)}/"
        return self.expiry_of(commit) is None and any(key.startswith(folder) for key in self.findings)

    def retained(self, expiring: Collection[ScannedCommit] = ()) -> list[ScannedCommit]:
        """The commits that keep their blobs and step logs: those that neither have expired nor are in `expiring`."""
        expiring_keys = {(commit.project, commit.seq) for commit in expiring}
        kept = (commit for commit in self.scan.all_commits() if self.expiry_of(commit) is None)
        return [commit for commit in kept if (commit.project, commit.seq) not in expiring_keys]

    def unreferenced(self, retained: Iterable[ScannedCommit]) -> Iterator[tuple[StoredFile, bool]]:
        """The blobs whose digest appears in none of `retained`, and whether each is old enough to be deleted."""
        live = {digest for commit in retained for digest in commit.mentioned}
        live.update(*(named_blobs(upgraded(copy.commit.body, copy.key)) for copy in self.copies.values()))
        for blob in self.inventory.blobs:
            if blob_digest(blob.key) not in live:
                yield blob, blob.modified < self.cutoff


def find_reachable(store: Store, grace: timedelta = DEFAULT_GRACE, progress: Progress | None = None) -> Reachability:
    """List the files of `store` and read its records; it changes nothing. Raises StoreUnavailable."""
    now = store.clock.now()
    inventory = take_inventory(store.files, progress)
    found = scan_commits(store, inventory, progress)
    findings = {**found.findings, **{item.path: item for item in _no_folders(inventory)}}
    running = _running(store, inventory, found, findings, now - grace)
    first = min(running.values(), key=lambda status: status.started, default=None)
    held_by = first if first and first.started < now else None
    return Reachability(
        inventory=inventory,
        scan=found,
        expiries=_read_expiries(store, inventory, findings),
        findings=findings,
        running=running,
        cutoff=(held_by.started if held_by else now) - grace,
        held_by=held_by,
        copies={
            copy.folder: judged(store, copy, found.expected(copy.record))
            for copy in lost_copies(store, inventory, found.digests())
        },
    )


def _no_folders(inventory: Inventory) -> Iterator[Finding]:
    """The logs of projects with runs in whose place no folder stands, such as a link to a disk that is not mounted."""
    for project in sorted({folder.split("/")[1] for folder in inventory.folders}):
        for key in (LOGS, log_folder(project)):
            if key in inventory.others:
                problem = "no folder stands in the place of the log, so no commit in it can be read"
                yield Finding(FindingKind.COMMIT_MISSING, key, problem, FOLDER)


def require_undamaged(findings: Mapping[str, Finding]) -> None:
    """Raise StoreCorrupt unless every record can be read, but for those in quarantine."""
    for item in unsettled(findings).values():
        raise StoreCorrupt(f"{item.kind} {item.path}: {item.problem}; {item.advice}; nothing was done")


def unsettled(findings: Mapping[str, Finding]) -> dict[str, Finding]:
    """The findings without those about which nothing is to be done."""
    return {key: item for key, item in findings.items() if not item.kind.is_settled}


def _running(
    store: Store, inventory: Inventory, found: CommitScan, findings: dict[str, Finding], oldest_beat: datetime
) -> dict[str, Status]:
    """The attempts that have not ended: running ones, and crashed ones with a heartbeat since `oldest_beat`."""
    newest, running = found.newest(), {}
    for folder, names in inventory.folders.items():
        attempts, committed = claimed(names), newest.get(folder)
        is_begun = any(is_claim(f"{folder}/{name}") for name in names)
        if not is_begun or (committed and committed.attempt >= max(attempts, default=0)):
            continue
        try:
            now = store.clock.now()
            status = (
                status_of(store.files, folder, attempts[-1], now) if attempts else read_status(store.files, folder, now)
            )
        except StoreCorrupt as damage:
            advice = "move the folder aside and start another run"
            findings[folder] = Finding(FindingKind.CLAIM_DAMAGED, folder, str(damage), advice)
            continue
        if status is None or copied_from(store.files, folder, status):
            continue
        if status.status is RunStatus.RUNNING or (
            status.status is RunStatus.CRASHED and status.heartbeat >= oldest_beat
        ):
            running[folder] = status
    return running


def _read_expiries(store: Store, inventory: Inventory, findings: dict[str, Finding]) -> dict[str, Expiry]:
    found: dict[str, Expiry] = {}
    for project in inventory.projects(EXPIRIES):
        numbers = inventory.numbers[EXPIRIES, project]
        for expiry in readable_records(Expiries(store.files, project), numbers, _KINDS, findings):
            for item in expiry.commits:
                found.setdefault(item.digest, expiry)
    return found
