"""The learning rate of a live optimizer and its scheduler."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from seedbed.change.bindings._binding import Unproven, UseReport, without
from seedbed.change.bindings._course import is_rounding
from seedbed.change.bindings._groups import GroupName, group_index
from seedbed.change.bindings._rate_watch import RateWatch
from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._live_schedulers import had_scheduler
from seedbed.change.bindings.schedules._moves import computes
from seedbed.change.bindings.schedules._other_schedulers import OtherSchedulers, schedules_built
from seedbed.change.bindings.schedules._schedulers import (
    Rates,
    Slot,
    floor_in_force,
    group_slots,
    position,
    rates_of,
    require_known,
    require_numbers,
    schedule_slots,
)
from seedbed.errors import Conflict, InvalidInput

__all__ = ["LearningRate"]


@final
class LearningRate:
    """Binds a parameter to an optimizer's learning rate.

    Without a `group` the value is the first group's, and groups keep their ratios. With one, by its index or its key
    "name", only that group changes; a floor that its schedule shares among all groups (eta_min) is kept, so that the
    group follows the same schedule from another base. Bind all groups together or each separately, not both.

    Every write rebases a declared `scheduler`: it then follows the same curve as before, scaled to the new value. A
    watch finds and names an undeclared one that overwrites the value. Groups are looked up at every call, since
    `load_state_dict` replaces them. What wraps an optimizer is unwrapped. Raises InvalidInput for what cannot be
    watched, for groups that hold no rate, since the optimizer computes it itself, for a scheduler of an unknown class,
    naming it, for a scheduler of another optimizer, and for a group that does not exist.
    """

    def __init__(
        self, optimizer: Optimizer, scheduler: LRScheduler | None = None, group: GroupName | None = None
    ) -> None:
        self._optimizer = watchable(optimizer)
        require_numbers(self._optimizer)
        if scheduler is not None:
            require_known(scheduler, self._optimizer)
        self._scheduler = scheduler
        self._group = group
        self._former: Rates | None = None
        self._computed_from: _Computed | None = None
        self._watch: RateWatch | None = None
        self._followers: list[RateWatch] = []
        self._built: weakref.WeakSet[LRScheduler] = weakref.WeakSet()
        self._has_searched = False
        self._index()

    def read(self) -> float:
        """The group's rate; the first group's when all are bound."""
        return rates_of(self._optimizer)[self._index() or 0]

    def write(self, value: float) -> None:
        """Set the rates and rebase the schedule.

        Raises InvalidInput when the rate is 0, so that there is no ratio to other groups or to a schedule, or the group
        cannot change alone.
        """
        former = rates_of(self._optimizer)
        self._scale_to(value)
        self._former, self._computed_from = former, self._numbers()
        self._rebase_watches()

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The rate that the schedule would give now without the latest changes, as `MovingBinding`.

        A declared schedule is asked where nobody replaced the numbers that it computes from. One that computes its rate
        brings a change back that other code overwrote, so it is taken back there too. Raises Conflict also at 0 or at a
        floor, where every rate ends up.
        """
        if self.read() == 0 and changes[-1].before != 0 and len(self._slots()) > 1:
            raise Conflict(
                "a rate of 0 has no ratio to the other groups' or to its schedule; propose it when it left 0"
            )
        scheduler, now, then = self._scheduler, self._numbers(), self._computed_from
        if scheduler is None or now is None or then is None or not now.is_of(then):
            return without(changes, self.read())
        if changes[-1].is_lost and computes(scheduler):
            changes = [*changes[:-1], changes[-1]._replace(is_lost=False)]
        elif changes[-1].is_lost or self.read() != self._last():
            return without(changes, self.read())
        self._require_ratio(changes[-1].after, stood=now.position == then.position)
        return without(changes, self._last(), self._without)

    def look(self) -> None:
        """Compare the rates now, as `MovingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def recall(self, before: float, after: float) -> None:
        """The former rates, in proportion to those now, as `MovingBinding`."""
        if self._former is None and after != 0:
            rates, index = rates_of(self._optimizer), self._index()
            self._former = tuple(
                rate * (before / after) if index in {None, place} else rate for place, rate in enumerate(rates)
            )

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose update is that of the value, and any later loss of the value.

        A declared schedule may change the value as it predicts; other code may only multiply it. A group that is added
        with the optimizer's default is a loss, and so are two steps in succession of other optimizers over the same
        weights, with another rate. The watch lasts until it has reported a loss, or is replaced or ended. Steps that
        mixed precision skips do not count.
        """
        if self._watch is not None:
            self.unfollow(self._watch)
        self._watch = None if report is None else self.follow(report)
        if report is not None and self._computed_from is None:
            self._computed_from = self._numbers(anywhere=True)

    def follow(self, report: Callable[[UseReport], None]) -> RateWatch:
        """A second watch, for a binding that changes this rate with its own value; end it by `unfollow`."""
        others = OtherSchedulers(self._optimizer, self._scheduler, self._built, self._search())
        watch = RateWatch(self._optimizer, self._scheduler, self._index(), report, others, self._former)
        self._followers.append(watch)
        return watch

    def _search(self) -> bool:
        """Look for the undeclared schedulers, at every change without a declared one; whether all are known now.

        With a declared one the first change alone looks for others.
        """
        if not had_scheduler(self._optimizer):
            return True
        is_due = self._scheduler is None or not self._has_searched
        if is_due:
            built = schedules_built(self._optimizer, hidden=not self._has_searched)
            self._built.update(each for each in built if each is not self._scheduler)
            self._has_searched = True
        return is_due

    def unfollow(self, watch: RateWatch) -> None:
        """End a watch that `follow` began."""
        watch.end()
        self._followers.remove(watch)

    def state(self) -> dict[str, float]:
        """The present rates, and every number that the declared schedule computes them from."""
        return {slot.name: slot.get() for slot in self._slots()}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other groups or schedulers."""
        slots = {slot.name: slot for slot in self._slots()}
        if slots.keys() != state.keys():
            raise InvalidInput(
                f"learning-rate state: expected {sorted(slots)}, found {sorted(state)}; rebuild the optimizer and the "
                "scheduler as they were when the state was saved"
            )
        for name, slot in slots.items():
            slot.put(state[name])
        self._former, self._computed_from = None, self._numbers(anywhere=True)
        self._rebase_watches()

    def _scale_to(self, value: float) -> None:
        groups, schedule = (
            self._of_bound_group(group_slots(self._optimizer)),
            self._of_bound_group(self._schedule_slots()),
        )
        # The schedule is scaled from its own last rate, not from the live one: they differ when other code has set the
        # rate in between, and the schedule must lead to the new value in that case too.
        new = _scaled(groups, self.read(), value) + self._rebased(schedule, self._last(), value)
        for slot, rate in zip(
            [*groups, *schedule], new, strict=True
        ):  # all computed first: two slots may share one number
            slot.put(rate)

    def _last(self) -> float:
        """The rate that the declared schedule set last; without one the live rate."""
        return self.read() if self._scheduler is None else float(self._scheduler.get_last_lr()[self._index() or 0])

    def _without(self, value: float, change: Unproven) -> float:
        """The rate in the place of one that the declared schedule moved on after the change."""
        base = self._base()
        return base + (value - base) * ((change.before - base) / (change.after - base))

    def _require_ratio(self, after: float, *, stood: bool) -> None:
        """Raise Conflict where the declared schedule led to a rate that shows nothing of the ones before it."""
        last, floor = self._last(), self._base()
        if isinstance(self._scheduler, ReduceLROnPlateau):
            floor = max(floor, float(self._scheduler.min_lrs[self._index() or 0]))
        if not stood and (last <= floor or is_rounding(last, floor) or after == 0):
            raise Conflict(
                f"{type(self._scheduler).__name__} stands at {last:g}, where every rate ends up, so that a change "
                "cannot be taken back; do it before the schedule gets there, or when it has left it, or propose the "
                "rate that you want"
            )

    def _base(self) -> float:
        """The number above which the declared schedule scales the bound rates."""
        floor = self._shared_floor()
        return 0.0 if floor is None else floor[1]

    def _numbers(self, *, anywhere: bool = False) -> "_Computed | None":
        """What the declared schedule computes from now; None without one. `anywhere`: it may have stepped since."""
        if self._scheduler is None:
            return None
        slots = self._of_bound_group(self._schedule_slots())
        numbers = {slot.name: slot.get() for slot in slots if "._last_lr" not in slot.name}
        return _Computed(numbers, None if anywhere else position(self._scheduler), self._base())

    def _index(self) -> int | None:
        return None if self._group is None else group_index(self._optimizer, self._group)

    def _schedule_slots(self) -> list[Slot]:
        return [] if self._scheduler is None else schedule_slots(self._scheduler)

    def _slots(self) -> list[Slot]:
        return self._of_bound_group([*group_slots(self._optimizer), *self._schedule_slots()])

    def _of_bound_group(self, slots: list[Slot]) -> list[Slot]:
        """The slots of the bound group; all slots when it is the only group."""
        index = self._index()
        if index is None or len(self._optimizer.param_groups) == 1:
            return slots
        bound = [slot for slot in slots if slot.group == index]
        if any(slot.shares(other) for slot in bound for other in slots if other.group != index):
            raise InvalidInput(
                f"parameter group {self._group!r} shares the tensor that holds its rate with another group, so that it "
                "cannot change alone; give each group its own tensor"
            )
        return bound

    def _rebased(self, schedule: Sequence[Slot], last: float, value: float) -> list[float]:
        shared = self._shared_floor()
        return _scaled(schedule, last, value) if shared is None else _above_floor(schedule, last, value, *shared)

    def _shared_floor(self) -> tuple[LRScheduler, float] | None:
        """The floor that the bound group shares with others, with the schedule that keeps it; None without one."""
        alone = self._group is not None and len(self._optimizer.param_groups) > 1
        return floor_in_force(self._scheduler) if alone and self._scheduler is not None else None

    def _rebase_watches(self) -> None:
        for watch in self._followers:
            watch.rebase()


class _Computed(NamedTuple):
    """The numbers that a schedule computes from, by name, where it stands if that is known, and its shared floor."""

    numbers: Mapping[str, float]
    position: tuple[int, float] | None
    floor: float

    def is_of(self, earlier: "_Computed") -> bool:
        """Whether it still computes from the earlier numbers; groups may have been added since."""
        are_same = all(self.numbers.get(name) == number for name, number in earlier.numbers.items())
        return are_same and self.floor == earlier.floor


def _scaled(slots: Sequence[Slot], leading: float, value: float) -> list[float]:
    """Each slot's rate times value/leading; exactly `value` where it equals the leading rate, in spite of rounding."""
    if leading == 0 and (len(slots) > 1 or any(slot.get() != 0 for slot in slots)):
        raise InvalidInput(
            f"cannot scale a learning rate of 0 to {value:g}: it has no ratio to the other groups' or to its schedule; "
            "wait until the schedule raises it above 0"
        )
    return [value if slot.get() == leading else slot.get() * (value / leading) for slot in slots]


def _above_floor(
    slots: Sequence[Slot], leading: float, value: float, scheduler: LRScheduler, floor: float
) -> list[float]:
    """Each slot's rate for the same schedule from another base, chosen so that the present rate becomes `value`.

    The rates of the schedule are floor + (base - floor) * curve. Schedules of a sequence that are not active now are
    scaled as the base is.
    """
    if leading <= floor or value <= floor:
        raise InvalidInput(
            f"cannot change one group's rate alone from {leading:g} to {value:g}: {type(scheduler).__name__} keeps all "
            f"groups above eta_min={floor:g}, one number for all; choose a rate above it, wait until the schedule is "
            "above it, or bind all groups together"
        )
    stretch = (value - floor) / (leading - floor)
    base = next(slot.get() for slot in slots if slot.scheduler is scheduler and ".base_lrs." in slot.name)
    scale = (floor + (base - floor) * stretch) / base
    return [
        value
        if slot.get() == leading
        else floor + (slot.get() - floor) * stretch
        if slot.scheduler is scheduler
        else slot.get() * scale
        for slot in slots
    ]
