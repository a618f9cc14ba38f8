"""Checks the folder of each run's stage: whether its views match the commit, and its logs are complete."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._status import (
    MERGING,
    claim_key,
    copied_from,
    is_merging,
    last_written,
    newest_attempt,
    read_status,
    status_damage,
    status_key,
)
from seedbed.records._store import Store
from seedbed.records._views import FIRST_VIEWS, views
from seedbed.records.canonical._canonical import canonical_json, parse_json
from seedbed.records.canonical._names import is_name
from seedbed.records.journal._attempts import last_logged
from seedbed.records.journal._frames import Frames, parse_frames
from seedbed.records.journal._tail import parsed_tail
from seedbed.records.log._copies import SNAPSHOT_VIEW, read_object
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import (
    CLAIM_AGAIN,
    COPY,
    EXPIRE,
    FIRST_THE_COMMIT,
    MERGE_AGAIN,
    READ,
    REPAIR,
    RESTORE,
    RESTORE_LOG,
    RESTORE_OR_MOVE,
    UPGRADE,
    Finding,
    FindingKind,
)
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._lost_logs import accepted_since, as_accepted
from seedbed.records.maintenance._reachable import Reachability, unsettled
from seedbed.records.maintenance._tail_check import record_findings
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._layout import EVENTS, EVENTS_TAIL, LOGS, TORN, log_folder

__all__ = ["FolderCheck", "confirmed", "lost_records"]

_REPORT_EVERY = 100


@dataclass(frozen=True)
class FolderCheck:
    """Checks one folder after another. Views of `damaged` commits are skipped: their right content is unknown."""

    store: Store
    reachable: Reachability
    damaged: Mapping[str, Finding]

    def findings(self, progress: Progress | None = None) -> Iterator[Finding]:
        """Everything that is wrong with the folders."""
        newest = self._newest()
        folders = sorted({*self.reachable.inventory.folders, *newest})
        for done, folder in enumerate(folders, 1):
            yield from confirmed(self.store, folder, partial(self._check_folder, folder, newest.get(folder)))
            if progress and done % _REPORT_EVERY == 0:
                progress("reading runs", done, len(folders))

    def lost_commits(self) -> Iterator[Finding]:
        """The commits that are lost as the folders of their runs alone tell, and whose loss nobody accepted."""
        newest = self._newest()
        for folder in sorted(self.reachable.inventory.folders):
            check = partial(self._lost_commit, folder, newest.get(folder))
            found = (as_accepted(self.store.files, item) for item in confirmed(self.store, folder, check))
            yield from (item for item in found if not item.kind.is_settled)

    def _newest(self) -> dict[str, ScannedCommit]:
        """The newest commit of every folder that has one."""
        return {item.folder: item for item in self.reachable.scan.all_commits()}

    def _check_folder(self, folder: str, commit: ScannedCommit | None) -> list[Finding]:
        if commit is None and (copied := self._copied(folder)):
            return [copied]
        found = list(self._logs(folder, commit))
        key = f"{folder}/{SNAPSHOT_VIEW}"
        if commit is None:
            shown = list(self._view_without_commit(folder))
        else:
            shown = [] if commit.key in self.damaged else list(self._views(commit))
        if folder in self.reachable.copies:  # nothing may replace or delete it
            shown = [view for view in shown if view.path != key]
        lost = self._lost_commit(folder, commit)
        return [*found, *lost, *shown, *self._claim(folder, commit), *self._status(folder), *self._tail(folder)]

    def _lost_commit(self, folder: str, commit: ScannedCommit | None) -> list[Finding]:
        """The commit of which the folder tells, and that the log lacks."""
        copy = self.reachable.copies.get(folder)
        if copy is None:
            if commit is None and self._copied(folder):
                return []
            return list(self._finished_without_commit(folder, commit))
        made = copy.commit
        problem = f"it is a whole copy of commit {made.seq} ({made.digest[:12]}…), which the log does not hold"
        return [Finding(FindingKind.COMMIT_LOST, copy.key, problem, copy.advice)]

    def _copied(self, folder: str) -> Finding | None:
        """The folder of another run, copied here, as its newest claim tells."""
        try:
            status = read_status(self.store.files, folder, self.store.clock.now())
        except StoreCorrupt:  # reported already
            return None
        original = status and copied_from(self.store.files, folder, status)
        problem = f"it is a copy of the folder {original}, and no run"
        return Finding(FindingKind.FOLDER_COPIED, folder, problem, COPY) if original else None

    def _claim(self, folder: str, commit: ScannedCommit | None) -> Iterator[Finding]:
        """The claim of the attempt that logged last, where it is missing: a log is durable only after its claim."""
        names = self.reachable.inventory.folders.get(folder, {})
        files, logged = self.store.files, 0
        if commit is None:
            logged = last_logged(names, lambda name: files.read(f"{folder}/{name}"))
        latest = last_written(files, folder)
        if logged > max(newest_attempt(files, folder), latest.attempt if latest else 0):
            problem = f"it is missing, although attempt {logged} of the run logged"
            yield Finding(FindingKind.CLAIM_DAMAGED, claim_key(folder, logged), problem, CLAIM_AGAIN)

    def _status(self, folder: str) -> Iterator[Finding]:
        """A status that cannot be read, which a crash of the machine may leave: the claim of the attempt counts."""
        damage = status_damage(self.store.files, folder)
        if isinstance(damage, Unreadable):
            yield Finding(FindingKind.CLAIM_DAMAGED, status_key(folder), str(damage), READ)
        elif damage:
            yield Finding(FindingKind.VIEW_STALE, status_key(folder), str(damage).partition("; ")[0], REPAIR)

    def _tail(self, folder: str) -> Iterator[Finding]:
        """A tail of which nobody knows what was logged, as a crash of the machine may leave it."""
        for name in sorted(self.reachable.inventory.folders.get(folder, ())):
            if name.startswith(f"{EVENTS_TAIL}{TORN}"):
                problem = "the points in it could not be read when a later attempt of the run began"
                yield Finding(FindingKind.LOG_TORN, f"{folder}/{name}", problem, REPAIR)
        key = f"{folder}/{EVENTS_TAIL}"
        if EVENTS_TAIL not in self.reachable.inventory.folders.get(folder, ()):
            return
        try:
            if parsed_tail(self.store.files.read(key), key) is None:
                problem = "its checksum differs, so the points that were logged last cannot be read"
                yield Finding(FindingKind.LOG_TORN, key, problem, REPAIR)
        except NotFound:  # the run has ended meanwhile
            return
        except InvalidInput as newer:
            yield Finding(FindingKind.RECORD_NEWER, key, str(newer), UPGRADE)
        except StoreCorrupt as damage:
            yield Finding(FindingKind.LOG_DAMAGED, key, str(damage), READ)

    def _finished_without_commit(self, folder: str, commit: ScannedCommit | None) -> Iterator[Finding]:
        """A run that says it is finished, where the log has neither its commit nor any loss that may have been it."""
        if commit or folder in self.reachable.copies:
            return
        project, run_id, stage = folder.split("/")[1:]
        try:
            status = read_status(self.store.files, folder, self.store.clock.now())
        except StoreCorrupt:  # reported already
            return
        has_finished = (
            status is not None
            and status.status is RunStatus.FINISHED
            and not is_merging(status, self.store.clock.now())
        )
        if not has_finished or (status and self._is_told(project, status.heartbeat)):
            return
        if self.store.log(project).find(run_id, Stage(stage)) is None:
            problem, advice = "it says that the run finished, but the log holds no commit of it", RESTORE_LOG
            if status and status.reason == MERGING:
                problem, advice = "a merge of another store was interrupted before the commit of this run", MERGE_AGAIN
            yield Finding(FindingKind.COMMIT_LOST, status_key(folder), problem, advice)

    def _is_told(self, project: str, finished: datetime) -> bool:
        """Whether a loss that the log shows may be that of a commit of the time `finished`: it was accepted later."""
        log, findings = f"{log_folder(project)}/", self.reachable.findings
        accepted = (key for key, item in findings.items() if item.kind.is_settled and key.startswith(log))
        return _is_log_named(project, unsettled(findings)) or any(
            accepted_since(self.store.files, key, finished) for key in accepted
        )

    def _logs(self, folder: str, commit: ScannedCommit | None) -> Iterator[Finding]:
        names = {
            name for name in self.reachable.inventory.folders.get(folder, ()) if name.endswith(".log") and is_name(name)
        }
        recorded = commit.logs if commit else {}
        has_known_commit = not self._may_lack_commit(folder, commit)
        for name in sorted({*names, *recorded}):
            key = f"{folder}/{name}"
            try:
                frames = parse_frames(self.store.files.read(key), key)
            except NotFound:
                # Step logs are the only logs that can expire.
                if commit and name in recorded and not (name == EVENTS and self._is_expired(commit)):
                    problem = f"commit {commit.seq} was made with {_records(recorded[name].sequence)} in it"
                    advice = EXPIRE if name == EVENTS and self.reachable.lacks_expiry(commit) else RESTORE
                    yield Finding(FindingKind.LOG_MISSING, key, f"it is missing, but {problem}", advice)
            except StoreCorrupt as damage:
                is_whole = isinstance(damage, Unreadable) and damage.is_whole
                advice = RESTORE if commit or not has_known_commit else RESTORE_OR_MOVE
                problem = str(damage) if is_whole else str(damage).partition("; restore the file")[0]
                yield Finding(FindingKind.LOG_DAMAGED, key, problem, READ if is_whole else advice)
            else:
                yield from _one_log(key, frames, recorded.get(name), has_known_commit=has_known_commit)

    def _may_lack_commit(self, folder: str, commit: ScannedCommit | None) -> bool:
        """Whether a commit that is lost or damaged, and whose loss nobody accepted, may have recorded this folder."""
        if folder in self.reachable.copies or any(self._finished_without_commit(folder, commit)):
            return True
        return commit.key in self.damaged if commit else _is_log_named(folder.split("/")[1], self.damaged)

    def _is_expired(self, commit: ScannedCommit) -> bool:
        if self.reachable.expiry_of(commit):
            return True
        return commit.digest in Expiries(self.store.files, commit.project).by_commit()

    def _views(self, commit: ScannedCommit) -> Iterator[Finding]:
        shown = _shown(self.store, commit.folder)
        if shown > commit.seq and shown not in self.reachable.inventory.numbers[LOGS, commit.project]:
            return  # another attempt of the run has committed after the listing
        for name, expected in views(self.store.log(commit.project).read(commit.seq)).items():
            key = f"{commit.folder}/{name}"
            try:
                found = self.store.files.read(key)
            except NotFound:
                if name in FIRST_VIEWS:  # the others are written when somebody asks for them
                    yield Finding(FindingKind.VIEW_MISSING, key, "it is missing", REPAIR)
            except StoreCorrupt as damage:
                yield Finding(FindingKind.VIEW_STALE, key, str(damage), REPAIR)
            else:
                if found != expected and _value(found) != _value(expected):
                    yield Finding(FindingKind.VIEW_STALE, key, f"it does not show commit {commit.seq}", REPAIR)

    def _view_without_commit(self, folder: str) -> Iterator[Finding]:
        """A view in a folder without an undamaged commit, unless the commit is reported already or is newer."""
        project, key = folder.split("/")[1], f"{folder}/{SNAPSHOT_VIEW}"
        known = {item.seq for item in self.reachable.scan.commits.get(project, ())}
        shown = _shown(self.store, folder)
        if SNAPSHOT_VIEW in self.reachable.inventory.folders[folder] and (not shown or shown in known):
            yield Finding(FindingKind.VIEW_STALE, key, "the commit that it shows does not exist", REPAIR)


def lost_records(store: Store, reachable: Reachability) -> dict[str, Finding]:
    """The records that are missing or damaged, at which `gc` stops: as the logs tell, or else the folders of runs."""
    found = unsettled(record_findings(store, reachable))
    return found or {item.path: item for item in FolderCheck(store, reachable, found).lost_commits()}


def confirmed(store: Store, folder: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """What the second of two runs of `check` finds; nothing while the run still writes to `folder`."""
    if not check() or _is_writing(store, folder):
        return []
    return check()


def _is_log_named(project: str, findings: Mapping[str, Finding]) -> bool:
    """Whether any of `findings` is about the project's log or a record in it."""
    log = f"{log_folder(project)}/"
    return LOGS in findings or any(f"{key}/".startswith(log) for key in findings)


def _is_writing(store: Store, folder: str) -> bool:
    try:
        status = read_status(store.files, folder, store.clock.now())
    except StoreCorrupt:  # reported already
        return False
    # Who runs has no status that cannot be read: it replaces it every few seconds.
    return status is not None and status.status is RunStatus.RUNNING and status_damage(store.files, folder) is None


def _shown(store: Store, folder: str) -> int:
    """The number of the commit that the views in `folder` show; 0 when there is none."""
    seq = (read_object(store.files, f"{folder}/{SNAPSHOT_VIEW}") or {}).get("snapshot_seq")
    return seq if isinstance(seq, int) else 0


def _value(view: bytes) -> bytes | None:
    """What a view says, however it spells its numbers: former versions wrote 1.0 where the log has 1."""
    try:
        return canonical_json(parse_json(view))
    except (ValueError, InvalidInput):
        return None


def _records(count: int, kind: str = "") -> str:
    return f"1 {kind}record" if count == 1 else f"{count} {kind}records"


def _one_log(key: str, frames: Frames, head: LogHead | None, *, has_known_commit: bool) -> Iterator[Finding]:
    if head and len(frames.entries) < head.sequence:
        rest = f" and {frames.torn_bytes} bytes of another" if frames.torn_bytes else ""
        problem = f"it is cut short: it holds {_records(len(frames.entries), 'whole ')}{rest}, but its commit recorded "
        yield Finding(FindingKind.LOG_DAMAGED, key, f"{problem}{head.sequence}", RESTORE)
        return  # what is left of a record is no torn tail that could be cut off
    if head and (found := frames.entries[head.sequence - 1].digest) != head.digest:
        problem = f"it is another log: its record {head.sequence} has the digest {found[:12]}…, "
        problem += f"but its commit recorded {head.digest[:12]}…"
        yield Finding(FindingKind.LOG_DAMAGED, key, problem, RESTORE)
        return  # an incomplete record after it is one of that other log
    if frames.torn_bytes:
        problem = f"the last {frames.torn_bytes} bytes, from byte {frames.whole_bytes} on, are an incomplete record"
        if has_known_commit:
            yield Finding(FindingKind.LOG_TORN, key, problem, REPAIR)
        else:  # only the commit could say that nothing was recorded of it, and a repair would cut it off
            problem += ", and a commit that may have recorded it whole is lost"
            yield Finding(FindingKind.LOG_DAMAGED, key, problem, FIRST_THE_COMMIT)
