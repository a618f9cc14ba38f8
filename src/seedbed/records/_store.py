"""A store: a folder of files that holds every run of every project, and needs no server."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records._blobs import Blobs
from seedbed.records._canonical import readable_json
from seedbed.records._clock import Clock, SystemClock
from seedbed.records._durable import create
from seedbed.records._layout import Layout
from seedbed.records._log import CommitLog
from seedbed.records._names import require_name
from seedbed.records._runs import ActiveRun
from seedbed.records._snapshot import Commit
from seedbed.records._status import Status, read_status, this_process

__all__ = ["FORMAT_VERSION", "RunView", "Store"]

FORMAT_VERSION = 1
_FORMAT = "seedbed-store"


@dataclass(frozen=True)
class RunView:
    """One run's stage in a list: `when` it was committed or, until then, started; `commit` is None until then."""

    project: str
    run_id: str
    stage: Stage
    attempt: int
    status: RunStatus
    when: datetime
    reason: str
    folder: Path
    commit: Commit | None


class Store:
    """An open store. Reading needs no right to write; any number of processes may write at once."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.layout = Layout(path)
        self._logs: dict[str, CommitLog] = {}

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False, clock: Clock | None = None) -> Self:
        """Open the store at `path`; with `create=True`, make one where there is none.

        Raises NotFound when there is none, InvalidInput when a later version of Seedbed made it, StoreCorrupt when its
        marker is damaged and StoreUnavailable when it cannot be made.
        """
        store = cls(Path(path), clock or SystemClock())
        if create and not store.layout.marker.exists():
            _write_marker(store.layout.marker)
        check_marker(store.layout.marker)
        return store

    @property
    def blobs(self) -> Blobs:
        """The payloads that commits name by digest."""
        return Blobs(self.layout.blobs)

    def projects(self) -> list[str]:
        """The names of all projects with a run or a commit, sorted."""
        return sorted({path.name for folder in (self.layout.logs, self.layout.runs) for path in _folders(folder)})

    def log(self, project: str) -> CommitLog:
        """The commit log of `project`, which may be empty. Raises InvalidInput for what cannot be a name."""
        if project not in self._logs:
            self._logs[project] = CommitLog(self.layout.log(project), project)
        return self._logs[project]

    def start(self, project: str, run_id: str, stage: Stage, attempt: int | None = None) -> ActiveRun:
        """Begin an attempt at `stage` of `run_id`: the next one, unless `attempt` names a later.

        Raises Conflict when the stage is committed already, still runs, or has had that attempt; InvalidInput for what
        cannot be a name.
        """
        log = self.log(project)
        earlier = self._unfinished(project, run_id, stage)
        last = earlier.attempt if earlier else 0
        chosen = last + 1 if attempt is None else attempt
        if chosen <= last:
            raise Conflict(f"{run_id}:{stage} has had attempt {last}, so {chosen} is taken; leave the attempt out")
        now = self.clock.now()
        status = Status(
            project=project,
            run_id=run_id,
            stage=stage,
            attempt=chosen,
            status=RunStatus.RUNNING,
            started=now,
            heartbeat=now,
            process=this_process(),
        )
        return ActiveRun.claim(self.layout, log, status, self.clock)

    def runs(self, project: str | None = None) -> list[RunView]:
        """Every stage of every run: the committed by seq, then the unfinished by when they started, project by project.

        Raises StoreCorrupt when a commit is missing or damaged.
        """
        names = self.projects() if project is None else [require_name("project", project)]
        return [view for name in names for view in self._runs_of(name)]

    def find(self, run_id: str, *, project: str | None = None, stage: Stage | None = None) -> RunView:
        """The run whose name is, or alone begins with, `run_id`; of its stages the last listed, unless `stage` says.

        Raises NotFound when there is none and InvalidInput when several match.
        """
        listed = [view for view in self.runs(project) if stage in (None, view.stage)]
        found = [view for view in listed if view.run_id == run_id]
        found = found or [view for view in listed if view.run_id.startswith(run_id)]
        if not found:
            raise NotFound(f"no run of {self.path} begins with {run_id!r}; `seedbed runs list` shows what there is")
        matches = sorted({f"{view.project}/{view.run_id}" for view in found})
        if len(matches) > 1:
            raise InvalidInput(f"{run_id!r} fits {len(matches)} runs: {', '.join(matches[:5])}; give more of the name")
        return found[-1]

    def _unfinished(self, project: str, run_id: str, stage: Stage) -> Status | None:
        header = self.log(project).find(run_id, stage)
        if header:
            raise Conflict(f"{run_id}:{stage} is finished, as commit {header.seq} of {project}; choose a new run_id")
        status = read_status(self.layout.run(project, run_id, stage), self.clock.now())
        if status and status.status == RunStatus.RUNNING:
            who = f"attempt {status.attempt} of {run_id}:{stage}"
            raise Conflict(f"{who} still runs, as process {status.process.pid}; wait for it to end, or end it")
        return status

    def _runs_of(self, project: str) -> Iterator[RunView]:
        finished = {(commit.snapshot.run_id, commit.snapshot.stage): commit for commit in self.log(project).commits()}
        for commit in sorted(finished.values(), key=lambda item: item.seq):
            yield self._finished_view(commit)
        folders = _folders(self.layout.runs / project)
        stages = [
            (run.name, Stage(item.name)) for run in folders for item in _folders(run) if item.name in Stage.__members__
        ]
        unfinished = [self._unfinished_view(project, *key) for key in stages if key not in finished]
        yield from sorted((view for view in unfinished if view), key=lambda view: view.when)

    def _finished_view(self, commit: Commit) -> RunView:
        snapshot = commit.snapshot
        return RunView(
            project=snapshot.project,
            run_id=snapshot.run_id,
            stage=snapshot.stage,
            attempt=snapshot.attempt,
            status=RunStatus.FINISHED,
            when=snapshot.timestamp,
            reason="",
            folder=self.layout.run_of(snapshot),
            commit=commit,
        )

    def _unfinished_view(self, project: str, run_id: str, stage: Stage) -> RunView | None:
        folder = self.layout.run(project, run_id, stage)
        status = read_status(folder, self.clock.now())
        if status is None:
            return None
        return RunView(
            project=project,
            run_id=run_id,
            stage=stage,
            attempt=status.attempt,
            status=status.status,
            when=status.started,
            reason=status.reason,
            folder=folder,
            commit=None,
        )


def check_marker(marker: Path) -> None:
    """Refuse a folder that is not a store of a format this version reads. Raises as `Store.open`."""
    try:
        found = json.loads(marker.read_bytes())
    except FileNotFoundError:
        raise NotFound(
            f"there is no store at {marker.parent}; run `seedbed demo` there, or name one by --store or SEEDBED_STORE"
        ) from None
    except ValueError as problem:
        raise StoreCorrupt(f"{marker} is not JSON: {problem}; restore it, it is the same in every store") from None
    version = found.get("format_version") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(version, int):
        raise StoreCorrupt(f"{marker} does not name the format {_FORMAT}; restore it, it is the same in every store")
    if version > FORMAT_VERSION:
        raise InvalidInput(
            f"{marker.parent} has format {version}, this Seedbed reads up to {FORMAT_VERSION}; upgrade it"
        )


def _write_marker(marker: Path) -> None:
    try:
        create(marker, readable_json({"format": _FORMAT, "format_version": FORMAT_VERSION}))
    except FileExistsError:
        return  # another process made the same store at the same moment


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
