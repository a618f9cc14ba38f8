"""One schedule: machines, writers and what befalls them, all from a seed; and what must hold when they have ended."""

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

from records_world import PROJECT

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import StoreDamaged
from seedbed.records import Store, _status, _store, fsck, gc, read_journal, repair, run_events
from seedbed.records.journal import _step_metrics
from seedbed.records.storage import _durable, _files, _local, _numbered_log
from simulated._calls import SimulatedOs, files_of, maps_of, tokens_of
from simulated._disk import Disk, Inode
from simulated._machine import Machine
from simulated._model import Model, require
from simulated._world import Process, World
from simulated._writer import Writer, jobs_of

__all__ = ["KINDS", "Kind", "Outcome", "run_schedule"]

Kind: TypeAlias = Literal["disk", "nfs", "lies"]
KINDS: tuple[Kind, ...] = ("disk", "nfs", "lies")
_WEIGHTS = (4, 4, 1)
_A_DAY, _AN_HOUR = 86400.0, 3600.0
_STEPS = 150  # times the number of runs: within so many calls the writers are struck


@dataclass(frozen=True)
class Outcome:
    """What a schedule came to: how many `calls` of the file system were made, and commits are `gone` from a liar."""

    seed: int
    kind: Kind
    calls: int = 0
    kills: int = 0
    cuts: int = 0
    acknowledged: int = 0
    gone: int = 0


def run_schedule(seed: int, kind: Kind | None = None, trace: list[str] | None = None) -> Outcome:
    """Run the schedule of `seed`, of the `kind` that it draws unless one is given; its calls are added to `trace`.

    Raises Violation, or what ended a writer, when the store broke a promise.
    """
    schedule = _Schedule(seed, kind, trace)
    with _standing_in(schedule.world, schedule.rng), warnings.catch_warnings():
        # Only a disk that lies damages anything.
        warnings.simplefilter("ignore" if schedule.kind == "lies" else "error", StoreDamaged)
        try:
            schedule.run()
        except BaseException as problem:
            problem.add_note(f"seed {seed} ({schedule.kind}), call {schedule.world.steps}")
            raise
    return schedule.outcome()


class _Schedule:
    def __init__(self, seed: int, kind: Kind | None, trace: list[str] | None) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        drawn: Kind = rng.choices(KINDS, _WEIGHTS)[0]
        self.kind = kind or drawn
        self.world = World(rng, rng.choice((0.03, 0.1, 0.3)), rng.choice((0.0, 0.1, 0.3)))
        self.world.trace = trace
        self.world.on_step = self._strike
        self.disk = Disk(rng, is_prompt=self.kind == "nfs")
        num, is_nfs = (rng.choice((1, 2, 3)), True) if self.kind == "nfs" else (1, False)
        self.machines = [Machine(self.world, self.disk, number, rng, is_nfs=is_nfs) for number in range(num)]
        self.model = Model(may_lose=self.kind == "lies")
        self.writers: list[Writer] = []
        self._watcher = Writer(self.world, self.model, rng, "check", ())
        self.num_processes = self.kills = self.cuts = self.gone = 0
        self.strikes: list[tuple[int, str]] = []
        folder = self.disk.made(0.0, is_folder=True)
        self.disk.rename(self.disk.root, {"disk": folder})
        self.disk.sync(self.disk.root)

    def run(self) -> None:
        if self.kind == "lies":  # about runs, in a store that was made before
            self._alone(lambda store: None)
            self.disk.lies = self.rng.choice((0.1, 0.5, 1.0))
        num = self.rng.choice((2, 2, 3, 4))
        work = jobs_of(self.rng, num)
        self.strikes = self._drawn_strikes(sum(job.what == "run" for jobs in work for job in jobs))
        for number, jobs in enumerate(work):
            writer = Writer(self.world, self.model, self.rng, f"w{number}", jobs)
            writer.may_fail, writer.is_strict = self.kind == "lies", self.kind == "disk"
            self.writers.append(writer)
            self._start(writer, self.rng.choice(self.machines))
        self._next_strike()
        self.world.run()
        self.world.next_strike = float("inf")
        self.disk.lies = 0.0
        self._alone(self._check_losses if self.kind == "lies" else self._check)

    def outcome(self) -> Outcome:
        told = len(self.model.acknowledged)
        return Outcome(self.seed, self.kind, self.world.steps, self.kills, self.cuts, told, self.gone)

    # What befalls them

    def _start(self, writer: Writer, machine: Machine, after: float = 0.0) -> None:
        self.num_processes += 1
        process = Process(machine, self.num_processes, f"{writer.name}.{self.num_processes}")
        process.wakes = self.world.now + after
        writer.process = process
        self.world.add(process, writer.work)

    def _drawn_strikes(self, num_runs: int) -> list[tuple[int, str]]:
        num = self.rng.choice((0, 1, 1, 2, 3))
        kinds = self.rng.choices(("kill", "power"), (3, 2), k=num)
        if self.kind == "lies":
            kinds = ["power"]
        return sorted((self.rng.randrange(20, _STEPS * num_runs), kind) for kind in kinds)

    def _next_strike(self) -> None:
        self.world.next_strike = self.strikes[0][0] if self.strikes else float("inf")

    def _strike(self) -> None:
        _, kind = self.strikes.pop(0)
        self._next_strike()
        living = [each for each in self.writers if each.process and not each.process.has_ended]
        struck = self.rng.choice(living)
        assert struck.process is not None
        machine = struck.process.machine
        if kind == "kill":
            self.kills += 1
            self._killed(struck)
            return
        self.cuts += 1
        self.world.note(f"power lost on {machine.place}")
        place = machine.place
        there = [each for each in living if each.process and each.process.machine is machine]
        for each in there:
            assert each.process is not None
            each.process.is_dead = True
        machine.lose_power()
        self.model.lost_power(place)
        self.disk.lies = 0.0
        for each in there:
            self._followed(each)

    def _killed(self, writer: Writer) -> None:
        assert writer.process is not None
        self.world.note(f"{writer.process.name} killed")
        self.world.kill(writer.process)
        self._followed(writer)

    def _followed(self, writer: Writer) -> None:
        """Another process goes on with the writer's work, perhaps elsewhere, perhaps later."""
        if self.rng.random() < 0.85:
            self._start(writer, self.rng.choice(self.machines), self.rng.choice((0.0, 0.0, 1.0, 90.0)))

    # At the end

    def _alone(self, work: Callable[[Store], None]) -> None:
        """Let one process, on the machine that has the disk, look at what is left."""
        machine = Machine(self.world, self.disk, len(self.machines), self.rng, is_nfs=False)
        self.world.now += _AN_HOUR
        self.num_processes += 1
        process = Process(machine, self.num_processes, "check")
        self.world.add(process, lambda: work(self._watcher.opened()))
        self.world.run()

    def _check(self, store: Store) -> None:
        model = self.model
        commits = list(store.log(PROJECT).commits())
        model.check_log(commits)
        if self.rng.random() < 0.5:  # it takes a fifth of the time of a schedule, and most of it comes again below
            damage = [finding for finding in fsck(store) if finding.kind.is_damage]
            require(not damage, f"damage: {damage}")
        for run_id in sorted(model.points):
            if model.points[run_id]:
                model.check_points(run_id, run_events(store, store.find(run_id)))
        for digest, data in model.blobs.items():
            require(store.blobs.get(digest) == data, f"the blob {digest} has changed")
        history = {item.digest for item in store.log(PROJECT).baselines.history()}
        require(model.promoted <= history, "a promotion is lost")
        self._check_journals(store)
        for run_id, attempt in model.failed.items():
            view = store.find(run_id)
            require(
                view.attempt != attempt or view.status is RunStatus.FAILED, f"{run_id} failed, and is {view.status}"
            )
        self._go_on(len(commits))
        self.world.now += 3 * _A_DAY  # what a dead process left is old by then
        repair(self._watcher.opened())
        gc(self._watcher.opened())
        left = fsck(self._watcher.opened())
        require(not left, f"repair and gc left {left}")

    def _check_journals(self, store: Store) -> None:
        for run_id, num in sorted(self.model.records.items()):
            found = len(read_journal(store.folder(PROJECT, run_id, Stage.TRAINING) / "notes.log"))
            require(found >= num, f"the journal of {run_id} has {found} records of {num}")

    def _go_on(self, num: int) -> None:
        """A new run can start and finish."""
        self._watcher.run_again(f"new-{num}")
        require(self.model.acknowledged[f"new-{num}"].seq == num + 1, "the next run did not get the next number")

    def _check_losses(self, store: Store) -> None:
        known = dict(_files_in(self.disk.root, ""))
        under = {path.removeprefix("disk/store/"): data for path, data in known.items()}
        readable = list(store.log(PROJECT).commits())
        self.gone = self.model.check_losses(readable, fsck(store), under)


def _files_in(folder: Inode, path: str) -> Iterator[tuple[str, bytes]]:
    for name, node in (folder.names or {}).items():
        if node.is_folder:
            yield from _files_in(node, f"{path}{name}/")
        else:
            yield f"{path}{name}", bytes(node.data)


@contextlib.contextmanager
def _standing_in(world: World, rng: random.Random) -> Iterator[None]:
    """The real store on the simulated file system, with the processes and the clock of `world`."""
    calls = SimulatedOs(world)

    def switched(process: Process) -> None:
        for name, value in process.memory.items():
            setattr(_durable, name, value)

    def is_alive(process: Any) -> bool | None:
        if process.place != world.running.machine.place:
            return None
        return any(each.identity == process and not each.is_dead and not each.has_ended for each in world.processes)

    world.on_switch = switched
    tokens = tokens_of(rng)
    places: list[tuple[Any, str, Any]] = [
        (_durable, "os", calls),
        (_durable, "_identity", lambda path: ()),  # nobody takes a folder away, to make it again
        (_durable, "mmap", maps_of(world)),
        # The kernel closes what a process had open; of a file that is dropped nobody says when.
        (_durable, "finalize", lambda *_: SimpleNamespace(detach=lambda: None)),
        (_durable, "secrets", tokens),
        *((_durable, name, getattr(_durable, name)) for name in Process.MEMORY),
        (_files, "secrets", tokens),
        (_local, "os", calls),
        (_local, "io", files_of(calls)),
        (_numbered_log, "monotonic", lambda: world.now),
        (_status, "is_alive", is_alive),
        (_store, "is_alive", is_alive),
        (_store, "this_process", lambda: world.running.identity),
        # No thread of a log's own: its timed commit is that of a heartbeat.
        (_step_metrics._BackgroundCommitter, "start", lambda _: None),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in places]
    for where, name, other in places:
        setattr(where, name, other)
    try:
        yield
    finally:
        for where, name, real in before:
            setattr(where, name, real)
