"""Counts the steps that an optimizer takes."""

from typing import Any, final

from torch.optim import Optimizer

from seedbed.change.bindings._step_hub import hub_of
from seedbed.change.bindings._step_watch import is_skipped

__all__ = ["StepCount"]


@final
class StepCount:
    """Counts the steps of `optimizer`, from `taken` on; those that mixed precision skips are not counted.

    A fused optimizer's `step` is called for a skipped step too: then the flag that GradScaler leaves is read, which
    waits for the device.
    """

    def __init__(self, optimizer: Optimizer, taken: int = 0) -> None:
        self.taken = taken
        self._is_skipped = False
        self._hub = hub_of(optimizer)
        self._hub.watches.append(self)

    def end(self) -> None:
        """Leave the optimizer as it was found."""
        self._hub.drop(self)

    def on_enter(self) -> None:
        """The step is entered; called by the hub."""

    def on_begin(self, optimizer: Optimizer) -> None:
        """A step begins; called by the hub."""
        self._is_skipped = is_skipped(optimizer)

    def on_evaluated(self, loss: Any) -> None:
        """A closure was called; called by the hub."""

    def on_end(self) -> None:
        """A step has ended; called by the hub."""
        self.taken += not self._is_skipped

    def on_elsewhere(self, optimizer: Optimizer) -> None:
        """Another optimizer steps these weights; called by the hub."""
