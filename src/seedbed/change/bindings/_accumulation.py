"""The number of backward passes whose gradients a loop accumulates for one optimizer step."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import TensorWeakRef

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._use_watch import UseWatch, ValueReader
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["Accumulation"]

_MOST_WEIGHTS = 64
_UNREAD = "the loop took two optimizer steps and did not read the number in between"
_OTHERWISE = (
    "the gradients of a step came from another number of backward passes; a loop that makes several for one batch, or "
    "accumulates elsewhere, cannot be counted"
)


@final
class Accumulation:
    """The number of backward passes for one optimizer step, and the binding to it.

    The loop reads `number` at each pass, as in `if (i + 1) % accumulation.number() == 0: optimizer.step()`, and divides
    its loss by it. Raises InvalidInput unless `start` is a whole number of 1 or more.
    """

    def __init__(self, optimizer: Optimizer, start: int = 1) -> None:
        self._optimizer = watchable(optimizer)
        self._number = _checked(start)
        self._start: int | None = self._number  # None after a resume from a state that does not hold it
        self._was_read = False
        self._watch: UseWatch | None = None
        self._passes: _Passes | None = None

    def number(self) -> int:
        """How many backward passes the loop should make for the next step."""
        self._was_read = True
        return self._number

    def read(self) -> float:
        """The number, for the engine: that the loop has read it is not noted."""
        return float(self._number)

    def write(self, value: float) -> None:
        """Accumulate so many passes from now on. Raises InvalidInput unless it is a whole number of 1 or more."""
        self._number = _checked(value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose gradients came from so many backward passes.

        A pass is counted where gradients reach the weights. The use stays open while another number is counted, as
        where a loop makes two passes for each batch. A loop that steps twice and has not read the number in between
        has lost it. Steps that mixed precision skips do not count.
        """
        self._end_watch()
        if report is not None:
            passes = self._passes = _Passes(self._optimizer)
            reading = ValueReader(self.read, lambda: self._used(passes), _UNREAD, _OTHERWISE)
            self._was_read = False
            self._watch = UseWatch(self._optimizer, reading, lambda use: self._tell(use, report))

    def look(self) -> None:
        """Compare the number now, as `LookingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def state(self) -> dict[str, float]:
        """The number, and the one that it began with, from which safe bounds are derived again after a resume."""
        return {"accumulation": self.read(), **({} if self._start is None else {"start": float(self._start)})}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned, now or before it held `start`. Raises InvalidInput for other names."""
        if state.keys() - {"start"} != {"accumulation"}:
            raise InvalidInput(f"accumulation state: expected ['accumulation', 'start'], found {sorted(state)}")
        self._number = _checked(state["accumulation"])
        self._start = _checked(state["start"]) if "start" in state else None

    def _used(self, passes: "_Passes") -> set[float]:
        was_read, self._was_read = self._was_read, False
        counted = passes.take()
        return {float(counted)} if was_read else set()

    def _tell(self, use: UseReport, report: Callable[[UseReport], None]) -> None:
        if not use.why and self._passes is not None:
            self._passes.end()  # the use is proven: nothing more to count
        report(use)

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.end()
        if self._passes is not None:
            self._passes.end()
        self._watch = self._passes = None


@final
class _Passes:
    """Counts the backward passes that reach the weights of an optimizer, at some of them: the most that one got.

    Passes add to one gradient until it is set to None, as for a step that was skipped: then the count begins again. A
    gradient that each pass makes anew (create_graph, or a sparse one) cannot be counted, and counts as none.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        weights = [each for group in optimizer.param_groups for each in group["params"] if each.requires_grad]
        stride = max(1, -(-len(weights) // _MOST_WEIGHTS))
        self._counts: dict[int, int] = {}
        self._gradients: dict[int, TensorWeakRef] = {}
        self._handles: list[RemovableHandle] = [
            each.register_post_accumulate_grad_hook(self._note) for each in weights[::stride]
        ]

    def _note(self, weight: Tensor) -> None:
        grad, key = weight.grad, id(weight)
        if grad is None or grad.requires_grad or grad.layout is not torch.strided:
            return
        last = self._gradients.get(key)
        is_same = last is not None and last() is grad
        self._counts[key] = 1 + (self._counts.get(key, 0) if is_same else 0)
        self._gradients[key] = TensorWeakRef(grad)

    def take(self) -> int:
        """The passes since the last call."""
        counts, self._counts = self._counts, {}
        return max(counts.values(), default=0)

    def end(self) -> None:
        """Count no more."""
        for each in self._handles:
            each.remove()
        self._handles, self._counts, self._gradients = [], {}, {}


def _checked(number: float) -> int:
    if not (float(number).is_integer() and number >= 1):
        raise InvalidInput(f"accumulation over {number!r} passes: expected a whole number of 1 or more")
    return int(number)
