"""Whether the folder of each run's stage shows its commit, and holds the logs that the commit vouches for."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from seedbed.contracts import RunStatus
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._status import read_status
from seedbed.records._store import Store
from seedbed.records._views import views
from seedbed.records.journal._frames import Frames, parse_frames
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import REPAIR, RESTORE, Finding, FindingKind
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.maintenance._tail_check import SNAPSHOT_VIEW, read_object
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._layout import EVENTS, LOGS

__all__ = ["FolderCheck", "settled"]

_LOG = re.compile(r"[^/]*\.log")
_REPORT_EVERY = 100


@dataclass(frozen=True)
class FolderCheck:
    """Looks at one folder after the other. `damaged` commits are named already: nobody can say what shows them."""

    store: Store
    marks: Reachability
    damaged: Mapping[str, Finding]

    def findings(self, progress: Progress | None = None) -> Iterator[Finding]:
        """What is wrong with any folder."""
        newest = {item.folder: item for item in self.marks.survey.every()}
        folders = sorted({*self.marks.inventory.folders, *newest})
        for done, folder in enumerate(folders, 1):
            yield from settled(self.store, folder, partial(self._look, folder, newest.get(folder)))
            if progress and done % _REPORT_EVERY == 0:
                progress("reading runs", done, len(folders))

    def _look(self, folder: str, commit: ScannedCommit | None) -> list[Finding]:
        found = list(self._logs(folder, commit))
        if commit is None:
            return [*found, *self._unfounded(folder)]
        if commit.key not in self.damaged:
            found += self._views(commit)
        return found

    def _logs(self, folder: str, commit: ScannedCommit | None) -> Iterator[Finding]:
        names = {name for name in self.marks.inventory.folders.get(folder, ()) if _LOG.fullmatch(name)}
        vouched = commit.logs if commit else {}
        for name in sorted({*names, *vouched}):
            key = f"{folder}/{name}"
            try:
                frames = parse_frames(self.store.files.read(key), key)
            except NotFound:
                # Of logs only step logs are ever let go.
                if commit and name in vouched and not (name == EVENTS and self._is_released(commit)):
                    problem = f"commit {commit.seq} vouches for {vouched[name].sequence} records of it"
                    yield Finding(FindingKind.LOG_MISSING, key, f"it is not there, but {problem}", RESTORE)
            except StoreCorrupt as damage:
                yield Finding(FindingKind.LOG_DAMAGED, key, str(damage), RESTORE)
            else:
                yield from _one_log(key, frames, vouched.get(name))

    def _is_released(self, commit: ScannedCommit) -> bool:
        if self.marks.expiry_of(commit):
            return True
        return commit.digest in Expiries(self.store.files, commit.project).by_commit()

    def _views(self, commit: ScannedCommit) -> Iterator[Finding]:
        shown = _shown(self.store, commit.folder)
        if shown > commit.seq and shown not in self.marks.inventory.numbers[LOGS, commit.project]:
            return  # another attempt of the run has committed since the listing
        for name, expected in views(self.store.log(commit.project).read(commit.seq)).items():
            key = f"{commit.folder}/{name}"
            try:
                found = self.store.files.read(key)
            except NotFound:
                yield Finding(FindingKind.VIEW_MISSING, key, "it is not there", REPAIR)
            else:
                if found != expected:
                    yield Finding(FindingKind.VIEW_STALE, key, f"it does not show commit {commit.seq}", REPAIR)

    def _unfounded(self, folder: str) -> Iterator[Finding]:
        """A view in a folder without a whole commit, unless that commit is named already, or landed meanwhile."""
        project, key = folder.split("/")[1], f"{folder}/{SNAPSHOT_VIEW}"
        known = {item.seq for item in self.marks.survey.commits.get(project, ())}
        shown = _shown(self.store, folder)
        if SNAPSHOT_VIEW in self.marks.inventory.folders[folder] and (not shown or shown in known):
            yield Finding(FindingKind.VIEW_STALE, key, "there is no commit that it shows", REPAIR)


def settled(store: Store, folder: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What `look` finds wrong when it looks twice: in between it is asked whether the run still writes to `folder`."""
    if not look() or _is_writing(store, folder):
        return []
    return look()


def _is_writing(store: Store, folder: str) -> bool:
    try:
        status = read_status(store.files, folder, store.clock.now())
    except StoreCorrupt:  # named already
        return False
    return status is not None and status.status is RunStatus.RUNNING


def _shown(store: Store, folder: str) -> int:
    """The number of the commit that the folder shows; 0 when it shows none."""
    seq = (read_object(store.files, f"{folder}/{SNAPSHOT_VIEW}") or {}).get("snapshot_seq")
    return seq if isinstance(seq, int) else 0


def _one_log(key: str, frames: Frames, head: LogHead | None) -> Iterator[Finding]:
    if head:
        found = frames.entries[head.sequence - 1].digest if len(frames.entries) >= head.sequence else "nothing"
        if found != head.digest:
            problem = f"record {head.sequence} is {found[:12]}, but its commit vouches for {head.digest[:12]}"
            yield Finding(FindingKind.LOG_DAMAGED, key, problem, RESTORE)
    if frames.torn_bytes:
        problem = f"the last {frames.torn_bytes} bytes, from byte {frames.whole_bytes} on, are a record cut short"
        yield Finding(FindingKind.LOG_TORN, key, problem, REPAIR)
