"""Calls before and after each optimizer step that really changes weights."""

from collections.abc import Callable
from typing import Any, final

from torch.optim import Optimizer

from seedbed.change.bindings._step_hub import StepCalls, hub_of

__all__ = ["StepWatch", "is_skipped"]

Look = Callable[[int], None]
Elsewhere = Callable[[Optimizer, int], None]


@final
class StepWatch:
    """Calls `before` and `after` around each optimizer step, with the number of steps since the watch began, from 1.

    `before` is called when the gradients of the step are there: at its beginning, or when its closure was called for
    the first time; `entered` at its beginning in any case. `evaluated` is called with the loss after each call of the
    closure. `elsewhere` is called when another optimizer has stepped weights of this one twice and this one has not
    stepped in between, with that optimizer and the number that the first of these steps would have had.

    Steps that mixed precision skips do not count. For most optimizers GradScaler does not call `step` then. For those
    whose kernels unscale (fused=True) it does, with `found_inf` set, and nothing changes. That flag is read only until
    `proven` is called, since reading it waits for the device. A watch may begin or end at any time, also in a step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        before: Look,
        after: Look | None = None,
        evaluated: Callable[[Any], None] | None = None,
        elsewhere: Elsewhere | None = None,
        entered: Callable[[], None] | None = None,
    ) -> None:
        self._before, self._after, self._evaluated, self._elsewhere = before, after, evaluated, elsewhere
        self._steps = 0
        self._reads_flag = True
        self._in_step = False
        self._hub = hub_of(optimizer)
        self._calls = StepCalls(
            entered=entered,
            ready=self._begin,
            evaluated=None if evaluated is None else self._evaluate,
            ended=self._end,
            elsewhere=None if elsewhere is None else self._step_elsewhere,
        )
        self._hub.listen(self._calls)

    def proven(self) -> None:
        """Count every call of `step` from now on: the use has been seen."""
        self._reads_flag = False

    def end(self) -> None:
        """End the watch."""
        self._in_step = False
        self._hub.drop(self._calls)

    def _begin(self, optimizer: Optimizer) -> None:
        if self._reads_flag and is_skipped(optimizer):
            return
        self._steps += 1
        self._in_step = True
        self._before(self._steps)

    def _evaluate(self, loss: Any) -> None:
        if self._in_step and self._evaluated is not None:
            self._evaluated(loss)

    def _end(self, _optimizer: Optimizer) -> None:
        if self._in_step and self._after is not None:
            self._after(self._steps)
        self._in_step = False

    def _step_elsewhere(self, optimizer: Optimizer) -> None:
        if self._elsewhere is not None:
            self._elsewhere(optimizer, self._steps + 1)


def is_skipped(optimizer: Optimizer) -> bool:
    """Whether mixed precision skips the step that a fused optimizer is called for now."""
    found_inf = vars(optimizer).get("found_inf")
    return found_inf is not None and bool(found_inf)
