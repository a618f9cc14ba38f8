"""A setting of a loader, in whose place the loop may put another loader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

from torch.optim import Optimizer

from seedbed.change.bindings._binding import Binding, LookingBinding, Unproven, Use, UseReport, without
from seedbed.change.bindings._delivered_batches import BatchListener
from seedbed.change.bindings._step_watch import StepWatch
from seedbed.errors import InvalidInput
from seedbed.loop.settings._pass_length import PassLength

__all__ = ["LoaderSetting"]

Report = Callable[[UseReport], None]


@final
class LoaderSetting:
    """Binds a parameter to a setting of the loader that the loop reads now; it may build one for each epoch.

    `listener` counts the batches of that loader, of which a pass has `length`.
    """

    def __init__(self, binding: Binding, listener: BatchListener, optimizer: Optimizer, length: PassLength) -> None:
        self._binding, self.listener, self._optimizer, self._length = binding, listener, optimizer, length
        self._former = length.read()
        self._began = binding.read()
        self._report: Report | None = None
        self._steps: StepWatch | None = None
        self._num_steps = 0
        self._is_left = False

    def take(self, later: "LoaderSetting") -> None:
        """Be the setting of another loader from now on.

        Where that begins with the value that the former one began with, it takes the present value over, and a watch
        goes on. Another one has a value of its own, of which nobody asked for a change: there the watch ends.
        """
        self._is_left = False
        if later.listener is self.listener:
            return
        goes_on = later.read() == self._began
        if goes_on and self.read() != self._began:
            later.restore(self.state())
        self._binding.watch(None)
        self._binding, self.listener, self._length = later._binding, later.listener, later._length
        if not goes_on:
            self._began = self.read()
            self.watch(None)
        elif self._report is not None:
            self._watch_on(self._report)

    def leave(self) -> None:
        """The loop reads a loader without such a setting now: none can be made, until `take` brings one with it."""
        if self._report is not None:
            self.watch(None)
        self._is_left = True

    def read(self) -> float:
        """The value for the next batch."""
        return self._binding.read()

    def write(self, value: float) -> None:
        """Set it, from the next batch that is sampled on. Raises as the binding of the present loader."""
        if self._is_left:
            raise InvalidInput("the loader was replaced by one without this setting: nothing reads it any more")
        self._former = self._length.read()
        self._binding.write(value)

    def way(self) -> str:
        """What the latest write made of a pass over the loader, as `TellingBinding`."""
        return self._length.told(self._former)

    def watch(self, report: Report | None) -> None:
        """Report as the binding of the present loader; steps are counted on over loaders."""
        if self._steps is not None:
            self._steps.end()
        self._report, self._num_steps = report, 0
        self._steps = None if report is None else StepWatch(self._optimizer, self._count)
        if report is None:
            self._binding.watch(None)
        else:
            self._watch_on(report)

    def look(self) -> None:
        """Compare the value now, as `LookingBinding`."""
        if isinstance(self._binding, LookingBinding):
            self._binding.look()

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The value before the changes, as `UndoingBinding`."""
        return without(changes, self.read())

    def state(self) -> dict[str, float]:
        """The state of the present binding."""
        return self._binding.state()

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        self._binding.restore(state)

    def _count(self, step: int) -> None:
        self._num_steps = step

    def _watch_on(self, report: Report) -> None:
        earlier = self._num_steps

        def count_on(use: UseReport) -> None:
            if use.use is Use.USED and self._steps is not None:
                self._steps.proven()
            report(replace(use, steps_after=use.steps_after + earlier))

        self._binding.watch(count_on)
