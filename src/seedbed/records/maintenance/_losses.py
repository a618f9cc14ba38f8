"""What can be done about a record that is lost: bring it back from a copy in the store, or accept that it is gone."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import digest_bytes, plain
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.canonical._seal import seal
from seedbed.records.log._baselines import Baselines
from seedbed.records.log._checkpoint import checkpoint_key
from seedbed.records.maintenance._commit_scan import Records
from seedbed.records.maintenance._copies import LostCopy, is_committed, judged, lost_copies, named_digest
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import FIRST_THE_COMMIT, FindingKind
from seedbed.records.maintenance._fsck import examine
from seedbed.records.maintenance._inventory import Progress, take_inventory
from seedbed.records.maintenance._lost_logs import accept_loss
from seedbed.records.maintenance._reachable import find_reachable
from seedbed.records.maintenance._tail_check import furthest_mentions
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import BASELINES, EXPIRIES, LOGS, QUARANTINE, RUNS, log_folder
from seedbed.records.storage._numbered_log import Quarantined, record_number, tombstone

__all__ = ["Recovered", "quarantine", "recover"]


@dataclass(frozen=True)
class Recovered:
    """A commit of which its run's folder holds a whole copy, and what became of it.

    `problem` says why it could not be brought back; it is empty when it was.
    """

    project: str
    seq: int
    run_id: str
    digest: str
    problem: str = ""


def recover(store: Store, *, progress: Progress | None = None) -> list[Recovered]:
    """Put every lost commit of which the store holds a whole copy back under its number, byte for byte.

    Of two copies of one number, the one that a later commit names is put back. Damaged bytes that stand there are kept
    under `quarantine/`. A number that another commit has taken, or whose right copy nobody knows, is left as it is: all
    copies stay, and each is named with the problem. Raises StoreUnavailable when the store cannot be listed.
    """
    copies = lost_copies(store, take_inventory(store.files, progress), progress=progress)
    copies.sort(key=lambda item: item.commit.seq, reverse=True)  # what comes back may say which copy is right
    found = [_put_back(store, copy) for copy in copies]
    return sorted(found, key=lambda item: (item.project, item.seq, item.run_id))


def _put_back(store: Store, copy: LostCopy) -> Recovered:
    commit = copy.commit
    try:
        problem = judged(store, copy).problem or _returned(store, copy)
    except StoreUnavailable as refused:  # such as where no folder stands in the place of the log
        problem = str(refused)
    return Recovered(commit.snapshot.project, commit.seq, commit.snapshot.run_id, commit.digest, problem)


def _returned(store: Store, copy: LostCopy) -> str:
    """Put the copy in the place of its record; return what keeps it from there, "" if nothing does."""
    checkpoint = checkpoint_key(log_folder(copy.commit.snapshot.project))
    store.files.remove(checkpoint)  # it may tell of the loss: a crash below must not leave the commit passed over
    data = seal(dict(copy.commit.body))[0]
    if _is_taken(store.files, copy.record):
        _set_aside(store.files, copy.record)
        store.files.replace(copy.record, data)
    else:
        try:
            store.files.create(copy.record, data)
        except FileExistsError:  # a link that leads nowhere, or another process was faster
            return "" if is_committed(store, copy.commit) else _stands_there(copy.record)
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


def _stands_there(key: str) -> str:
    return f"something else stands at {key}; move it away if it is no record, and run this again"


def quarantine(store: Store, key: str, reason: str) -> str:
    """Accept that the record at `key` is lost, so that it is no damage any more; return where its bytes are kept.

    `key` is as `fsck` names it, such as log/flights/00000000000000000003.json. A tombstone takes its place, with the
    digest of what was there if a later record names it; readers pass over it without a warning. What was found is kept
    under `quarantine/`; the answer is "" where there was nothing.

    A step log or journal of a run, such as runs/flights/r1/TRAINING/events.log, stays as it is, and its readers still
    tell of the loss; `fsck` tells it as damage again once it is another.

    Raises InvalidInput for a record that can be read, that `recover` can bring back, that nothing tells of, or that is
    none; Conflict when it is in quarantine already, Unreadable when its bytes may be whole, and StoreUnavailable.
    """
    if key.startswith(f"{RUNS}/") and key.endswith(".log"):
        return _accept_log(store, key, reason)
    seq = _record_number(key)
    _require_damaged(store, key, seq)
    _require_lost(store, key, seq)
    lost = named_digest(store, key, seq) if key.startswith(f"{LOGS}/") else ""
    is_there = _require_damaged(store, key, seq)  # again: it may have been restored during the scan
    kept = _set_aside(store.files, key)
    data = tombstone(seq, lost, redact_text(reason), str(plain(store.clock.now())))
    if is_there:
        store.files.replace(key, data)
        return kept
    try:
        store.files.create(key, data)
    except FileExistsError:  # a link that leads nowhere, or a writer has taken the number at this moment
        raise Conflict(_stands_there(key)) from None
    return kept


def _accept_log(store: Store, key: str, reason: str) -> str:
    findings = {finding.path: finding for finding in examine(store)[1]}
    found = findings.get(key)
    if found is None or found.kind is FindingKind.LOG_TORN:
        raise InvalidInput(f"nothing of {key} is lost; `seedbed runs fsck` names what is")
    if found.kind is FindingKind.QUARANTINED:
        raise Conflict(f"{key}: {found.problem}")
    if found.advice == FIRST_THE_COMMIT:
        raise InvalidInput(f"whether {key} is damaged is not known: {found.problem}; {found.advice}")
    kept = _set_aside(store.files, key)
    accept_loss(store.files, key, redact_text(reason), str(plain(store.clock.now())))
    return kept


def _require_lost(store: Store, key: str, seq: int) -> None:
    """Raise InvalidInput if nothing tells of a record at `key`, or a whole copy of it can be brought back."""
    top, project, _ = key.split("/")
    reachable = find_reachable(store)
    mention = furthest_mentions(store, reachable)[0].get(project) if top == LOGS else None
    last = max(*reachable.inventory.numbers.get((top, project), [0]), mention.seq if mention else 0)
    if seq > last:
        raise InvalidInput(f"{key} does not exist, and no later record does; nothing is lost there")
    for copy in reachable.copies.values():
        if copy.record == key and not copy.problem:
            raise InvalidInput(
                f"{key} need not be lost: {copy.key} is a whole copy of it; run `seedbed runs recover`, or move that "
                "file away if the commit is not to come back"
            )


def _record_number(key: str) -> int:
    folder, seq = key.rpartition("/")[0], record_number(key)
    if seq is None or folder.partition("/")[0] not in (LOGS, BASELINES, EXPIRIES) or folder.count("/") != 1:
        raise InvalidInput(
            f"{key!r} is no record; expected a path that `seedbed runs fsck` names, such as log/p/….json"
        )
    return seq


def _require_damaged(store: Store, key: str, seq: int) -> bool:
    """Whether damaged bytes stand at `key`; False where nothing does.

    Raises InvalidInput for a valid record of its kind, or one of a later version, and Conflict for a tombstone.
    """
    top, project, _ = key.split("/")
    kinds: dict[str, Callable[[str], Records[object]]] = {
        LOGS: store.log,
        BASELINES: partial(Baselines, store.files),
        EXPIRIES: partial(Expiries, store.files),
    }
    try:
        kinds[top](project).read(seq)
    except NotFound:
        return False
    except Quarantined as loss:
        raise Conflict(str(loss)) from None
    except StoreCorrupt:
        return True
    raise InvalidInput(f"{key} can be read; there is nothing to quarantine")


def _set_aside(files: Files, key: str) -> str:
    """Keep the bytes at `key` under `quarantine/`, and return where; "" where there are none that can be read.

    Raises Unreadable where there may be, and this process may not read them.
    """
    try:
        data = files.read(key)
    except (NotFound, Unreadable) as problem:
        if isinstance(problem, Unreadable) and problem.is_whole:
            raise
        return ""
    kept = f"{QUARANTINE}/{key}.{digest_bytes(data)[:16]}"
    with contextlib.suppress(FileExistsError):
        files.create(kept, data)
    return kept
