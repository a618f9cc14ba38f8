"""Processes on machines, of which exactly one runs: a seed says which goes on, which dies, and where power is lost.

Each process is a thread, and waits until it is given the baton. So a seed makes the same calls again.
"""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from seedbed.records._status import ProcessIdentity
from simulated._machine import Machine, Mapping, Opened

__all__ = ["Killed", "Process", "World"]

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_CALL_SECONDS = 0.001


class Killed(BaseException):
    """The process is gone: whatever it still asks of the kernel does not happen."""


def _baton() -> threading.Lock:
    """Who acquires it waits until another releases it."""
    found = threading.Lock()
    found.acquire()
    return found


class Process:
    """One process: what it has open, and what it remembers."""

    MEMORY: ClassVar[dict[str, type]] = {"_DURABLE_FOLDERS": dict, "_UNSYNCED": dict, "_UNSYNCABLE": set}

    def __init__(self, machine: Machine, number: int, name: str) -> None:
        self.machine = machine
        self.name = name
        self.identity = ProcessIdentity(pid=number, start_ticks=number, place=machine.place)
        self.baton = _baton()
        self.is_dead = False
        self.has_ended = False
        self.wakes = 0.0
        self.stopped_until = 0  # a step
        self.opened: dict[int, Opened] = {}
        self.mapped: list[Mapping] = []
        self.next_descriptor = 3
        self.memory = {name: kind() for name, kind in self.MEMORY.items()}  # what `_durable` knows of the folders
        self.problem: BaseException | None = None


class World:
    """The clock, the processes, and who runs. `switching` is how likely another one goes on before a call."""

    def __init__(self, rng: random.Random, switching: float, stopping: float) -> None:
        self.steps = 0
        self.now = _BEGAN
        self.processes: list[Process] = []
        self.running: Process
        self.trace: list[str] | None = None
        self.on_switch: Callable[[Process], None] = lambda _: None
        self.on_step: Callable[[], None] = lambda: None
        self.next_strike: float = float("inf")  # the step at which `on_step` is to be called
        self._rng = rng
        self._switching = switching
        self._stopping = stopping
        self._main = _baton()
        self._fresh: list[threading.Thread] = []

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def chance(self, likely: float) -> bool:
        return self._rng.random() < likely

    # Called by the process that runs

    def begun(self, name: str, *subject: object) -> Machine:
        """A call begins: others may go on before it. Returns the machine that it is made on."""
        me = self.running
        self._survive(me)
        self.steps += 1
        self.now += _CALL_SECONDS
        if self.steps >= self.next_strike:
            self.on_step()
            self._survive(me)
        if self._rng.random() < self._switching:
            if self._rng.random() < self._stopping:
                self._stop(me)
            self._pass_on(me)
        if self.trace is not None:
            self.note(f"{me.name:8} {name} {' '.join(map(str, subject))}")
        return me.machine

    def hesitate(self) -> None:
        """The process that runs has looked at something: perhaps it is stopped before it acts on that."""
        if self._rng.random() < self._stopping:
            self._stop(self.running)
            self._pass_on(self.running)

    def _stop(self, process: Process) -> None:
        process.stopped_until = self.steps + self._rng.randrange(20, 600)

    def note(self, what: str) -> None:
        """Add a line to the trace, if one is kept."""
        if self.trace is not None:
            self.trace.append(f"{self.steps:6} {what}")

    def sleep(self, seconds: float) -> None:
        """The process that runs waits; the clock goes on when all others do, too."""
        me = self.running
        me.wakes = self.now + seconds
        self._pass_on(me)

    def kill(self, process: Process) -> None:
        """End a process wherever it is: it learns of that when it is to run again."""
        if not process.is_dead and not process.has_ended:
            process.is_dead = True
            process.machine.end(process)

    # Called from outside

    def add(self, process: Process, work: Callable[[], None]) -> None:
        """Let `work` be done by `process`, once it is its turn."""
        thread = threading.Thread(target=self._do, args=(process, work), daemon=True)
        self.processes.append(process)
        self._fresh.append(thread)
        thread.start()

    def run(self) -> None:
        """Let all processes run until none is left. Raises what ended one of them otherwise than by a kill."""
        if self.processes:
            self._give(self._chosen())
            self._main.acquire()
        for thread in self._fresh:
            thread.join()
        self._fresh.clear()
        ended, self.processes = self.processes, []
        for process in ended:
            if process.problem is not None:
                raise process.problem

    def _do(self, process: Process, work: Callable[[], None]) -> None:
        process.baton.acquire()
        try:
            self._survive(process)
            work()
        except Killed:
            pass
        except BaseException as problem:
            process.problem = problem
            for other in self.processes:  # nothing that follows says more
                self.kill(other)
        self.kill(process)
        process.has_ended = True
        if any(not other.has_ended for other in self.processes):
            self._give(self._chosen())
        else:
            self._main.release()

    def _survive(self, process: Process) -> None:
        if process.is_dead:
            raise Killed

    def _pass_on(self, me: Process) -> None:
        chosen = self._chosen()
        if chosen is not me:
            self._give(chosen)
            me.baton.acquire()
        self._survive(me)

    def _give(self, process: Process) -> None:
        self.running = process
        self.on_switch(process)
        process.baton.release()

    def _chosen(self) -> Process:
        left = [process for process in self.processes if not process.has_ended]
        awake = [process for process in left if process.is_dead or process.wakes <= self.now]
        if not awake:
            first = min(left, key=lambda process: process.wakes)
            self.advance(first.wakes - self.now)
            return first
        going = [process for process in awake if process.is_dead or process.stopped_until <= self.steps]
        return self._rng.choice(going or awake)

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
