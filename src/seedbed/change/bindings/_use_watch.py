"""Whether what the loop calls between two optimizer steps really used a value."""

from collections.abc import Callable
from typing import final

from torch import Tensor
from torch.optim import Optimizer
from torch.utils.weak import TensorWeakRef

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._step_watch import StepWatch

__all__ = ["UseWatch", "Uses", "ValueReader"]


@final
class Uses:
    """The values that the loop used since they were last asked for."""

    def __init__(self) -> None:
        self._values: set[float] = set()

    def note(self, value: float) -> None:
        """The loop used this value."""
        self._values.add(value)

    def take(self) -> set[float]:
        """The values used since the last call; they are forgotten."""
        taken, self._values = self._values, set()
        return taken


@final
class ValueReader:
    """How a watch reads a live object: the value held, the values used since it last asked, and what may be missing.

    `unused` says what is wrong when two optimizer steps in a row used no value at all. It is empty where that may be:
    batches are fetched ahead, and parts of a model may not run.
    """

    def __init__(self, held: Callable[[], float], used: Callable[[], set[float]], unused: str = "") -> None:
        self.held, self.used, self.unused = held, used, unused


@final
class UseWatch:
    """Reports the first optimizer step whose every use was of the value held, and a loss of the value.

    An optimizer step for which gradients were gathered before the watch began is not taken as proof: part of what it
    sums up came before the change. The next one is.
    """

    def __init__(self, optimizer: Optimizer, reading: ValueReader, report: Callable[[UseReport], None]) -> None:
        self._reading, self._report = reading, report
        self._expected = reading.held()
        self._window = _Window(optimizer)
        self._seen = False
        reading.used()  # what was used before is no use of it
        self._steps = StepWatch(optimizer, self._look)

    def end(self) -> None:
        """Look no more."""
        self._steps.end()

    def _look(self, step: int) -> None:
        begun_before = step == 1 and self._window.is_open()
        held, used = self._reading.held(), self._reading.used()
        if held != self._expected:
            self._lose(step, held, "the value was overwritten by code that is no binding")
        elif self._seen or begun_before:
            return
        elif used == {self._expected}:
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, self._expected, self._expected))
        elif not used and step > 1 and self._reading.unused:
            self._lose(step, held, self._reading.unused)

    def _lose(self, step: int, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, self._expected, found, why))


@final
class _Window:
    """The gradients that are there now: while one of them is, the optimizer step that they were gathered for is due.

    A loop that zeroes them, as is usual, by letting them go leaves none of these behind. One that fills them with
    zeros in place cannot be told from one that goes on adding to them, and waits for one step more.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        weights: list[Tensor] = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._gathered = [(weight, TensorWeakRef(weight.grad)) for weight in weights if weight.grad is not None]

    def is_open(self) -> bool:
        """Whether a gradient of then is still held. Asked once: what it remembers is let go."""
        gathered, self._gathered = self._gathered, []
        return any(weight.grad is not None and weight.grad is grad() for weight, grad in gathered)
