"""A setting of a loader, in whose place the loop may put another loader."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import final

from torch.optim import Optimizer

from seedbed.change.bindings._binding import Binding, LookingBinding, Unproven, Use, UseReport, without
from seedbed.change.bindings._delivered_batches import BatchListener
from seedbed.change.bindings._step_watch import StepWatch
from seedbed.errors import InvalidInput
from seedbed.loop.settings._known_loaders import KnownLoaders
from seedbed.loop.settings._pass_length import PassLength

__all__ = ["LoaderSetting"]

Report = Callable[[UseReport], None]
_OVERWRITTEN = "the value was overwritten by code outside the bindings"


@final
class LoaderSetting:
    """Binds a parameter to a setting of the loader that the loop reads now; it may build one for each epoch.

    `source` is what holds the value, by which a loader is known again; `listener` counts the batches of that loader, of
    which a pass has `length`.
    """

    def __init__(
        self, binding: Binding, listener: BatchListener, source: Hashable, optimizer: Optimizer, length: PassLength
    ) -> None:
        self._binding, self.listener, self._source, self._optimizer = binding, listener, source, optimizer
        self._known, self._length, self._former = KnownLoaders(), length, length.read()
        self._began = self._watched = binding.read()
        self._report: Report | None = None
        self._steps: StepWatch | None = None
        self._num_steps = 0
        self._is_left = False

    def take(self, later: "LoaderSetting") -> None:
        """Be the setting of another loader from now on.

        Loaders that began with one value share what it became, also where they take turns, and a watch goes on with
        each of them. One that began with another has a value of its own: there the watch waits for the others.
        """
        if not self._is_left:
            if later._source is self._source:
                return
            self._set_aside()
        self._is_left = False
        self._began, expected = self._known.taken(later._source, later._binding)
        self._binding, self.listener, self._source = later._binding, later.listener, later._source
        self._length = later._length
        if self._report is not None and self._began == self._watched:
            if (found := self.read()) == expected:
                self._watch_on()
            else:
                self._tell(UseReport(self._num_steps + 1, expected, found, Use.LOST, _OVERWRITTEN))

    def leave(self) -> None:
        """The loop reads a loader without such a setting now: none can be made, until `take` brings one with it."""
        if not self._is_left:
            self._set_aside()
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
        self._end_watch()
        if report is not None:
            self._report, self._num_steps, self._watched = report, 0, self._began
            self._steps = StepWatch(self._optimizer, self._count)
            self._watch_on()

    def look(self) -> None:
        """Compare the value now, as `LookingBinding`."""
        if isinstance(self._binding, LookingBinding):
            self._binding.look()

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The value before the changes, as `UndoingBinding`."""
        return without(changes, self.read())

    def state(self) -> dict[str, float]:
        """The state of the present binding; where loaders began with several values, what each of these has become."""
        return self._known.state(self._began, self.read()) or self._binding.state()

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        value = self._known.restored(state, self._began)
        self._binding.restore(state if value is None else dict.fromkeys(self._binding.state(), value))

    def _count(self, step: int) -> None:
        self._num_steps = step

    def _set_aside(self) -> None:
        """The loop leaves the present loader: note what it has, and watch it no longer."""
        self.look()  # for what overwrote the value since the last step
        self._binding.watch(None)
        self._known.note(self._source, self._began, self._binding)

    def _watch_on(self) -> None:
        earlier = self._num_steps
        self._binding.watch(lambda use: self._tell(replace(use, steps_after=use.steps_after + earlier)))

    def _tell(self, use: UseReport) -> None:
        report = self._report
        if use.use is Use.USED and self._steps is not None:
            self._steps.proven()
        elif use.use is Use.LOST:
            self._end_watch()
        if report is not None:
            report(use)

    def _end_watch(self) -> None:
        if self._steps is not None:
            self._steps.end()
        self._report = self._steps = None
        self._binding.watch(None)
