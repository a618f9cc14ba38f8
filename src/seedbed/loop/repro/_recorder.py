"""What a run does when it is one of two that are compared: writes digests, repeats changes, stops as a crash would."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, final

import torch
from torch import Tensor, distributed
from torch.optim import Optimizer

from seedbed.change import ChangeEngine, ChangeRecord
from seedbed.change.bindings._step_hub import StepCalls, StepHub, hub_of
from seedbed.errors import InvalidInput
from seedbed.loop.repro._digest import Digest, bytes_digest, digest, read_digests
from seedbed.loop.repro._dump import write_dump
from seedbed.loop.repro._parts import Named, batch_parts
from seedbed.loop.repro._plan import Plan
from seedbed.loop.repro._process import generators, process_facts
from seedbed.loop.repro._replayed import Replayed
from seedbed.loop.repro._trace import TraceFile
from seedbed.loop.settings import LiveObjects

__all__ = ["ReproRecorder"]

Batch = TypeVar("Batch")
Propose = Callable[[], tuple[ChangeRecord, ...]]
_MOST_WAITING = 32


@final
class ReproRecorder:
    """Follows one run by the instructions of `plan`; `objects` gives those that are bound to it now."""

    def __init__(self, plan: Plan, objects: Callable[[], LiveObjects]) -> None:
        self._plan, self._objects = plan, objects
        self._file = TraceFile(plan.traces)
        self._hubs: list[StepHub] = []
        self._calls = StepCalls(ready=self._take_gradients)
        self._found: dict[str, Digest] = {}
        self._kept: dict[str, Tensor] = {}
        self._step, self._num_batches, self._has_restored, self._has_begun = 0, 0, False, False
        self._generators: dict[str, str] = {}
        self._waiting: list[tuple[int, dict[str, Digest], dict[str, str]]] = []
        self._replayed: Replayed | None = None
        self._named: Named | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], objects: Callable[[], LiveObjects]) -> Self | None:
        """The recorder that the environment asks for. Raises InvalidInput."""
        plan = Plan.from_environment(environment)
        return None if plan is None or environment.get("RANK", "0") != "0" else cls(plan, objects)

    def begin(self, project: str, run_id: str, step: int) -> None:
        """The run begins after `step` steps. Raises InvalidInput in a process that torchrun has not numbered."""
        if distributed.is_available() and distributed.is_initialized() and distributed.get_rank():
            raise InvalidInput(
                f"rank {distributed.get_rank()} has no RANK in its environment, so that it would be taken for the "
                "first process: start the processes with torchrun to compare their runs"
            )
        if self._has_begun:
            return  # a begin that Ctrl-C ended is tried again
        self._has_begun = True
        self._file.write("begin", project=project, run_id=run_id, step=step, process=process_facts())
        self._step = step
        for optimizer in self._objects().watched().values():
            hub = hub_of(optimizer)
            hub.listen(self._calls)
            self._hubs.append(hub)
        if self._plan.replay_of is not None:
            self._replayed = Replayed.of(self._plan.replay_of, self._file.number)

    @property
    def is_replay(self) -> bool:
        """Whether the changes of another run are made again in the place of the script's own."""
        return self._plan.replay_of is not None

    def restore(self, restore: Callable[[Path], bool]) -> None:
        """Before the first step: go on from the checkpoint that the run is to go on from."""
        if self._plan.restore is not None and not self._has_restored:
            self._has_restored = True
            restore(self._plan.restore)

    def place_of(self, path: Path, kind: str, step: int) -> Path:
        """Where a checkpoint of the script lies: apart from those of its other runs. Notes that it was asked for."""
        if path in {self._plan.checkpoint, self._plan.restore}:
            return path
        self._file.write(kind, step=step)
        self._plan.files.mkdir(parents=True, exist_ok=True)
        return self._plan.files / f"{bytes_digest(os.fsencode(path.absolute()))}.pt"

    def batches(self, batches: Iterable[Batch], steps_taken: Callable[[], int]) -> Iterator[Batch]:
        """The same batches, looked at as they are handed out."""
        for batch in batches:
            self._step = steps_taken()
            if self._is_due:
                self._num_batches += 1
                for name, part in batch_parts(batch, str(self._num_batches)):
                    self._take(name, part)
            yield batch
        self._file.write("pass", step=steps_taken())

    def opened(self) -> None:
        """A step was opened."""
        if self._is_due and not self._generators:
            self._generators = generators()

    def taken(self, step: int) -> None:
        """A step was taken."""
        self._step = step - 1
        if self._is_due:
            self._named = Named.of(self._objects())
            if not self._plan.only_weights:
                self._take_all(self._named.optimizer_states())
            self._take_all(self._named.weights())
            self._waiting.append((step, self._found, self._generators))
            is_here = not any(isinstance(each, Tensor) for each in self._found.values())
            if is_here or len(self._waiting) >= _MOST_WAITING:
                self.flush()
        if step == self._plan.dump_at and self._plan.dump is not None:
            self.flush()
            write_dump(self._plan.dump, self._kept)
        self._step, self._found, self._generators, self._kept, self._num_batches = step, {}, {}, {}, 0

    def flush(self) -> None:
        """Write the steps that wait on a device."""
        waiting, self._waiting = self._waiting, []
        texts = iter(read_digests([each for _, found, _ in waiting for each in found.values()]))
        for step, found, states in waiting:
            self._file.step(step, found, [next(texts) for _ in found], states)

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Values were logged."""
        self._file.write("values", step=step, values={name: float(value).hex() for name, value in values.items()})

    def proposed(self, step: int, propose: Propose, engine: Callable[[], ChangeEngine]) -> tuple[ChangeRecord, ...]:
        """A proposal of the script: carried out, or in its place what became of it in the run that is repeated."""
        if self._replayed is not None:
            return self._replayed.proposed(step, propose, engine())
        records: tuple[ChangeRecord, ...] = ()
        try:
            records = propose()
        finally:
            self._file.write("own", step=step, ids=[each.id for each in records])
        return records

    def between(self, step: int, engine: Callable[[], ChangeEngine], checkpoint: Callable[[Path], object]) -> None:
        """Between two steps: repeat the changes that came from outside, and stop where that is planned."""
        if self._replayed is not None:
            self._replayed.outside(step, engine())
        if step == self._plan.kill_after:
            if self._plan.checkpoint is not None:
                checkpoint(self._plan.checkpoint)
            self.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> None:
        """Leave the optimizers as they were found."""
        self.flush()
        self._file.close()
        for hub in self._hubs:
            hub.drop(self._calls)

    @property
    def _is_due(self) -> bool:
        """Whether the step that comes is compared."""
        return (self._step + 1) % self._plan.every == 0 or self._step + 1 == self._plan.dump_at

    def _take_gradients(self, optimizer: Optimizer) -> None:
        if self._is_due and not self._plan.only_weights:
            if self._named is None or not self._named.knows(optimizer):
                self._named = Named.of(self._objects())
            self._take_all(self._named.gradients(optimizer))

    def _take_all(self, parts: Iterable[tuple[str, Tensor]]) -> None:
        is_kept = self._step + 1 == self._plan.dump_at
        for name, part in parts:
            self._found[name] = digest(part)
            if is_kept:
                self._kept[name] = part.detach().clone()

    def _take(self, name: str, part: Any) -> None:
        if not isinstance(part, Tensor) and type(part).__module__ == "numpy":
            part = part.tobytes() if part.dtype.kind in "OUSV" else torch.from_numpy(part.copy().reshape(-1))
        if isinstance(part, Tensor):
            self._take_all([(name, part)])
        else:
            self._found[name] = bytes_digest(part if isinstance(part, bytes) else repr(part).encode())
