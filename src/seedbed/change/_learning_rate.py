"""The learning rate of a live optimizer, and of the scheduler that steers it."""

from collections.abc import Callable, Mapping
from math import isclose
from typing import Any, final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.hooks import RemovableHandle

from seedbed.change._binding import Sighting
from seedbed.change._schedule import (
    Forecast,
    Rates,
    Slot,
    culprits,
    group_slots,
    rates_of,
    require_known,
    schedule_slots,
)
from seedbed.errors import InvalidInput

__all__ = ["LearningRate"]


@final
class LearningRate:
    """Binds a parameter to an optimizer's learning rate. The value is the first group's; groups keep their ratios.

    A declared `scheduler` is rebased with every write: from then on it yields the curve that it would have yielded,
    scaled to the new value. An undeclared one that takes the value back is found and named while a watch is on. No
    handle to a group is kept, since `load_state_dict` replaces them. Raises InvalidInput for a scheduler of unknown
    kind, by name, or one that steers another optimizer.
    """

    def __init__(self, optimizer: Optimizer, scheduler: LRScheduler | None = None) -> None:
        if scheduler is not None:
            require_known(scheduler, optimizer)
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._watch: _Watch | None = None

    def read(self) -> float:
        """The first group's rate."""
        return rates_of(self._optimizer)[0]

    def write(self, value: float) -> None:
        """Set the rates and rebase the schedule. Raises InvalidInput when a rate of 0 leaves no ratio to keep."""
        groups, schedule = group_slots(self._optimizer), self._schedule_slots()
        # The schedule is scaled from what it last yielded, not from the live rate: the two differ when other code has
        # set the rate in between, and the schedule must lead to the new value all the same.
        yielded = self.read() if self._scheduler is None else float(self._scheduler.get_last_lr()[0])
        new = _scaled(groups, self.read(), value) + _scaled(schedule, yielded, value)
        for slot, rate in zip([*groups, *schedule], new, strict=True):  # all computed first: slots may share a place
            slot.put(rate)

    def watch(self, report: Callable[[Sighting], None] | None) -> None:
        """Report what the next optimizer step uses, and any later loss of the value.

        A declared schedule may move the value as it foresees; without one it has no reason to move. The watch stays
        until it has reported a loss, or is replaced or ended.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = None if report is None else _Watch(self._optimizer, self._scheduler, report)

    def state(self) -> dict[str, float]:
        """The rates in use and every number that the declared schedule computes them from."""
        return {slot.name: slot.get() for slot in [*group_slots(self._optimizer), *self._schedule_slots()]}

    def restore(self, state: Mapping[str, float]) -> None:
        """Bring such a state back. Raises InvalidInput when groups or schedulers are not those it was taken from."""
        slots = {slot.name: slot for slot in [*group_slots(self._optimizer), *self._schedule_slots()]}
        if slots.keys() != state.keys():
            raise InvalidInput(
                f"learning-rate state: expected {sorted(slots)}, found {sorted(state)}; rebuild the optimizer and the "
                "scheduler as they were when the state was taken"
            )
        for name, slot in slots.items():
            slot.put(state[name])

    def _schedule_slots(self) -> list[Slot]:
        return [] if self._scheduler is None else schedule_slots(self._scheduler)


def _scaled(slots: list[Slot], lead: float, value: float) -> list[float]:
    """Each slot's rate times value/lead; exactly `value` where it equals the lead, which rounding would miss."""
    if lead == 0 and slots:
        raise InvalidInput(
            f"cannot scale a learning rate of 0 to {value:g}: it has no ratio to the other groups' or to its schedule; "
            "wait until the schedule has left 0"
        )
    return [value if slot.get() == lead else slot.get() * (value / lead) for slot in slots]


def _is_rounding(found: float, expected: float) -> bool:
    """Whether they differ no more than a schedule's closed form does from its recursion, in float32."""
    return isclose(found, expected, rel_tol=1e-6, abs_tol=1e-12)


@final
class _Watch:
    """Looks at the rates as each optimizer step begins, and compares them with what may be there."""

    def __init__(self, optimizer: Optimizer, scheduler: LRScheduler | None, report: Callable[[Sighting], None]) -> None:
        self._expected = rates_of(optimizer)
        self._scheduler = scheduler
        self._forecast = None if scheduler is None else Forecast(scheduler)
        self._report = report
        self._steps = 0
        self._handle: RemovableHandle = optimizer.register_step_pre_hook(self._look)

    def end(self) -> None:
        """Look no more."""
        self._handle.remove()

    def _look(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        self._steps += 1
        found = rates_of(optimizer)[: len(self._expected)]  # a group that was added since is no loss
        stepped = self._forecast is not None and self._forecast.has_stepped()
        if (stepped or found != self._expected) and not self._follow(optimizer, found):
            return
        if self._steps == 1:
            self._report(Sighting(1, found[0], found[0]))

    def _follow(self, optimizer: Optimizer, found: Rates) -> bool:
        """Whether the rates may have moved to `found`; if so, they are where the next ones must come from."""
        legal = [self._expected] if self._forecast is None else self._forecast.legal()
        if any(all(map(_is_rounding, found, rates)) for rates in legal):
            if self._forecast is not None:
                self._forecast.go_on_from(found)
                self._expected = found
            return True
        self.end()
        worst = next(i for i in range(len(found)) if not _is_rounding(found[i], legal[0][i]))
        why = f"group {worst}'s rate was overwritten by {self._culprits(optimizer)}"
        self._report(Sighting(self._steps, legal[0][worst], found[worst], why))
        return False

    def _culprits(self, optimizer: Optimizer) -> str:
        guilty = culprits(optimizer)
        if not guilty:
            return "code that is no living scheduler: look for writes to optimizer.param_groups"
        names = " and ".join(sorted({type(each).__name__ for each in guilty}))
        if any(each is self._scheduler for each in guilty):
            return f"the declared {names}, whose own numbers were changed from outside: look for its load_state_dict"
        return f"{names}, which is not declared: pass it as LearningRate(optimizer, scheduler)"
