"""Brings lost commits back from the whole copies that the folders of their runs hold."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from seedbed.records._store import Store
from seedbed.records.canonical._seal import seal
from seedbed.records.log._checkpoint import checkpoint_key
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._adoption import adopt
from seedbed.records.maintenance._chain_check import ChainCheck
from seedbed.records.maintenance._commit_scan import CommitScan, scan_commits
from seedbed.records.maintenance._copies import LostCopy, is_committed, judged, lost_copies
from seedbed.records.maintenance._expiries import Expiries, expire_copies
from seedbed.records.maintenance._findings import KEEP
from seedbed.records.maintenance._inventory import Progress, take_inventory
from seedbed.records.maintenance._losses import give_up, set_record_aside, stands_there
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import log_folder

__all__ = ["Recovered", "recover"]


@dataclass(frozen=True)
class Recovered:
    """A commit of which its run's folder holds a whole copy, and what became of it.

    `seq` and `digest` are those that it had; `new_seq` is the number under which it came back, None where it did not.
    `problem` says why it could not be brought back; it is empty when it was.
    """

    project: str
    seq: int
    run_id: str
    digest: str
    new_seq: int | None = None
    problem: str = ""


def recover(store: Store, *, progress: Progress | None = None) -> list[Recovered]:
    """Put every lost commit of which the store holds a whole copy back under its number, byte for byte.

    A commit whose number is another one's now comes back under a new number; so do all copies of one number of which no
    later commit says which was there. It names the number and digest that it had, and holds its bytes. Damaged bytes
    that stand in the place of a commit are kept under `quarantine/`. A copy that cannot come back stays, and is named
    with the problem. Raises StoreUnavailable when the store cannot be listed.
    """
    inventory = take_inventory(store.files, progress)
    scan = scan_commits(store, inventory, progress)
    copies = lost_copies(store, inventory, scan.digests(), progress)
    copies.sort(key=lambda item: item.commit.seq, reverse=True)  # what comes back may say which copy is right
    found = [item for item in (_brought_back(store, scan, copy) for copy in copies) if item]
    done = {item.digest for item in found}
    given = [copy for copy in copies if copy.commit.digest not in done]
    given.sort(key=lambda item: (item.commit.seq, item.commit.snapshot.timestamp))
    found += _renumbered(store, scan, given)
    for project, chain in scan.chains.items():
        _settle(store, project, chain)
    return sorted(found, key=lambda item: (item.project, item.seq, item.run_id))


def _brought_back(store: Store, scan: CommitScan, copy: LostCopy) -> Recovered | None:
    """Put the copy back under its number, and into `scan`; None where the number is given to another commit."""
    project = copy.commit.snapshot.project
    try:
        found = judged(store, copy, scan.expected(copy.record))
        if found.is_given:
            return None
        problem = found.problem or _returned(store, copy)
        if not problem:
            scan.chains.setdefault(project, ChainCheck(store.log(project).key)).add(copy.commit)
    except StoreUnavailable as refused:  # such as where no folder stands in the place of the log
        problem = str(refused)
    return _recovered(copy, None if problem else copy.commit.seq, problem)


def _renumbered(store: Store, scan: CommitScan, copies: Sequence[LostCopy]) -> Iterator[Recovered]:
    """Commit a copy of each under a new number, after giving up the numbers that none of several rivals can have."""
    rivals: dict[str, list[str]] = defaultdict(list)
    for copy in copies:
        rivals[copy.record].append(copy.commit.snapshot.run_id)
    for record, runs in rivals.items():
        if len(runs) > 1 and not scan.expected(record):
            reason = f"it was one of the commits of {', '.join(runs)}, nobody can say which; all come back anew"
            with contextlib.suppress(InvalidInput, Conflict, Unreadable):  # a commit, or a tombstone, is there
                give_up(store, record, "", reason)
    logs: dict[str, CommitLog] = {}
    for copy in copies:
        project = copy.commit.snapshot.project
        # They are read anew: those of the store do not know what came back.
        yield _anew(store, logs.setdefault(project, CommitLog(store.files, project, reads_all=True)), scan, copy)


def _anew(store: Store, log: CommitLog, scan: CommitScan, copy: LostCopy) -> Recovered:
    try:
        problem = judged(store, copy, scan.expected(copy.record)).problem
        made = None if problem else _adopted(store, log, scan, copy)
    except Conflict as refused:  # the run has another commit of the same attempt
        problem, made = f"{str(refused).partition(';')[0]}; {KEEP}", None
    except StoreUnavailable as refused:
        problem, made = str(refused), None
    return _recovered(copy, None if made is None else made.seq, problem)


def _adopted(store: Store, log: CommitLog, scan: CommitScan, copy: LostCopy) -> Commit:
    made = adopt(store, log, copy.commit)
    scan.chains.setdefault(log.project, ChainCheck(log.key)).add(made)
    return made


def _settle(store: Store, project: str, chain: ChainCheck) -> None:
    """What was said of a commit that is a copy under another number now counts for the copy: expiry, and promotion.

    Also of copies that an interrupted call left. Raises StoreUnavailable.
    """
    log = store.log(project)
    expired = Expiries(store.files, project).by_commit()
    gone = [(log.read(seq), expired[digest]) for digest, seq in chain.copies() if digest in expired]
    expire_copies(store, project, gone)
    for promotion in log.baselines.current():
        seq = chain.copy_of(promotion.digest or "")
        if seq is not None and promotion.digest not in chain.own_digests():
            reason = f"commit {promotion.snapshot_seq} is number {seq} now"
            log.baselines.promote(log.read(seq), reason, store.clock.now(), promotion.rule)


def _recovered(copy: LostCopy, new_seq: int | None, problem: str) -> Recovered:
    commit = copy.commit
    return Recovered(commit.snapshot.project, commit.seq, commit.snapshot.run_id, commit.digest, new_seq, problem)


def _returned(store: Store, copy: LostCopy) -> str:
    """Put the copy in the place of its record; return what keeps it from there, "" if nothing does."""
    checkpoint = checkpoint_key(log_folder(copy.commit.snapshot.project))
    store.files.remove(checkpoint)  # it may tell of the loss: a crash below must not leave the commit passed over
    data = seal(dict(copy.commit.body))[0]
    if _is_taken(store.files, copy.record):
        set_record_aside(store.files, copy.record)
        store.files.replace(copy.record, data)
    else:
        try:
            store.files.create(copy.record, data)
        except FileExistsError:  # a link that leads nowhere, or another process was faster
            return "" if is_committed(store, copy.commit) else stands_there(copy.record)
    store.files.remove(checkpoint)  # another process may have written one before the commit came back
    return ""


def _is_taken(files: Files, key: str) -> bool:
    """Whether bytes stand at `key`, of which `judged` said that they are no commit."""
    try:
        files.read(key)
    except NotFound:
        return False
    except Unreadable:
        return True
    return True
