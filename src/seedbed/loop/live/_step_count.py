"""Counts the steps that an optimizer takes."""

from typing import final

from torch.optim import Optimizer

from seedbed.change.bindings._step_hub import StepCalls, hub_of
from seedbed.change.bindings._step_watch import is_skipped

__all__ = ["StepCount"]


@final
class StepCount:
    """Counts the steps of `optimizer`, from `taken` on; those that mixed precision skips are not counted.

    A fused optimizer's `step` is called for a skipped step too: then the flag that GradScaler leaves until the step is
    over is read, which waits for the device.
    """

    def __init__(self, optimizer: Optimizer, taken: int = 0) -> None:
        self.taken = taken
        self._hub, self._calls = hub_of(optimizer), StepCalls(ended=self._ended)
        self._hub.listen(self._calls)

    def end(self) -> None:
        """Leave the optimizer as it was found."""
        self._hub.drop(self._calls)

    def _ended(self, optimizer: Optimizer) -> None:
        if "found_inf" not in vars(optimizer) or not is_skipped(optimizer):  # most have none, and this is asked often
            self.taken += 1
