"""The steps of a loop: opened, witnessed, counted, closed."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from torch.optim import Optimizer

from seedbed.errors import SeedbedError
from seedbed.loop.data._data_position import DataPosition
from seedbed.loop.live._step_count import StepCount
from seedbed.runtime import StepBlock, Witness

__all__ = ["StepEvents", "Stepping"]

_NOT_EPOCHS = "the checkpoint is of a later pass of an epoch, and the resumed loop is not over run.epochs"
_LOST_PASSES = (
    "the checkpoint was written between two passes of the first epoch, where nothing told that it makes several: the "
    "passes that were left of it are not made"
)


@final
@dataclass(frozen=True)
class StepEvents:
    """What is called as a loop goes on.

    Before a pass over the data, before a step is opened (once, if it returns True, in each process), with the number of
    one that was taken, between two, when the loop is left, and with the reason when a resumed loop may see other data
    than without the resume.
    """

    begins: Callable[[], None]
    before: Callable[[], bool]
    taken: Callable[[int], None]
    between: Callable[[], None]
    left: Callable[[], None]
    lost: Callable[[str], None]


@final
class Stepping:
    """Opens and closes the steps of a loop, and counts those that `optimizer` takes.

    A step is one of the optimizer. Each pass of the loop (a micro-batch, a step that mixed precision skipped) is an
    iteration. Without an optimizer each iteration is a step.
    """

    def __init__(self, witness: Witness, events: StepEvents) -> None:
        self.iteration, self.epoch = 0, 0
        self.position = DataPosition(events.lost)
        self.late: SeedbedError | None = None  # an error of a step that was left with the loop
        self._witness, self._events = witness, events
        self._count: StepCount | None = None
        self._taken = self._first_iteration = 0
        self._before = self._before_last = 0  # the steps as this iteration began, and the one before it
        self._pass, self._is_passing, self._is_left = 0, False, False
        self._num_open = 0  # passes that may hand out more batches
        self._handled = 0  # the error that was being handled as the pass began, by its id: holding it holds its frames
        self._epoch_begun: int | None = None  # of a loop over `Run.epochs`
        self._passes = 0  # of this epoch, that are over
        self._most_passes = 0  # of an epoch
        self._opened = (0, 0)  # the epoch of the pass in progress, and how many of its passes were over then
        self._skips = 0  # passes that were over before the resume, of the epoch that goes on
        self._assumed = 0  # passes after which the epoch was taken to be over, before the resume
        self._opens_in = 0  # the process in which steps are opened without another look
        self._is_open = self._is_cut = False  # the body of the last iteration was left before its end
        self._block: StepBlock | None = None  # of an open step that may be recorded

    @property
    def step(self) -> int:
        """The steps that were taken so far."""
        return self._taken if self._count is None else self._count.taken

    @property
    def is_open(self) -> bool:
        """Whether a step is open."""
        return self._is_open

    @property
    def done(self) -> int:
        """The steps that a checkpoint of this moment holds: without an optimizer, the step in progress is one."""
        return self.step + (self._count is None and self.is_open)

    @property
    def is_done(self) -> bool:
        """Whether the iteration that began last has made its step."""
        return self.done > self._before

    @property
    def is_between(self) -> bool:
        """Whether an iteration of this attempt has begun since the last step, and made none."""
        return not self.is_done and self.iteration > self._first_iteration

    @property
    def is_of_several(self) -> bool:
        """Whether the iteration before this one made no step, so that the step of this one is of both."""
        return self._before_last == self._before and self.iteration > self._first_iteration + 1

    @property
    def is_cut(self) -> bool:
        """Whether an error is on its way out of an iteration that made its step, or out of the loop between passes."""
        is_within = self._is_passing or self._is_left
        return self._pass > 0 and self._is_failing and (self._is_open or self._is_cut or not is_within)

    @property
    def _is_failing(self) -> bool:
        """Whether an error is handled now that came since the pass began."""
        return id(sys.exc_info()[1]) != self._handled

    def count(self, optimizer: Optimizer | None) -> None:
        """Count the steps of `optimizer` from now on."""
        if self._count is None and optimizer is not None:
            self._count = StepCount(optimizer, self._taken)

    def begin_step(self) -> int:
        """Open a step; its number. An open one is closed before."""
        if self._is_open:
            self.end_step()
        if self._opens_in != (process := os.getpid()):  # also in a forked child
            self._opens_in = process if self._events.before() else 0
        self.iteration += 1
        taken = self._taken if self._count is None else self._count.taken
        self._before_last, self._before = self._before, taken
        if not self._witness.count_step():
            self._block = self._witness.open_step(taken + 1)
        self._is_open = True
        return taken + 1

    def end_step(self) -> None:
        """Close the step that is open; nothing where none is."""
        if self._is_open:
            self._is_cut = False
            self._close_step()
            self._events.between()

    def _close_step(self, problem: BaseException | None = None) -> None:
        """Close the open step, judged unless there was a problem."""
        taken = self._taken + 1 if self._count is None else self._count.taken
        self._is_open = False
        try:
            if self._block is not None:
                self._close_block(problem)
        finally:
            if taken > self._before:
                self._taken = taken
                self.position.stepped()
                self._events.taken(taken)

    def _close_block(self, problem: BaseException | None) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.close(problem)

    def leave_step(self) -> None:
        """Close the step that is open as the loop is left; an error is kept in `late`.

        A pass is left by `break` as by an error. So a step in which the optimizer did not step is not judged.
        """
        self._is_cut |= self._is_open
        try:
            if self._is_open:
                self._close_step(None if self.step > self._before else GeneratorExit())
            self._events.left()
        except SeedbedError as problem:
            self.late = self.late or problem

    def drop_step(self, problem: BaseException) -> None:
        """Close the step that an error ended: it is not judged, and was made only if the optimizer stepped."""
        self._is_cut |= self._is_open
        if self._is_open and self._count is not None:
            self._close_step(problem)
        else:  # without an optimizer nothing tells whether it was made
            self._is_open = False
            self._close_block(problem)

    def begin_pass(self) -> int:
        """A pass over the data begins; its number. Settings of a restored run, as its batch size, come before it."""
        self.end_step()
        self._events.begins()
        self._count_pass()  # one that was given up, and is not closed yet
        if self._is_over():
            self._is_passing = True
            self._count_pass()
            return 0
        if not self._num_open:
            begun = self._epoch_begun
            self._opened = (self.epoch, 0) if begun is None else (begun, self._passes)
        self._num_open += 1
        self._pass += 1
        self._is_passing, self._is_left, self._handled = True, False, id(sys.exc_info()[1])
        return self._pass

    @property
    def is_in_turn(self) -> bool:
        """Whether several passes are open."""
        return self._num_open > 1

    def _is_over(self) -> bool:
        """Whether the pass that begins was over before the run was resumed."""
        if self._epoch_begun is None:
            if self._skips:
                self.position.note(_NOT_EPOCHS)
            return False
        if 0 < self._assumed <= self._passes:
            self.position.note(_LOST_PASSES)
        return self._passes < self._skips

    def end_pass(self, number: int) -> None:
        """The pass of that number was a whole one."""
        if number == self._pass:
            self.position.end()
            self._count_pass()
            self.leave_step()

    def leave_pass(self, number: int) -> None:
        """The pass of that number was left by `break`, or by an error on its way; nothing if a later one has begun."""
        if number == self._pass:
            self.leave_step()
            self._is_left = self._is_passing
            self._count_pass()

    def close_pass(self) -> None:
        """A pass hands out no more batches."""
        self._num_open -= 1
        if not self._num_open:
            self.position.is_in_turn = False

    def _count_pass(self) -> None:
        if self._is_passing:
            self._is_passing = False
            self._passes += 1
            self.epoch += self._epoch_begun in (None, self.epoch)

    @contextmanager
    def in_epoch(self) -> Iterator[int]:
        """A block around one epoch of a loop over them: it counts once, however many passes it makes."""
        self._epoch_begun = epoch = self.epoch
        self._passes = 0
        try:
            yield epoch
            self.epoch += self.epoch == epoch  # it made none
            self._most_passes = max(self._most_passes, self._passes)
            if self._passes <= self._assumed:
                self._assumed = 0  # it was over
        finally:
            self._epoch_begun, self._skips = None, 0

    def end(self) -> None:
        """Leave the optimizer as it was found, and the data alone."""
        self.position.release()
        self._opens_in = 0
        if self._count is not None:
            self._taken = self._count.taken
            self._count.end()
            self._count = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        if self.is_open and self.is_done:
            self.position.stepped()
        is_left = self._is_left and not self._is_failing  # by `break`: the loop goes on after it
        if is_left and not self._num_open:
            self.position.end()
        is_within = self._is_passing or self.position.is_in_turn or (self._is_left and not is_left)
        epoch, passes = self._opened if is_within else self._next_place()
        # A resumed loop goes back to the last step, and takes the micro-batches after it again.
        iteration = self.iteration - (self.position.delivered - self.position.used)
        return {
            "step": self.done,
            "iteration": iteration,
            "epoch": epoch,
            "passes": passes,
            "assumed": self._assumed or (0 if is_within or passes or self._most_passes else self._passes),
            "most_passes": self._most_passes,
            "position": self.position.state(),
        }

    def _next_place(self) -> tuple[int, int]:
        """Where the loop goes on between two passes: the epoch, and how many of its passes are over.

        A loop that makes several passes in each epoch does so in the first one too, which nothing tells before its end.
        """
        if self._passes < self._skips:  # those of a resumed loop come
            return (self.epoch if self._epoch_begun is None else self._epoch_begun), self._skips
        if self._epoch_begun is not None and self._passes < self._most_passes:
            return self._epoch_begun, self._passes
        return self.epoch, 0

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, besides the position in the data."""
        self._taken, self.iteration, self.epoch = state["step"], state["iteration"], state["epoch"]
        self._before = self._before_last = self._taken
        self._first_iteration, self._is_passing, self._is_left = self.iteration, False, False
        self._skips, self._assumed, self._most_passes = state["passes"], state["assumed"], state["most_passes"]
