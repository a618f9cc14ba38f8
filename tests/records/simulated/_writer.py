"""What a writer does: runs that are started, logged, finished or given up, beside repairs, checks and sweeps."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from records_world import PROJECT, draft

from seedbed.contracts import Stage
from seedbed.errors import Conflict, SeedbedError, StoreCorrupt
from seedbed.records import ActiveRun, Store, fsck, gc, repair
from simulated._machine import MOUNT
from simulated._model import Drafted, Model, require, value_of
from simulated._world import Process, World

__all__ = ["Job", "Writer", "jobs_of"]

_TRIES = 5
_STALE_SECONDS = 61.0  # after which a process that cannot be seen counts as gone
_ROOT = Path(MOUNT) / "disk/store"


What: TypeAlias = Literal["run", "fsck", "repair", "gc", "list"]
_BESIDE: tuple[What, ...] = ("fsck", "repair", "gc", "list")


@dataclass(frozen=True)
class Job:
    """A run, or a look at the whole store. A `shared` run is also another writer's."""

    what: What
    run_id: str = ""
    group: str = ""
    num_points: int = 0
    ends: Literal["finish", "fail", "leave"] = "finish"
    has_blob: bool = False
    has_journal: bool = False
    is_promoted: bool = False
    is_shared: bool = False


def jobs_of(rng: random.Random, num_writers: int) -> list[list[Job]]:
    """The jobs of each writer; some runs are two writers'."""
    shared = rng.random() < 0.4
    found = []
    for writer in range(num_writers):
        jobs = [
            _run(rng, f"w{writer}-r{number}")
            for number in range(rng.choice((1, 1, 2, 3) if num_writers < 4 else (1, 2)))
        ]
        if shared and writer < 2:
            jobs.insert(rng.randrange(len(jobs) + 1), _run(rng, "shared", is_shared=True))
        if rng.random() < 0.4:
            jobs.insert(rng.randrange(len(jobs) + 1), Job(rng.choice(_BESIDE)))
        found.append(jobs)
    if rng.random() < 0.3:
        found.append([Job("list")] * rng.choice((2, 4)))
    return found


def _run(rng: random.Random, run_id: str, *, is_shared: bool = False) -> Job:
    return Job(
        "run",
        run_id,
        rng.choice(("one", "one", "two")),
        rng.choice((0, 1, 2, 4)),
        rng.choices(("finish", "fail", "leave"), (8, 1, 1))[0],
        has_blob=rng.random() < 0.2,
        has_journal=rng.random() < 0.2,
        is_promoted=rng.random() < 0.2,
        is_shared=is_shared,
    )


class _Clock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.time()

    def monotonic(self) -> float:
        return self._world.now


class Writer:
    """Does its jobs, in whichever `process` is alive for it; tells the model what is acknowledged."""

    def __init__(self, world: World, model: Model, rng: random.Random, name: str, jobs: Sequence[Job]) -> None:
        self.name = name
        self.process: Process | None = None
        self.may_fail = False  # since the disk lied
        self.is_strict = True  # what is seen beside writers may not look damaged, as it may where names are stale
        self._world = world
        self._model = model
        self._rng = rng
        self._jobs = list(jobs)
        self._next = 0
        self._clock = _Clock(world)

    def opened(self) -> Store:
        """The store as a new process finds it."""
        return Store.open(_ROOT, create=True, clock=self._clock)

    def work(self) -> None:
        """Do what is left to do."""
        try:
            store = self.opened()
            while self._next < len(self._jobs):
                store = self._done(store, self._jobs[self._next])
                self._next += 1
        except SeedbedError:
            if not self.may_fail:
                raise

    def run_again(self, run_id: str) -> None:
        """Start and finish a new run."""
        self._run(self.opened(), Job("run", run_id, "one", 1))

    def _done(self, store: Store, job: Job) -> Store:
        match job.what:
            case "run":
                self._run(store, job)
            case "list":
                store = self.opened()
                self._read(store)
                store.runs(PROJECT)
            case "fsck":
                damage = [finding for finding in fsck(store) if finding.kind.is_damage]
                require(not damage or not self.is_strict, f"damage beside writers: {damage}")
            case "repair":
                repair(store)
            case "gc":
                self._sweep(store)
        return store

    def _sweep(self, store: Store) -> None:
        try:
            gc(store)
        except StoreCorrupt:
            require(not self.is_strict, "gc found damage beside writers")

    def _read(self, store: Store) -> None:
        for commit in store.log(PROJECT).commits():
            self._model.saw(commit)

    def _run(self, store: Store, job: Job) -> None:
        run = self._started(store, job)
        if run is None:
            return
        self._model.starts(job.run_id, run.attempt, self._who(), self._machine())
        points = self._model.points.setdefault(job.run_id, {})
        for step in range(job.num_points):
            if self._world.chance(0.3):
                self._world.sleep(self._rng.choice((0.0, 1.0, 3.0)))
            run.log(step, {"loss": value_of(run.attempt, step)})
            points[run.attempt, step] = self._machine()
        if job.has_blob:
            data = bytes(5000) + job.run_id.encode()
            self._model.blobs[run.save_blob("weights", data)] = data
        if job.has_journal:
            self._note(run)
        if job.ends == "finish":
            self._finish(store, run, job)
        elif job.ends == "fail":
            run.failed("no memory")
            self._model.failed[job.run_id] = run.attempt
        if self._world.chance(0.3):
            self._read(store if self._world.chance(0.5) else self.opened())

    def _started(self, store: Store, job: Job) -> ActiveRun | None:
        """The run; None where another has begun it, or it is committed."""
        for _ in range(_TRIES):
            asked = {who for run_id, who in self._model.asked if run_id == job.run_id} - {self._who()}
            self._model.asked.add((job.run_id, self._who()))
            try:
                return store.start(PROJECT, job.run_id, Stage.TRAINING)
            except Conflict as problem:
                if job.is_shared or store.log(PROJECT).find(job.run_id, Stage.TRAINING):
                    return None
                if self._model.is_lost(job.run_id):
                    return None
                require(asked, f"nobody else began {job.run_id}, and it was refused: {problem}")
            self._world.sleep(_STALE_SECONDS)
            store = self.opened()
        require(False, f"{job.run_id} cannot be started again, {_TRIES} minutes after its process was gone")
        return None

    def _note(self, run: ActiveRun) -> None:
        journal = run.journal("notes")
        for number in range(2):
            num = len(journal.entries())
            journal.append("note", {"value": number})
            self._model.records[run.run_id] = num + 1

    def _finish(self, store: Store, run: ActiveRun, job: Job) -> None:
        ap = round(self._rng.random(), 9)
        self._model.finishes(Drafted(job.run_id, run.attempt, ap, job.group, self._world.steps))
        asked = draft(job.run_id, attempt=run.attempt, ap=ap, data=job.group)
        commit = run.finish(asked)
        self._model.finished(commit, self._world.steps)
        if self._world.chance(0.1):
            self._model.finished(run.finish(asked), self._world.steps)
        if job.is_promoted:
            promotion = store.log(PROJECT).baselines.promote(commit, "best", self._clock.now())
            self._model.promoted.add(promotion.digest or "")

    def _who(self) -> str:
        return self._world.running.name

    def _machine(self) -> str:
        return self._world.running.machine.place
