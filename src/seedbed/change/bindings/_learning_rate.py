"""The learning rate of a live optimizer, and of the scheduler that steers it."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._groups import GroupName, group_index
from seedbed.change.bindings._rate_watch import RateWatch
from seedbed.change.bindings._schedulers import (
    Slot,
    floor_in_force,
    group_slots,
    rates_of,
    require_known,
    schedule_slots,
)
from seedbed.errors import InvalidInput

__all__ = ["LearningRate"]


@final
class LearningRate:
    """Binds a parameter to an optimizer's learning rate.

    Without a `group` the value is the first group's, and groups keep their ratios. With one, by its place or its key
    "name", that group alone moves and the others stand; a floor that its schedule shares among all groups (eta_min)
    stands too, so that the group follows the same schedule from another base. Bind all groups or single ones, not both.

    A declared `scheduler` is rebased with every write: from then on it yields the curve that it would have yielded,
    scaled to the new value. An undeclared one that takes the value back is found and named while a watch is on. No
    handle to a group is kept, since `load_state_dict` replaces them. Raises InvalidInput for a scheduler of unknown
    kind, by name, one that steers another optimizer, or a group that is not there.
    """

    def __init__(
        self, optimizer: Optimizer, scheduler: LRScheduler | None = None, group: GroupName | None = None
    ) -> None:
        if scheduler is not None:
            require_known(scheduler, optimizer)
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._group = group
        self._watch: RateWatch | None = None
        self._followers: list[RateWatch] = []
        self._index()

    def read(self) -> float:
        """The group's rate; the first group's when all are bound."""
        return rates_of(self._optimizer)[self._index() or 0]

    def write(self, value: float) -> None:
        """Set the rates and rebase the schedule.

        Raises InvalidInput when a rate of 0 leaves no ratio to keep, or one group cannot be moved alone.
        """
        groups, schedule = self._mine(group_slots(self._optimizer)), self._mine(self._schedule_slots())
        # The schedule is scaled from what it last yielded, not from the live rate: the two differ when other code has
        # set the rate in between, and the schedule must lead to the new value all the same.
        last = self.read() if self._scheduler is None else float(self._scheduler.get_last_lr()[self._index() or 0])
        new = _scaled(groups, self.read(), value) + self._rebased(schedule, last, value)
        for slot, rate in zip([*groups, *schedule], new, strict=True):  # all computed first: slots may share a place
            slot.put(rate)
        self._rebase_watches()

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report what the next optimizer step uses, and any later loss of the value.

        A declared schedule may move the value as it foresees; without one it has no reason to move. The watch stays
        until it has reported a loss, or is replaced or ended. A step that mixed precision skips is none.
        """
        if self._watch is not None:
            self.unfollow(self._watch)
        self._watch = None if report is None else self.follow(report)

    def follow(self, report: Callable[[UseReport], None]) -> RateWatch:
        """A watch beside the engine's, for a binding that moves this one along; end it by `unfollow`."""
        watch = RateWatch(self._optimizer, self._scheduler, self._index(), report)
        self._followers.append(watch)
        return watch

    def unfollow(self, watch: RateWatch) -> None:
        """End a watch that `follow` began."""
        watch.end()
        self._followers.remove(watch)

    def state(self) -> dict[str, float]:
        """The rates in use and every number that the declared schedule computes them from."""
        return {slot.name: slot.get() for slot in self._slots()}

    def restore(self, state: Mapping[str, float]) -> None:
        """Bring such a state back. Raises InvalidInput when groups or schedulers are not those it was taken from."""
        slots = {slot.name: slot for slot in self._slots()}
        if slots.keys() != state.keys():
            raise InvalidInput(
                f"learning-rate state: expected {sorted(slots)}, found {sorted(state)}; rebuild the optimizer and the "
                "scheduler as they were when the state was taken"
            )
        for name, slot in slots.items():
            slot.put(state[name])
        self._rebase_watches()

    def _index(self) -> int | None:
        return None if self._group is None else group_index(self._optimizer, self._group)

    def _schedule_slots(self) -> list[Slot]:
        return [] if self._scheduler is None else schedule_slots(self._scheduler)

    def _slots(self) -> list[Slot]:
        return self._mine([*group_slots(self._optimizer), *self._schedule_slots()])

    def _mine(self, slots: list[Slot]) -> list[Slot]:
        """Those of the group bound. What groups share belongs to it where it is the only one."""
        index = self._index()
        if index is None or len(self._optimizer.param_groups) == 1:
            return slots
        mine = [slot for slot in slots if slot.group == index]
        if any(slot.shares(other) for slot in mine for other in slots if other.group != index):
            raise InvalidInput(
                f"parameter group {self._group!r} shares the tensor that holds its rate with another group, so that it "
                "cannot move alone; give each group a tensor of its own"
            )
        return mine

    def _rebased(self, schedule: Sequence[Slot], last: float, value: float) -> list[float]:
        alone = self._group is not None and len(self._optimizer.param_groups) > 1
        shared = floor_in_force(self._scheduler) if alone and self._scheduler is not None else None
        return _scaled(schedule, last, value) if shared is None else _above_floor(schedule, last, value, *shared)

    def _rebase_watches(self) -> None:
        for watch in self._followers:
            watch.rebase()


def _scaled(slots: Sequence[Slot], lead: float, value: float) -> list[float]:
    """Each slot's rate times value/lead; exactly `value` where it equals the lead, which rounding would miss."""
    if lead == 0 and slots:
        raise InvalidInput(
            f"cannot scale a learning rate of 0 to {value:g}: it has no ratio to the other groups' or to its schedule; "
            "wait until the schedule has left 0"
        )
    return [value if slot.get() == lead else slot.get() * (value / lead) for slot in slots]


def _above_floor(slots: Sequence[Slot], lead: float, value: float, scheduler: LRScheduler, floor: float) -> list[float]:
    """Each slot's rate for the same schedule from another base, the one that now yields `value` above the floor.

    Its rates are floor + (base - floor) * curve. Other schedules, whose turn has passed or is yet to come, scale as
    the base does.
    """
    if lead <= floor or value <= floor:
        raise InvalidInput(
            f"cannot move one group's rate alone from {lead:g} to {value:g}: {type(scheduler).__name__} keeps all "
            f"groups above eta_min={floor:g}, one number for all; choose a rate above it, wait until the schedule has "
            "left it, or bind all groups together"
        )
    stretch = (value - floor) / (lead - floor)
    base = next(slot.get() for slot in slots if slot.scheduler is scheduler and ".base_lrs." in slot.name)
    scale = (floor + (base - floor) * stretch) / base
    return [
        value
        if slot.get() == lead
        else floor + (slot.get() - floor) * stretch
        if slot.scheduler is scheduler
        else slot.get() * scale
        for slot in slots
    ]
