"""What can be done about a record that is lost: bring it back from a copy in the store, or accept that it is gone."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import digest_bytes, plain
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.canonical._seal import seal
from seedbed.records.log._baselines import Baselines
from seedbed.records.log._checkpoint import checkpoint_key
from seedbed.records.maintenance._commit_scan import Records
from seedbed.records.maintenance._copies import SNAPSHOT_VIEW, commit_copy, is_committed
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._inventory import Progress, take_inventory
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import BASELINES, EXPIRIES, LOGS, QUARANTINE, log_folder
from seedbed.records.storage._numbered_log import NumberedLog, Quarantined, record_number, tombstone

__all__ = ["Recovered", "quarantine", "recover"]

_REPORT_EVERY = 100


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

    Damaged bytes that stand there are kept under `quarantine/`. A number that another commit has taken is left as it
    is: both copies stay, and the commit is named with the problem. Raises StoreUnavailable.
    """
    folders = sorted(take_inventory(store.files, progress).folders.items())
    found: list[Recovered] = []
    for done, (folder, names) in enumerate(folders, 1):
        copy = commit_copy(store.files, folder) if SNAPSHOT_VIEW in names else None
        if copy and not is_committed(store, copy):
            found.append(_put_back(store, copy))
        if progress and done % _REPORT_EVERY == 0:
            progress("reading runs", done, len(folders))
    return sorted(found, key=lambda item: (item.project, item.seq))


def _put_back(store: Store, copy: Commit) -> Recovered:
    log = store.log(copy.snapshot.project)
    told = Recovered(copy.snapshot.project, copy.seq, copy.snapshot.run_id, copy.digest)
    key, data = log.key(copy.seq), seal(dict(copy.body))[0]
    try:
        other = log.read(copy.seq)
    except NotFound:
        try:
            store.files.create(key, data)
        except FileExistsError:  # a link that leads nowhere, or another process was faster
            problem = f"something else stands at {key}; move it away if it is no commit, and run this again"
            return told if is_committed(store, copy) else replace(told, problem=problem)
    except InvalidInput as newer:
        return replace(told, problem=str(newer))
    except StoreCorrupt as damage:
        if isinstance(damage, Unreadable) and damage.is_whole:
            return replace(told, problem=str(damage))
        _set_aside(store.files, key)
        store.files.replace(key, data)
    else:
        taken = f"run {other.snapshot.run_id} has the number {copy.seq} now; the copy stays in the run's folder"
        return replace(told, problem=taken)
    store.files.remove(checkpoint_key(log_folder(copy.snapshot.project)))  # it may tell of the loss
    return told


def quarantine(store: Store, key: str, reason: str) -> str:
    """Accept that the record at `key` is lost, so that it is no damage any more; return where its bytes are kept.

    `key` is as `fsck` names it, such as log/flights/00000000000000000003.json. A tombstone takes its place, with the
    digest of what was there if a later record names it; readers pass over it without a warning. What was found is kept
    under `quarantine/`; the answer is "" where there was nothing.

    Raises InvalidInput for a record that can be read or is no record, Conflict when it is in quarantine already, and
    StoreUnavailable.
    """
    records, seq = _record(store.files, key)
    if seq not in records.numbers() and seq >= max(records.numbers(), default=0):
        raise InvalidInput(f"{key} does not exist, and no later record does; nothing is lost there")
    try:
        records.read(seq)
    except NotFound:
        pass
    except Quarantined as loss:
        raise Conflict(str(loss)) from None
    except StoreCorrupt:
        pass
    else:
        _require_unreadable(store, key, seq)
    kept = _set_aside(store.files, key)
    told = str(plain(store.clock.now()))
    store.files.replace(key, tombstone(seq, _digest_of(store, key, seq), redact_text(reason), told))
    return kept


def _record(files: Files, key: str) -> tuple[NumberedLog, int]:
    folder, seq = key.rpartition("/")[0], record_number(key)
    if seq is None or folder.partition("/")[0] not in (LOGS, BASELINES, EXPIRIES) or folder.count("/") != 1:
        raise InvalidInput(
            f"{key!r} is no record; expected a path that `seedbed runs fsck` names, such as log/p/….json"
        )
    return NumberedLog(files, folder), seq


def _require_unreadable(store: Store, key: str, seq: int) -> None:
    """Raise InvalidInput if the sealed record is a valid one of its kind, or one of a later version."""
    top, project, _ = key.split("/")
    kinds: dict[str, Callable[[str], Records[object]]] = {
        LOGS: store.log,
        BASELINES: partial(Baselines, store.files),
        EXPIRIES: partial(Expiries, store.files),
    }
    with contextlib.suppress(StoreCorrupt):
        kinds[top](project).read(seq)
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


def _digest_of(store: Store, key: str, seq: int) -> str:
    """The digest of the commit that was at `key`, as a later commit names it; "" if none does."""
    top, project, _ = key.split("/")
    later = NumberedLog(store.files, log_folder(project)).numbers(seq) if top == LOGS else ()
    for number in later:
        with contextlib.suppress(NotFound, StoreCorrupt, InvalidInput):
            snapshot = store.log(project).read(number).snapshot
            named = {diff.prev_snapshot_seq: diff.prev_digest for diff in (snapshot.diff_prev, snapshot.diff_baseline)}
            if found := named.get(seq):
                return found
    return ""
