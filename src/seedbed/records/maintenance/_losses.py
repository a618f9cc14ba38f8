"""What can be done about a record that is lost, where no copy brings it back: accept that it is gone."""

import contextlib
from collections.abc import Callable
from functools import partial

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records._views import views
from seedbed.records.canonical._canonical import digest_bytes, plain
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.log._baselines import Baselines
from seedbed.records.log._checkpoint import checkpoint_key
from seedbed.records.log._copies import SNAPSHOT_VIEW
from seedbed.records.maintenance._commit_scan import Records
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import FIRST_THE_COMMIT, FindingKind, can_be_accepted
from seedbed.records.maintenance._fsck import examine
from seedbed.records.maintenance._lost_logs import accept_loss
from seedbed.records.maintenance._reachable import Reachability, find_reachable
from seedbed.records.maintenance._tail_check import furthest_mentions, record_findings
from seedbed.records.snapshot._commit import run_folder_of
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import BASELINES, BLOBS, EXPIRIES, LOGS, QUARANTINE, RUNS
from seedbed.records.storage._numbered_log import Quarantined, record_number, tombstone

__all__ = ["give_up", "keep_bytes", "quarantine", "set_record_aside", "stands_there"]


def quarantine(store: Store, key: str, reason: str) -> str:
    """Record that what is at `key` is lost, so that it is no damage any more; return where its bytes are kept.

    `key` is as `fsck` names it, such as log/flights/00000000000000000003.json. A tombstone takes its place, with the
    digest of what was there if a later record names it; readers pass over it without a warning. What was found is kept
    under `quarantine/`; the answer is "" where there was nothing.

    A step log or journal of a run, such as runs/flights/r1/TRAINING/events.log, stays as it is, and its readers still
    tell of the loss; `fsck` tells it as damage again once it is another.

    So can a commit be moved aside that stands in the place of another one, as later commits prove (`DIGEST_WRONG`). Its
    run's folder holds a copy of it then, so `recover` brings it back under a number of its own.

    Raises InvalidInput for any other record that can be read, one that `recover` can bring back, that nothing tells of,
    or that is none; Conflict when it is in quarantine already, Unreadable when its bytes may be whole, and
    StoreUnavailable.
    """
    if key.startswith((f"{RUNS}/", f"{BLOBS}/")):
        return _accept(store, key, reason)
    seq = _record_number(key)
    reachable = find_reachable(store)
    _require_lost(store, reachable, key, seq)
    lost = next(iter(reachable.scan.expected(key)), "") if key.startswith(f"{LOGS}/") else ""
    found = record_findings(store, reachable).get(key)
    if found is None or found.kind is not FindingKind.DIGEST_WRONG:
        return give_up(store, key, lost, reason)
    _keep_copy(store, key, seq)
    return _replaced(store, key, lost, reason, is_there=True)


def give_up(store: Store, key: str, lost: str, reason: str) -> str:
    """Put a tombstone in the place of the record at `key`, whose digest was `lost`; return where its bytes are kept.

    Raises InvalidInput if it can be read now, such as since it was restored; otherwise as `quarantine`.
    """
    return _replaced(store, key, lost, reason, is_there=_require_damaged(store, key, _record_number(key)))


def _replaced(store: Store, key: str, lost: str, reason: str, *, is_there: bool) -> str:
    checkpoint = checkpoint_key(key.rpartition("/")[0])
    store.files.remove(checkpoint)  # it may tell of the record, and readers would warn of what is accepted
    kept = set_record_aside(store.files, key)
    data = tombstone(_record_number(key), lost, redact_text(reason), str(plain(store.clock.now())))
    if is_there:
        store.files.replace(key, data)
    else:
        try:
            store.files.create(key, data)
        except FileExistsError:  # a link that leads nowhere, or a writer has taken the number at this moment
            raise Conflict(stands_there(key)) from None
    store.files.remove(checkpoint)  # another process may have written one meanwhile
    return kept


def stands_there(key: str) -> str:
    """The message about what stands at `key` and is no record."""
    return f"something else stands at {key}; move it away if it is no record, and run this again"


def _keep_copy(store: Store, key: str, seq: int) -> None:
    """Make the copy of a commit that its run's folder holds, if that holds none."""
    commit = store.log(key.split("/")[1]).read(seq)
    with contextlib.suppress(FileExistsError):
        store.files.create(
            f"{run_folder_of(commit.snapshot)}/{SNAPSHOT_VIEW}", views(commit, {SNAPSHOT_VIEW})[SNAPSHOT_VIEW]
        )


def _accept(store: Store, key: str, reason: str) -> str:
    findings = {finding.path: finding for finding in examine(store)[1]}
    found = findings.get(key)
    if found is not None and found.kind is FindingKind.QUARANTINED:
        raise Conflict(f"{key}: {found.problem}")
    if found is not None and found.advice == FIRST_THE_COMMIT:
        raise InvalidInput(f"whether {key} is damaged is not known: {found.problem}; {found.advice}")
    if found is None or not can_be_accepted(found):
        advice = "" if found is None else f": {found.advice}"
        raise InvalidInput(f"{key} cannot be recorded as lost; `seedbed runs fsck` names what is lost{advice}")
    kept = set_record_aside(store.files, key)
    accept_loss(store.files, key, redact_text(reason), str(plain(store.clock.now())))
    return kept


def _require_lost(store: Store, reachable: Reachability, key: str, seq: int) -> None:
    """Raise InvalidInput if nothing tells of a record at `key`, or a whole copy of it can be brought back."""
    top, project, _ = key.split("/")
    mention = furthest_mentions(store, reachable)[0].get(project) if top == LOGS else None
    last = max(*reachable.inventory.numbers.get((top, project), [0]), mention.seq if mention else 0)
    if seq > last:
        raise InvalidInput(f"{key} does not exist, and no later record does; nothing is lost there")
    for copy in reachable.copies.values():
        if copy.record == key and not copy.problem and not copy.is_given:
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


def set_record_aside(files: Files, key: str) -> str:
    """Keep the bytes at `key` under `quarantine/`, and return where; "" where there are none that can be read.

    Raises Unreadable where there may be, and this process may not read them.
    """
    try:
        data = files.read(key)
    except (NotFound, Unreadable) as problem:
        if isinstance(problem, Unreadable) and problem.is_whole:
            raise
        return ""
    return keep_bytes(files, key, data)


def keep_bytes(files: Files, key: str, data: bytes) -> str:
    """Keep `data`, which stood at `key`, under `quarantine/`, and return where."""
    kept = f"{QUARANTINE}/{key}.{digest_bytes(data)[:16]}"
    with contextlib.suppress(FileExistsError):
        files.create(kept, data)
    return kept
