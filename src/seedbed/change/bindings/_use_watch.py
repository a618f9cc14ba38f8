"""The watch on a value that the loop uses between two optimizer steps."""

from collections.abc import Callable
from typing import final

from torch import Tensor
from torch.optim import Optimizer
from torch.utils.weak import TensorWeakRef

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.bindings._step_watch import StepWatch

__all__ = ["UseWatch", "Uses", "ValueReader"]

_OVERWRITTEN = "the value was overwritten by code outside the bindings"


@final
class Uses:
    """The values that the loop used since the last call of `take`."""

    def __init__(self) -> None:
        self._values: set[float] = set()

    def note(self, value: float) -> None:
        """Note that the loop used this value."""
        self._values.add(value)

    def take(self) -> set[float]:
        """The values used since the last call; the set is then emptied."""
        taken, self._values = self._values, set()
        return taken


@final
class ValueReader:
    """How a watch reads a live object: `held` gives the present value, `used` the values used since its last call.

    `unused` is the reason to report when two optimizer steps in a row used no value at all. It is empty where that is
    normal: batches are fetched ahead, and parts of a model may not run. `idle` is why the use stays open after a step
    that used other values only.
    """

    def __init__(
        self, held: Callable[[], float], used: Callable[[], set[float]], unused: str = "", idle: str = ""
    ) -> None:
        self.held, self.used, self.unused, self.idle = held, used, unused, idle


@final
class UseWatch:
    """Reports the first optimizer step for which every use was of the present value, and any loss of the value.

    A step with gradients from before the watch began is not a proof, since a part of its gradients is older than the
    change. The step after it is.
    """

    def __init__(self, optimizer: Optimizer, reading: ValueReader, report: Callable[[UseReport], None]) -> None:
        self._reading, self._report = reading, report
        self._expected = reading.held()
        self._old_gradients = _OldGradients(optimizer)
        self._seen = self._said_idle = self._has_ended = False
        self._last_step = 0
        reading.used()  # uses before the watch do not count
        self._steps = StepWatch(optimizer, self._look)

    def end(self) -> None:
        """End the watch."""
        self._has_ended = True
        self._steps.end()

    def look(self) -> None:
        """Compare the value now with the expected one, as the next step will."""
        if not self._has_ended and (held := self._reading.held()) != self._expected:
            self._report_loss(self._last_step + 1, held, _OVERWRITTEN)

    def _look(self, step: int) -> None:
        self._last_step = step
        began_earlier = step == 1 and self._old_gradients.exist()
        held, used = self._reading.held(), self._reading.used()
        if held != self._expected:
            self._report_loss(step, held, _OVERWRITTEN)
        elif self._seen or began_earlier:
            return
        elif used == {self._expected}:
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, self._expected, self._expected, Use.USED))
        elif not used and step > 1 and self._reading.unused:
            self._report_loss(step, held, self._reading.unused)
        elif used and self._expected not in used and self._reading.idle and not self._said_idle:
            self._said_idle = True
            self._report(UseReport(step, self._expected, self._expected, Use.OPEN, self._reading.idle))

    def _report_loss(self, step: int, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, self._expected, found, Use.LOST, why))


@final
class _OldGradients:
    """The gradients that exist when a watch begins: while one of them exists, its optimizer step is still to come.

    A loop that sets gradients to None, which is the default of zero_grad, keeps none of them. A loop that fills them
    with zeros in place looks like one that accumulates, so that its proof comes one step later.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        weights: list[Tensor] = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._gathered = [(weight, TensorWeakRef(weight.grad)) for weight in weights if weight.grad is not None]

    def exist(self) -> bool:
        """Whether one of those gradients still exists. To be called once: it forgets them."""
        gathered, self._gathered = self._gathered, []
        return any(weight.grad is not None and weight.grad is grad() for weight, grad in gathered)
