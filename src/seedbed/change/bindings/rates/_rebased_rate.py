"""A learning rate that its schedule follows: every number that the schedule computes from is scaled with it."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from seedbed.change._checkpoint import Seen
from seedbed.change.bindings._binding import Unproven, UseReport, group_added, moved_on, without
from seedbed.change.bindings._course import is_rounding
from seedbed.change.bindings._groups import GroupName, group_index
from seedbed.change.bindings.rates._rate_watch import RateWatch
from seedbed.change.bindings.rates._rate_way import RateFollow
from seedbed.change.bindings.rates._rate_writes import Computed, RateWrite
from seedbed.change.bindings.schedules._live_schedulers import had_scheduler
from seedbed.change.bindings.schedules._moves import computes, multiplies
from seedbed.change.bindings.schedules._other_schedulers import OtherSchedulers, schedules_built
from seedbed.change.bindings.schedules._rebasing import above_floor, scaled
from seedbed.change.bindings.schedules._schedulers import (
    CONTAINERS,
    Rates,
    Slot,
    floor_in_force,
    group_slots,
    is_foreign_limit,
    position,
    rates_of,
    schedule_slots,
)
from seedbed.errors import Conflict, InvalidInput

__all__ = ["RebasedRate"]

_MOST_WRITTEN = 64


@final
class RebasedRate:
    """The rate of an optimizer under a schedule whose numbers are all known, or under none: see `LearningRate`.

    Every write rebases the `scheduler`, so that it follows the same curve as before, scaled to the new value. Raises
    InvalidInput for a group that does not exist.
    """

    def __init__(self, optimizer: Optimizer, scheduler: LRScheduler | None, group: GroupName | None) -> None:
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._group = group
        self._former: Rates | None = None
        self._written: list[RateWrite] = []  # since other code last moved the rate
        self._way_back: RateWrite | None = None  # to undo exactly, if the next write is of its former rate
        self._watch: RateWatch | None = None
        self._followers: list[RateWatch] = []
        self._built: weakref.WeakSet[LRScheduler] = weakref.WeakSet()
        self._has_searched = False
        self._index()

    def read(self) -> float:
        """The group's rate; the first group's when all are bound."""
        return rates_of(self._optimizer)[self._index() or 0]

    def way(self) -> str:
        """How a change is made."""
        return "" if self._scheduler is None else "the schedule follows the same curve from it"

    def coupled(self) -> dict[str, float]:
        """Nothing: a schedule that is rebased follows every change."""
        return {}

    def write_relative(self, before: float, after: float) -> None:  # noqa: ARG002  the schedule keeps every ratio
        """As `write`: a schedule that is rebased follows either way."""
        self.write(after)

    def write(self, value: float) -> None:
        """Set the rates and rebase the schedule.

        Raises InvalidInput when the rate is 0, so that there is no ratio to other groups or to a schedule, or the group
        cannot change alone.
        """
        former, before, state, at = rates_of(self._optimizer), self.read(), self.state(), self._position()
        is_its_own = self._last() == before
        back, self._way_back = self._way_back, None
        if back is not None and back.before == value and back in self._unmoved():
            self._put(back.state_before)
        else:
            self._scale_to(value)
        self._former = former
        kept = self._written[1 - _MOST_WRITTEN :] if self._moved_by_schedule_alone() else []
        self._written = [*kept, RateWrite(before, value, is_its_own, self._numbers(), at, state, self.state())]
        self._rebase_watches()

    def _unmoved(self) -> list[RateWrite]:
        """The latest writes after which every number still stands as it was written, newest first."""
        found: list[RateWrite] = []
        state: Mapping[str, float] = self.state()
        at = self._position()
        for each in reversed(self._written):
            if each.state_after != state or each.at != at:
                break
            found.append(each)
            state = each.state_before
        return found

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The rate that the schedule would give now without the latest changes, as `UndoingBinding`.

        It is known where nothing but a declared schedule moved the rate on after each of them. A schedule that computes
        its rate brings a change back that other code overwrote, so it is taken back there too. Raises Conflict
        elsewhere, also at 0 or at a floor, where every rate ends up.
        """
        lost, newest = [place for place, each in enumerate(changes) if each.is_lost], changes[-1]
        if self._written and self._written[-1][:2] != (newest.before, newest.after):
            raise Conflict("another setting's change moved the rate with it since; propose the rate that you want")
        if lost and self._scheduler is not None and not multiplies(self._scheduler):
            return self._without_lost(self._scheduler, changes)
        if lost and len(lost) <= lost[-1]:
            return without(changes, self.read())
        if self._group is None and self._former is not None and len(self._former) < len(rates_of(self._optimizer)):
            raise group_added()
        left = changes[len(lost) :]
        if left and self.read() == 0 and left[-1].before != 0 and len(self._slots()) > 1:
            raise Conflict(
                "a rate of 0 has no ratio to the other groups' or to its schedule; propose it when it left 0"
            )
        written = self._written[-len(left) :] if left and self._are_written(left) else []
        if written and self._moved_by_schedule_alone():
            if self._unmoved()[: len(left)] == written[::-1] and written[0].before != self.read():
                self._way_back = written[0]
                return written[0].before
            if self._are_of_one_schedule(written):
                return self._led_back(left)
        computes_from_it = self._scheduler is not None and not multiplies(self._scheduler)
        is_unknown = computes_from_it and not (written and all(each.is_its_own for each in written))
        if left and (is_unknown or (self._watch is not None and self._watch.is_rewritten)):
            raise moved_on(f"{self.read():g} now")
        return without(changes, self.read())

    def _are_of_one_schedule(self, written: Sequence[RateWrite]) -> bool:
        """Whether each led from the schedule's own rate, to numbers and a floor from which it computes now."""
        now = self._numbers()
        are_own = all(each.is_its_own and each.computed is not None for each in written)
        floors = {each.computed.floor for each in written if each.computed is not None}
        return now is not None and are_own and floors == {now.floor} and self._computes_as_written()

    def _without_lost(self, scheduler: LRScheduler, changes: Sequence[Unproven]) -> float | None:
        """As `without`, where a change was overwritten, whose numbers the declared schedule may still compute from."""
        *earlier, newest = changes
        is_ours = self._are_written(changes)
        if newest.is_lost and is_ours and not self._computes_as_written():
            return without(changes, self.read())
        is_back = computes(scheduler) and not isinstance(scheduler, CONTAINERS) and self.read() == self._last()
        is_told = is_ours and self._are_of_one_schedule(self._written[-len(changes) :])
        if is_back and is_told and not any(each.is_lost for each in earlier):
            return self._led_back([*earlier, newest._replace(is_lost=False)])
        raise Conflict(
            f"other code overwrote a change, and {type(scheduler).__name__} may compute from it at a later step; "
            "propose the value that you want"
        )

    def _led_back(self, changes: Sequence[Unproven]) -> float | None:
        """The rate that the declared schedule set last, without these changes."""
        last = self._last()
        self._require_ratio(last, changes[-1].after)
        value = without(changes, last, self._without)
        if value is not None:
            self._require_above_least(min(1.0, value / last))
        return value

    def _are_written(self, changes: Sequence[Unproven]) -> bool:
        """Whether these are the latest writes, and nothing but the declared schedule moved the rate between them."""
        found = [(each.before, each.after) for each in self._written[-len(changes) :]]
        return found == [(each.before, each.after) for each in changes]

    def _moved_by_schedule_alone(self) -> bool:
        """Whether nothing but the declared schedule moved the rate since the watch began, as far as it goes."""
        return self._watch is not None and not self._watch.is_ended and not self._watch.is_rewritten

    def _computes_as_written(self) -> bool:
        """Whether nobody replaced the numbers that the declared schedule computes from."""
        now, then = self._numbers(), self._written[-1].computed if self._written else None
        return now is not None and then is not None and now.is_of(then)

    def look(self) -> None:
        """Compare the rates now, as `LookingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def seen(self) -> Seen | None:
        """The rates of all groups without the change, as `MovingBinding`."""
        watch = self._watch
        if watch is None or watch.is_ended or watch.twins is None:
            return None
        is_told = bool(self._written) and self._written[-1].is_its_own and not watch.is_rewritten
        return Seen(former=watch.twins, by_schedule=is_told)

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """The former rates, without `seen` in proportion to those now, as `MovingBinding`."""
        if self._former is None and after != 0:
            rates, index = rates_of(self._optimizer), self._index()
            self._former = tuple(
                rate * (before / after) if index in {None, place} else rate for place, rate in enumerate(rates)
            )
        if seen is not None:
            self._former = seen.former
        if not self._are_written([Unproven(before, after, is_lost=False)]):
            self._written = [RateWrite(before, after, seen is not None and seen.by_schedule, self._numbers())]

    def forget_former(self) -> None:
        """Know no longer what stood there before the latest write: it is not what the next watch is about."""
        self._former = None

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
        if report is None:
            self._former, self._written = None, []

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

    def unfollow(self, watch: RateFollow) -> None:
        """End a watch that `follow` began."""
        watch.end()
        self._followers = [each for each in self._followers if each is not watch]

    def state(self) -> dict[str, float]:
        """The present rates, and every number that the declared schedule computes them from."""
        return {slot.name: slot.get() for slot in self._slots()}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other groups or schedulers."""
        slots = {slot.name for slot in self._slots()}
        if slots - state.keys() or any(not is_foreign_limit(name) for name in state.keys() - slots):
            raise InvalidInput(
                f"learning-rate state: expected {sorted(slots)}, found {sorted(state)}; rebuild the optimizer and the "
                "scheduler as they were when the state was saved"
            )
        self._put(state)
        self._former, self._written = None, []
        self._rebase_watches()

    def _put(self, state: Mapping[str, float]) -> None:
        for slot in self._slots():
            slot.put(state[slot.name])

    def _position(self) -> tuple[int, float] | None:
        return None if self._scheduler is None else position(self._scheduler)

    def _scale_to(self, value: float) -> None:
        groups, schedule = (
            self._of_bound_group(group_slots(self._optimizer)),
            self._of_bound_group(self._schedule_slots()),
        )
        # The schedule is scaled from its own last rate, not from the live one: they differ when other code has set the
        # rate in between, and the schedule must lead to the new value in that case too.
        new = scaled(groups, self.read(), value) + self._rebased(schedule, self._last(), value)
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

    def _require_ratio(self, last: float, after: float) -> None:
        """Raise Conflict where the declared schedule led to a rate that shows nothing of the ones before it."""
        floor = self._base()
        if last <= floor or is_rounding(last, floor) or after == 0:
            raise _no_way_back(self._scheduler, last)

    def _require_above_least(self, ratio: float) -> None:
        """Raise Conflict where a plateau may have led a bound rate, or one of so many times it, to its least one."""
        if not isinstance(self._scheduler, ReduceLROnPlateau):
            return
        index = self._index()
        for place, (rate, least) in enumerate(zip(rates_of(self._optimizer), self._scheduler.min_lrs, strict=False)):
            lowest, is_bound = rate * ratio, index in {None, place}
            is_too_little = lowest * (1 - self._scheduler.factor) <= self._scheduler.eps  # to be reduced
            if is_bound and (is_too_little or lowest <= least or is_rounding(lowest, least)):
                raise _no_way_back(self._scheduler, rate)

    def _base(self) -> float:
        """The number above which the declared schedule scales the bound rates."""
        floor = self._shared_floor()
        return 0.0 if floor is None else floor[1]

    def _numbers(self) -> Computed | None:
        """What the declared schedule computes from now; None without one."""
        if self._scheduler is None:
            return None
        slots = self._of_bound_group(self._schedule_slots())
        return Computed({slot.name: slot.get() for slot in slots if "._last_lr" not in slot.name}, self._base())

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
        return scaled(schedule, last, value) if shared is None else above_floor(schedule, last, value, *shared)

    def _shared_floor(self) -> tuple[LRScheduler, float] | None:
        """The floor that the bound group shares with others, with the schedule that keeps it; None without one."""
        alone = self._group is not None and len(self._optimizer.param_groups) > 1
        return floor_in_force(self._scheduler) if alone and self._scheduler is not None else None

    def _rebase_watches(self) -> None:
        for watch in self._followers:
            watch.rebase()


def _no_way_back(scheduler: LRScheduler | None, rate: float) -> Conflict:
    return Conflict(
        f"{type(scheduler).__name__} stands at {rate:g}, where every rate ends up or would, so that a change cannot be "
        "taken back; do it before the schedule gets there, or when it has left it, or propose the rate that you want"
    )
