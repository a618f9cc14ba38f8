"""A store: a folder, or a prefix of a bucket, that holds every run of every project. It needs no server."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreDamaged
from seedbed.records._active_run import ActiveRun
from seedbed.records._status import (
    STALE_AFTER,
    Status,
    copied_from,
    is_alive,
    is_claimed,
    read_status,
    this_process,
    unclaimed,
    write_status,
)
from seedbed.records.canonical._canonical import parse_json, readable_json
from seedbed.records.canonical._names import is_name, is_new_name, new_run_id, no_new_name, require_name
from seedbed.records.journal._attempts import last_logged
from seedbed.records.log._log import CommitLog
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._blobs import Blobs
from seedbed.records.storage._clock import Clock, SystemClock
from seedbed.records.storage._files import Files, NoBucket, require_create_only
from seedbed.records.storage._layout import LOGS, MARKER, RUNS, log_folder, run_folder
from seedbed.records.storage._local import names_in, read_regular
from seedbed.records.storage._location import StoreLocation
from seedbed.records.storage._numbered_log import advised

__all__ = ["FORMAT_VERSION", "RunView", "Store"]

FORMAT_VERSION = 1
_FORMAT = "seedbed-store"
_NAMES_TRIED = 8  # names of one millisecond differ in 16 bits; what goes on after that, no name cures
_MOST_NAMED = 5
_ANOTHER = "start another run: leave the run_id out and one is made, or give a new run_id"
_NO_COMMIT = "its commit is lost: see `seedbed runs fsck`"
_SAME_MARKER = (
    "copy this file from another store, it is the same in all of one version: `Store.open(FOLDER, create=True)` in an "
    "empty folder makes one"
)


@dataclass(frozen=True)
class RunView:
    """One stage of a run in a list. `when` it was committed or, if it has no `commit`, started."""

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
    """An open store. Reading needs no right to write; any number of processes may write at once.

    `files` gives access to all of it. `work` is the local folder in which running attempts append to their logs: the
    store itself if it is a folder.
    """

    def __init__(self, place: StoreLocation, clock: Clock) -> None:
        self.name = place.name
        self.files = place.files
        self.work = place.work
        self.clock = clock
        self._place = place
        self._logs: dict[str, CommitLog] = {}

    @classmethod
    def open(
        cls,
        where: Path | str | None = None,
        *,
        create: bool = False,
        clock: Clock | None = None,
        work: Path | str | None = None,
    ) -> Self:
        """Open the store at `where`, a folder or a URL such as s3://bucket/prefix; with `create=True`, make one.

        Without `where` it is the store of SEEDBED_STORE in the environment, else `.seedbed` in the current folder. In a
        text, `~` is the home folder.
        If the store is in a bucket, running attempts append to their logs under `work`, by default `.seedbed-work`.
        Raises NotFound when there is no store, InvalidInput when a later version of Seedbed made it, StoreCorrupt when
        its marker is damaged, or missing where runs are, and StoreUnavailable when it cannot be
        read or made.
        """
        place = StoreLocation.of(where or os.environ.get("SEEDBED_STORE") or ".seedbed", work)
        if create:
            _make_marker(place.files)
        check_marker(place.files, place.name)
        return cls(place, clock or SystemClock())

    @property
    def blobs(self) -> Blobs:
        """The payloads of the store, which commits name by digest."""
        return Blobs(self.files, self.clock)

    @property
    def is_remote(self) -> bool:
        """Whether every call of `files` goes over a network, as to a bucket."""
        return self._place.is_remote

    def projects(self) -> list[str]:
        """The names of all projects with a run or a commit, sorted."""
        return sorted({name for folder in (LOGS, RUNS) for name in self._folders(folder)})

    def log(self, project: str) -> CommitLog:
        """The commit log of `project`, which may be empty. Raises InvalidInput when that cannot be a name."""
        if project not in self._logs:
            # Another thread may have made it at this moment: one log is one object, in which threads go one at a time.
            self._logs.setdefault(project, CommitLog(self.files, project, self._place.turn_at(log_folder(project))))
        return self._logs[project]

    def folder(self, project: str, run_id: str, stage: Stage) -> Path:
        """The local folder of the run's files. Raises InvalidInput for a name that a store cannot have."""
        return self.work / run_folder(project, run_id, stage)

    def start(
        self, project: str, run_id: str | None = None, stage: Stage = Stage.TRAINING, attempt: int | None = None
    ) -> ActiveRun:
        """Begin an attempt at `stage` of `run_id`: the next one, unless `attempt` names a later one.

        Without a `run_id`, begin a new run with a name that nobody has, which sorts by time: `run.run_id`.
        Raises Conflict when the stage is committed already, still runs, or has had that attempt, or when every one of a
        few new names is taken; InvalidInput for a name that a store cannot have; StoreCorrupt for a damaged claim.
        """
        if run_id is None:
            return self._start_new(project, stage, 1 if attempt is None else attempt)
        earlier = self._unfinished(project, run_id, stage)
        last = earlier.attempt if earlier else 0
        chosen = last + 1 if attempt is None else attempt
        if chosen <= last:
            raise Conflict(
                f"{run_id}:{stage} has had attempt {last}, so {chosen} is taken; leave the attempt out to resume it"
            )
        return self._claim(project, run_id, stage, chosen)

    def end(self, run: RunView, reason: str) -> RunView:
        """Call the newest attempt of `run` interrupted, whose machine is gone and had a clock that was ahead.

        Then it can be started again. Only a heartbeat that lies in the future needs this: a run whose process cannot be
        seen from here counts as crashed 60 s after its last one. Raises Conflict for every other run: one that has
        ended, that lives on this machine, or whose heartbeat is not in the future.
        """
        who = f"attempt {run.attempt} of {run.run_id}:{run.stage}"
        folder = run_folder(run.project, run.run_id, run.stage)
        now = self.clock.now()
        status = read_status(self.files, folder, now)
        if run.commit is not None or status is None or status.status != RunStatus.RUNNING:
            raise Conflict(f"{who} does not run: it is {run.status}; there is nothing to end")
        if is_alive(status.process):
            raise Conflict(f"{who} still runs, as process {status.process.pid} of this machine; stop that process")
        if status.heartbeat <= now:
            age, limit = (now - status.heartbeat).total_seconds(), STALE_AFTER.total_seconds()
            raise Conflict(
                f"{who} may be alive on another machine: its last heartbeat is {age:.0f} s old; stop it there, or "
                f"wait: {limit:.0f} s after its last heartbeat it counts as crashed, and can be started again"
            )
        write_status(self.files, folder, status.ended(RunStatus.INTERRUPTED, reason, now))
        return self.find(run.run_id, project=run.project, stage=run.stage)

    def _start_new(self, project: str, stage: Stage, attempt: int) -> ActiveRun:
        for _ in range(_NAMES_TRIED - 1):
            with contextlib.suppress(Conflict):  # somebody made the same name at the same moment
                return self._start_named(project, new_run_id(self.clock.now()), stage, attempt)
        return self._start_named(project, new_run_id(self.clock.now()), stage, attempt)

    def _start_named(self, project: str, run_id: str, stage: Stage, attempt: int) -> ActiveRun:
        """Begin a run whose name nobody has. Raises Conflict when somebody has it."""
        if self._unfinished(project, run_id, stage) is not None:
            raise Conflict(f"{run_id}:{stage} of {project} was begun at this moment; start it again, for another name")
        return self._claim(project, run_id, stage, attempt)

    def _claim(self, project: str, run_id: str, stage: Stage, attempt: int) -> ActiveRun:
        # A name that the store has already goes on, also one that nothing new can have.
        if not self.log(project).head():
            self._require_new_project(project)
        if not is_new_name(run_id) and run_id not in self._run_ids(project):
            raise no_new_name("run_id", run_id)
        now = self.clock.now()
        status = Status(
            project=project,
            run_id=run_id,
            stage=stage,
            attempt=attempt,
            status=RunStatus.RUNNING,
            started=now,
            heartbeat=now,
            process=this_process(),
        )
        return ActiveRun.claim(self._place, self.log(project), status, self.clock)

    def _require_new_project(self, project: str) -> None:
        """Raise InvalidInput if the store has no such project, and can have none of that name."""
        known = self.projects()
        if project in known:
            return
        if not is_new_name(project):
            raise no_new_name("project", project)
        if alike := [name for name in known if name.lower() == project.lower()]:
            raise InvalidInput(
                f"the project {project!r} differs from {alike[0]!r} in the case of letters alone, and on many file "
                "systems both would share their files; use that one, or another name"
            )

    def runs(self, project: str | None = None) -> list[RunView]:
        """Every stage of every run, project by project: first the committed by seq, then the unfinished by start time.

        A finished run whose commit cannot be read is among the unfinished, and its `reason` says so. One without a
        commit whose claim cannot be read is left out, and a warning StoreDamaged names it.
        """
        names = self.projects() if project is None else [require_name("project", project)]
        return [view for name in names for view in self._runs_of(name)]

    def finished(self, project: str, seq: int) -> RunView:
        """The run of commit `seq` of `project`. Raises as `CommitLog.read`."""
        return self._finished_view(self.log(project).read(seq))

    def unfinished(self, project: str | None = None) -> list[RunView]:
        """Every stage of a run without a commit, project by project, by start time; damaged ones as `runs` has them."""
        names = self.projects() if project is None else [require_name("project", project)]
        return [view for name in names for view in self._unfinished_views(name)]

    def find(self, run_id: str, *, project: str | None = None, stage: Stage | None = None) -> RunView:
        """The run named `run_id`, or the only one whose name begins so; its last stage, unless `stage` is given.

        Raises NotFound when there is none and InvalidInput when several match.
        """
        names = self.projects() if project is None else [require_name("project", project)]
        known = {(name, known) for name in names for known in self._run_ids(name)}
        found = {item for item in known if item[1] == run_id} or {item for item in known if item[1].startswith(run_id)}
        views = [view for item in sorted(found) for view in self._stages_of(*item) if stage in (None, view.stage)]
        if not views:
            raise NotFound(f"no run of {self.name} begins with {run_id!r}; `seedbed runs list` shows what there is")
        matches = sorted({f"{view.project}/{view.run_id}" for view in views})
        if len(matches) > 1:
            more = f" and {len(matches) - _MOST_NAMED} more" if len(matches) > _MOST_NAMED else ""
            named = f"{', '.join(matches[:_MOST_NAMED])}{more}"
            raise InvalidInput(f"{run_id!r} fits {len(matches)} runs: {named}; give more of the name")
        return views[-1]

    def newest(self, *, finished: bool = False) -> RunView | None:
        """The run with the latest finish or, if unfinished, start time; None in an empty store.

        With `finished=True` the newest of those that finished, also where the commit of that one is lost.
        """
        logs = [self.log(project) for project in self.projects()]
        views = [self._finished_view(commit) for log in logs if (commit := log.newest_commit())]
        others = (view for log in logs for view in self._unfinished_views(log.project))
        views += [view for view in others if not finished or view.status is RunStatus.FINISHED]
        return max(views, key=lambda view: view.when, default=None)

    def _unfinished(self, project: str, run_id: str, stage: Stage) -> Status | None:
        self._require_no_commit(project, run_id, stage)
        folder = run_folder(project, run_id, stage)
        logged = self._last_logged(folder)  # before the status: an attempt is claimed before it logs
        status = read_status(self.files, folder, self.clock.now())
        # Again: a process that was found to be gone may have committed since, before it ended.
        self._require_no_commit(project, run_id, stage)
        if status and (original := copied_from(self.files, folder, status)):
            raise Conflict(f"{folder} is a copy of {original}; delete it, or move it out of the store, or {_ANOTHER}")
        if status and status.status == RunStatus.FINISHED:
            raise Conflict(f"{run_id}:{stage} of {project} is finished, and {_NO_COMMIT}; {_ANOTHER}")
        if status and status.status == RunStatus.RUNNING:
            who = f"attempt {status.attempt} of {run_id}:{stage}"
            raise Conflict(
                f"{who} still runs, as process {status.process.pid}; wait for it to end, or "
                f"{STALE_AFTER.total_seconds():.0f} s where it is gone (`seedbed runs end` where its machine is gone "
                f"and its clock was ahead), then start it again to resume it; or {_ANOTHER}"
            )
        if logged > (status.attempt if status else 0) and not is_claimed(self.files, folder, logged):
            return unclaimed(self.files, folder, logged, self.clock.now())
        return status

    def _last_logged(self, folder: str) -> int:
        local = self.work / folder
        return last_logged(names_in(local), lambda name: read_regular(local / name))

    def _require_no_commit(self, project: str, run_id: str, stage: Stage) -> None:
        header = self.log(project).find(run_id, stage)
        if header:
            raise Conflict(f"{run_id}:{stage} is finished, as commit {header.seq} of {project}; {_ANOTHER}")

    def _runs_of(self, project: str) -> Iterator[RunView]:
        finished = {(commit.snapshot.run_id, commit.snapshot.stage): commit for commit in self.log(project).commits()}
        for commit in sorted(finished.values(), key=lambda item: item.seq):
            yield self._finished_view(commit)
        yield from self._unfinished_views(project)

    def _run_ids(self, project: str) -> set[str]:
        return self.log(project).run_ids() | set(self._folders(f"{RUNS}/{project}"))

    def _stages_of(self, project: str, run_id: str) -> Iterator[RunView]:
        """The stages of one run: first the committed by seq, then the unfinished by start time."""
        log = self.log(project)
        headers = (header for stage in Stage if (header := log.find(run_id, stage)))
        commits = sorted(filter(None, (log.readable(header.seq) for header in headers)), key=lambda item: item.seq)
        yield from map(self._finished_view, commits)
        finished = {commit.snapshot.stage for commit in commits}
        views = [self._unfinished_view(project, run_id, stage) for stage in Stage if stage not in finished]
        yield from sorted((view for view in views if view), key=lambda view: view.when)

    def _unfinished_views(self, project: str) -> Iterator[RunView]:
        runs = ((run_id, self._folders(f"{RUNS}/{project}/{run_id}")) for run_id in self._folders(f"{RUNS}/{project}"))
        stages = [(run_id, Stage(name)) for run_id, names in runs for name in names if name in Stage.__members__]
        unfinished = [self._view_or_warning(project, *key) for key in self.log(project).without_commit(stages)]
        yield from sorted((view for view in unfinished if view), key=lambda view: view.when)

    def _view_or_warning(self, project: str, run_id: str, stage: Stage) -> RunView | None:
        try:
            return self._unfinished_view(project, run_id, stage)
        except StoreCorrupt as damage:  # of this run's claim: it hides no other run
            warnings.warn(f"passed over: {advised(str(damage))}", StoreDamaged, stacklevel=2)
            return None

    def _finished_view(self, commit: Commit) -> RunView:
        snapshot = commit.snapshot
        return RunView(
            project=snapshot.project,
            run_id=snapshot.run_id,
            stage=snapshot.stage,
            attempt=snapshot.attempt_id,
            status=RunStatus.FINISHED,
            when=snapshot.timestamp,
            reason="",
            folder=self.work / run_folder_of(snapshot),
            commit=commit,
        )

    def _unfinished_view(self, project: str, run_id: str, stage: Stage) -> RunView | None:
        folder = run_folder(project, run_id, stage)
        status = read_status(self.files, folder, self.clock.now())
        if status is None and (logged := self._last_logged(folder)):
            status = unclaimed(self.files, folder, logged, self.clock.now())
        if status is None or copied_from(self.files, folder, status):
            return None
        if status.status is RunStatus.FINISHED and (header := self.log(project).find(run_id, stage)):
            return self.finished(project, header.seq)  # it was committed a moment ago
        return RunView(
            project=project,
            run_id=run_id,
            stage=stage,
            attempt=status.attempt,
            status=status.status,
            when=status.started,
            reason=status.reason or (_NO_COMMIT if status.status is RunStatus.FINISHED else ""),
            folder=self.work / folder,
            commit=None,
        )

    def _folders(self, folder: str) -> list[str]:
        found = (item.key for item in self.files.list(folder, deep=False))
        names = (key.rstrip("/").rpartition("/")[2] for key in found if key.endswith("/"))
        return [name for name in names if is_name(name)]  # other tools leave folders of theirs, such as lost+found


def check_marker(files: Files, name: str) -> None:
    """Refuse anything but a store in a format that this version reads. Raises as `Store.open`."""
    try:
        found = parse_json(files.read(MARKER))
    except NotFound:
        if _has_runs(files):
            raise StoreCorrupt(f"{MARKER} of {name} is missing, though runs are there; {_SAME_MARKER}") from None
        raise NotFound(
            f"there is no store at {name}; name one by --store or SEEDBED_STORE, or make one there: with a run by "
            "`seedbed demo`, empty by `Store.open(FOLDER, create=True)`"
        ) from None
    except ValueError as problem:
        raise StoreCorrupt(f"{MARKER} of {name} is not JSON: {problem}; {_SAME_MARKER}") from None
    version = found.get("format_version") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(version, int):
        raise StoreCorrupt(f"{MARKER} of {name} does not name the format {_FORMAT}; {_SAME_MARKER}")
    if version > FORMAT_VERSION:
        raise InvalidInput(f"{name} has format {version}, this Seedbed reads up to {FORMAT_VERSION}; upgrade it")


def _has_runs(files: Files) -> bool:
    with contextlib.suppress(NoBucket):
        return any(True for folder in (LOGS, RUNS) for _ in files.list(folder, deep=False))
    return False


def _make_marker(files: Files) -> None:
    try:
        files.read(MARKER)
    except NotFound:
        require_create_only(files.create, files.remove)
        with contextlib.suppress(FileExistsError):  # another process may make the same store at the same moment
            files.create(MARKER, readable_json({"format": _FORMAT, "format_version": FORMAT_VERSION}))
