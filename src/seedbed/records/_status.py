"""The status of an attempt. RUNNING is believed only while the process is alive; otherwise the attempt has crashed.

A process on another machine or in another container cannot be seen: then its last heartbeat decides.
Attempt N is claimed by the create-only file `attempt-N.json`, so two processes never hold the same attempt. The claim
is durable with the first durable file in the run's folder: until then a power cut may take it away or tear it, and
nothing else of the attempt is lost with it.
`status.json` beside it is a view: the latest heartbeat, and how the attempt ended.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, ValidationError

from seedbed.contracts import Message, RunStatus, Stage
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import digest, readable_plain
from seedbed.records.canonical._names import is_name
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import RUNS

__all__ = [
    "MERGING",
    "STALE_AFTER",
    "ProcessIdentity",
    "Status",
    "attempts_in",
    "claim_key",
    "claim_name",
    "claimed",
    "copied_from",
    "is_alive",
    "is_claim",
    "is_claimed",
    "is_merging",
    "last_written",
    "newest_attempt",
    "read_claim",
    "read_status",
    "status_damage",
    "status_key",
    "status_of",
    "this_process",
    "unclaimed",
    "write_status",
]

STALE_AFTER = timedelta(seconds=60)
MERGING = "a merge brings its commit"  # the reason of an attempt that a merge has claimed
_LONGEST_MERGE = timedelta(hours=1)  # of one run, with its blobs
_ASIDE = "move the run's folder aside and start another run"
_END = b"}\n"
_CLAIM = re.compile(r"attempt-(\d{1,9})\.json")


class ProcessIdentity(Message):
    """One process: `start_ticks` and `place` (a digest of boot and process namespace) rule out a reused pid."""

    pid: int
    start_ticks: int
    place: str


class Status(Message):
    """One attempt at one stage of a run. Times are UTC, for people and for the age of the heartbeat."""

    schema_version: int = 1
    project: str
    run_id: str
    stage: Stage
    attempt: int
    status: RunStatus
    started: AwareDatetime
    heartbeat: AwareDatetime
    process: ProcessIdentity
    reason: str = ""

    @property
    def folder(self) -> str:
        """The run's folder of which it tells; not the one in which it lies, where that was copied."""
        return f"{RUNS}/{self.project}/{self.run_id}/{self.stage.value}"

    def ended(self, status: RunStatus, reason: str, now: datetime) -> Self:
        """The same attempt, ended."""
        clean = redact_text(reason) if reason else ""
        return self.model_copy(update={"status": status, "reason": clean, "heartbeat": now})

    def encoded(self) -> bytes:
        """The bytes of its file."""
        return readable_plain(self.model_dump(mode="json"))


@cache
def this_process() -> ProcessIdentity:
    """The identity of the calling process."""
    return ProcessIdentity(pid=os.getpid(), start_ticks=_start_ticks(os.getpid()) or 0, place=_place())


os.register_at_fork(after_in_child=this_process.cache_clear)


def is_alive(process: ProcessIdentity) -> bool | None:
    """Whether `process` still runs; None when it cannot be seen from here (other machine, container or boot)."""
    if process.place != _place():
        return None
    return _start_ticks(process.pid) == process.start_ticks


def claim_key(folder: str, attempt: int) -> str:
    """The file that claims `attempt` in a run's folder."""
    return f"{folder}/{claim_name(attempt)}"


def claim_name(attempt: int) -> str:
    """The name of the file that claims `attempt`."""
    return f"attempt-{attempt}.json"


def status_key(folder: str) -> str:
    """The status view in a run's folder, of its newest attempt."""
    return f"{folder}/status.json"


def is_claim(key: str) -> bool:
    """Whether `key`, of a file in a run's folder, is that of a claim or of the status view."""
    folder, _, name = key.rpartition("/")
    return key == status_key(folder) or bool(claimed([name]))


def read_status(files: Files, folder: str, now: datetime) -> Status | None:
    """The status of the newest attempt in `folder` at `now`; None when there is no attempt.

    Raises StoreCorrupt when the claim cannot be read.
    """
    attempt, latest = newest_attempt(files, folder), last_written(files, folder)
    if latest and latest.attempt > attempt and not is_claimed(files, folder, latest.attempt):
        # A power cut took its claim away.
        return _as_observed(latest, now)
    return status_of(files, folder, attempt, now) if attempt else None


def read_claim(files: Files, folder: str, attempt: int) -> Status:
    """The claim of `attempt` in `folder`, as it was written. Raises NotFound, and StoreCorrupt."""
    return _read(files, claim_key(folder, attempt))


def is_merging(status: Status, now: datetime) -> bool:
    """Whether a merge that still runs, as far as can be seen, has claimed the attempt to bring its commit."""
    as_run = status.model_copy(update={"status": RunStatus.RUNNING})
    is_recent = now - status.heartbeat < _LONGEST_MERGE  # a process may go on after its merge has failed
    return status.reason == MERGING and is_recent and _as_observed(as_run, now).status is RunStatus.RUNNING


def newest_attempt(files: Files, folder: str) -> int:
    """The number of the newest attempt that was claimed in `folder`; 0 when none was."""
    return max(attempts_in(files, folder), default=0)


def attempts_in(files: Files, folder: str) -> list[int]:
    """The numbers of the attempts that were claimed in `folder`, ascending."""
    return claimed(item.key.rpartition("/")[2] for item in files.list(folder, deep=False))


def is_claimed(files: Files, folder: str, attempt: int) -> bool:
    """Whether `attempt` was claimed in `folder`, by a file that can be read or not."""
    try:
        files.read(claim_key(folder, attempt))
    except NotFound:
        return False
    except StoreCorrupt:
        return True
    return True


def write_status(files: Files, folder: str, status: Status, *, durable: bool = True) -> None:
    """Replace the status view in a run's folder. Raises StoreUnavailable."""
    files.replace(status_key(folder), status.encoded(), durable=durable)


def claimed(names: Iterable[str]) -> list[int]:
    """The numbers of the attempts claimed by files in a run's folder, whose file names are `names`; ascending."""
    return sorted(int(match[1]) for name in names if (match := _CLAIM.fullmatch(name)))


def status_of(files: Files, folder: str, attempt: int, now: datetime) -> Status:
    """The status at `now` of `attempt`, the newest in `folder`. Raises StoreCorrupt when its claim cannot be read."""
    key = claim_key(folder, attempt)
    latest = last_written(files, folder)
    try:
        claim = _read(files, key)
    except NotFound:
        raise StoreCorrupt(f"{key} cannot be found any more, or is a link that leads nowhere; {_ASIDE}") from None
    except StoreCorrupt:
        if not _may_be_torn(files, folder, attempt, latest):
            raise
        is_known = latest is not None and latest.attempt == attempt
        return _as_observed(latest, now) if latest and is_known else _of_torn(files, folder, attempt)
    if claim.attempt != attempt:
        raise StoreCorrupt(f"{key} is damaged: it claims attempt {claim.attempt}; {_ASIDE}")
    return _as_observed(latest if latest and latest.attempt == claim.attempt else claim, now)


def _may_be_torn(files: Files, folder: str, attempt: int, latest: Status | None) -> bool:
    """Whether a power cut explains what is wrong with the claim: it has no end, and nothing beside it was durable."""
    data = files.read(claim_key(folder, attempt))
    was_ended = latest is not None and latest.attempt == attempt and latest.status != RunStatus.RUNNING
    sizes = {item.key.rpartition("/")[2]: item.size_bytes for item in files.list(folder, deep=False)}
    # A log may be that of another attempt, where there is one: then it says nothing, nor does the name of one alone.
    has_log = claimed(sizes) == [attempt] and any(size and name.endswith(".log") for name, size in sizes.items())
    return (b"\0" in data or not data.endswith(_END)) and not was_ended and not has_log


def _of_torn(files: Files, folder: str, attempt: int) -> Status:
    """What is known of the attempt whose claim is torn."""
    key = claim_key(folder, attempt)
    since = next(item.modified for item in files.list(folder, deep=False) if item.key == key)
    return _crashed(folder, attempt, since, "the machine stopped before anything of the attempt was durable")


def unclaimed(files: Files, folder: str, attempt: int, now: datetime) -> Status:
    """What is known of an attempt that logged to `folder`, and whose claim is missing."""
    since = max((item.modified for item in files.list(folder, deep=False)), default=now)
    return _crashed(folder, attempt, since, "its claim is missing: see `seedbed runs fsck`")


def copied_from(files: Files, folder: str, status: Status) -> str:
    """The folder of another run of which `folder`, where `status` lies, is a copy; "" where it is none.

    The newest claim and the status view must name it, both where both can be read: one may be damaged.
    """
    if status.folder == folder or not (is_name(status.project) and is_name(status.run_id)):
        return ""
    told = [last_written(files, folder)]
    with contextlib.suppress(NotFound, StoreCorrupt):
        told.append(read_claim(files, folder, newest_attempt(files, folder)))
    is_copy = all(item is None or item.folder == status.folder for item in told)
    return status.folder if is_copy and any(True for _ in files.list(status.folder, deep=False)) else ""


def _crashed(folder: str, attempt: int, since: datetime, reason: str) -> Status:
    _, project, run_id, stage = folder.split("/")
    return Status(
        project=project,
        run_id=run_id,
        stage=Stage(stage),
        attempt=attempt,
        status=RunStatus.CRASHED,
        started=since,
        heartbeat=since,
        process=ProcessIdentity(pid=0, start_ticks=0, place=""),
        reason=reason,
    )


def last_written(files: Files, folder: str) -> Status | None:
    """The status view in `folder` as it stands; None where there is none yet, or a crash lost or tore it."""
    try:
        return _read(files, status_key(folder))
    except (NotFound, StoreCorrupt):
        return None


def status_damage(files: Files, folder: str) -> StoreCorrupt | None:
    """Why the status view in `folder` cannot be read; None where it can, or there is none."""
    try:
        _read(files, status_key(folder))
    except NotFound:
        return None
    except StoreCorrupt as damage:
        return damage
    return None


def _read(files: Files, key: str) -> Status:
    try:
        return Status.model_validate_json(files.read(key))
    except ValidationError as problem:
        found = problem.errors()[0]["msg"]
        raise StoreCorrupt(f"{key} is damaged: {found}; {_ASIDE}") from None


def _as_observed(status: Status, now: datetime) -> Status:
    if status.status != RunStatus.RUNNING:
        return status
    alive, age = is_alive(status.process), now - status.heartbeat
    if alive is False:
        reason = f"process {status.process.pid} is gone"
    elif alive is None and age > STALE_AFTER:
        reason = f"no heartbeat for {age.total_seconds():.0f} s from a process that cannot be seen from here"
    else:  # a live process may take long between two heartbeats: an epoch, a compilation
        return status
    return status.model_copy(update={"status": RunStatus.CRASHED, "reason": reason})


def _start_ticks(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # there is none, or no process can have such a number
        return None
    # Fields 3 (state) and 22 (start time) of proc(5); a zombie no longer runs.
    return None if fields[0] in "ZX" else int(fields[19])


def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return digest([boot, str(Path("/proc/self/ns/pid").readlink())])
