"""The schedulers whose steps are not foretold: which of them stepped, and whether that carries a changed rate on."""

import weakref
from collections.abc import Mapping
from typing import NamedTuple, final

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._course import Carry, is_rounding
from seedbed.change.bindings.schedules._live_schedulers import whole_schedules
from seedbed.change.bindings.schedules._moves import (
    Pair,
    Steps,
    Way,
    built_on,
    calls_a_factor,
    closed_form,
    computes,
    led,
    rose,
)
from seedbed.change.bindings.schedules._schedulers import Rates, is_known_whole, last_set, position, reaches

__all__ = ["OtherSchedulers", "schedules_built"]

_NOT_BUILT = (-1, 0.0)  # the position from which the step that a scheduler makes as it is built leads to 0
_MOST_SEARCHES = 8  # for schedulers that were built later: a search takes tens of milliseconds


class Judged(NamedTuple):
    """What was done to the change of one rate, and the rate to which the schedulers alone would have led it.

    `twin` is where they led what would stand there without the change, if that is known. `by_any`: nobody
    knows where their steps led it, so that it may have moved by any factor. `blamed` are those that lost it.
    """

    carry: Carry
    alone: float
    twin: float | None = None
    by_any: bool = False
    blamed: tuple[LRScheduler, ...] = ()


@final
class OtherSchedulers:
    """Follows the schedulers of an optimizer, but for the `declared` one, from one optimizer step to the next.

    `built` has those that are known from before the change; the ones that are found later are added, and are younger
    than the change if it `is_complete`. A declared MultiplicativeLR is followed too: its steps cannot be foretold.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        declared: LRScheduler | None,
        built: weakref.WeakSet[LRScheduler],
        is_complete: bool,
    ) -> None:
        self._optimizer, self._declared, self._built = optimizer, declared, built
        self._is_complete = is_complete
        if declared is not None and calls_a_factor(declared):
            built.add(declared)
        self._positions: weakref.WeakKeyDictionary[LRScheduler, tuple[int, float]] = weakref.WeakKeyDictionary()
        self._carrying: weakref.WeakKeyDictionary[LRScheduler, float] = weakref.WeakKeyDictionary()
        self._stood: dict[int, Pair] = {}
        self._searches_left = _MOST_SEARCHES
        self._is_unsure = False  # whether a scheduler was found that may have stepped since the last look

    def look(self, pairs: Mapping[int, Pair]) -> None:
        """Begin to count the steps from here on, where these rates stand, each by the index of its group."""
        self._stood.update({place: pair for place, pair in pairs.items() if pair[0] > 0})
        self._is_unsure = False
        for each in self._built:
            self._positions[each] = position(each)

    def judge(self, pairs: Mapping[int, Pair], found: Rates, *, is_led: bool) -> dict[int, Judged]:
        """What was done to the change of some groups' rates, each by its index with what stood there before.

        It is open where the steps of the schedulers do not explain the rate found: other code wrote it too. `is_led`:
        the declared schedule led to these rates, maybe after the steps of the others, and then from elsewhere.
        """
        return {place: self._judge(place, pair, found[place], is_led=is_led) for place, pair in pairs.items()}

    def foreign(self, found: Rates, of: slice) -> list[LRScheduler]:
        """The schedulers that set the rates found, of classes whose steps nobody knows, or declared."""
        wrote = [each for each in whole_schedules(self._optimizer) if last_set(each)[of] == found[of]]
        return [each for each in wrote if each is self._declared or not is_known_whole(each)]

    def _steps(self) -> dict[LRScheduler, int]:
        """How often each stepped since the last look; 0 for one that was led back, or by a part of an epoch."""
        at = [(each, before, position(each)) for each, before in self._positions.items()]
        return {each: max(0, now[0] - before[0]) for each, before, now in at if now != before}

    def _judge(self, place: int, before: Pair, found: float, *, is_led: bool) -> Judged:
        stepped = self._steps()
        steps = {each: num for each, num in stepped.items() if reaches(each, place)}
        computing = [each for each in steps if computes(each) and each not in self._carrying]
        declared = self._declared
        if declared is not None and computes(declared) and last_set(declared)[place : place + 1] == (found,):
            computing.append(declared)  # not from the numbers that the change left it
        if computing:
            return Judged(Carry.LOST, before[0], blamed=tuple(computing))
        ways = led(steps, place, before, self._carrying)
        if ways is None:
            if any(rose(each, num) for each, num in steps.items()):
                return Judged(Carry.LOST, before[0], blamed=tuple(steps))
            wrote = [each for each in steps if calls_a_factor(each) and last_set(each)[place] == found]
            is_set_back = bool(wrote) and wrote != [declared] and is_rounding(found, before[1])
            return Judged(Carry.OPEN, before[0], by_any=not is_set_back, blamed=tuple(steps))
        rates = {way.rate for way in ways}
        alone = ways[0].rate if len(rates) == 1 else before[0]
        if steps and not any(self._is_left(way, steps) for way in ways):
            return Judged(Carry.LOST, alone, blamed=tuple(steps))  # whatever other code wrote after them
        reached = {way.twin: self._is_left(way, steps) for way in ways if is_rounding(found, way.rate)}
        told = [] if reached else [each for each in steps if _is_on_curve(each, place, found)]
        if len(set(reached.values())) > 1:
            return Judged(Carry.OPEN, alone)
        if any(reached.values()) and found >= 0:
            return Judged(Carry.CARRIED, alone, next(iter(reached)) if len(reached) == 1 else None)
        if reached or told or (not (is_led and steps) and any(is_rounding(found, way.twin) for way in ways)):
            return Judged(Carry.LOST, alone, blamed=tuple(told or (steps if reached else ())))
        is_unsure = self._is_unsure or len(steps) < len(stepped) or bool(is_led and steps)
        return Judged(Carry.OPEN, alone, by_any=len(rates) > 1 or is_unsure)

    def _is_left(self, way: Way, steps: Steps) -> bool:
        """Whether something of the change is left: its twin is led elsewhere, and not to where any rate ends up."""
        if is_rounding(way.rate, way.twin):
            return False
        if any(each in self._carrying for each in steps):
            return True
        is_floor = way.twin > way.rate and is_rounding(way.rate, way.above) and is_rounding(way.rate, way.below)
        return not is_floor and not any(rose(each, num) for each, num in steps.items())

    def search(self, found: Rates) -> bool:
        """Look for schedulers that were built since the last search; whether there are any."""
        if self._searches_left == 0:
            return False
        built = schedules_built(self._optimizer, hidden=self._searches_left == _MOST_SEARCHES)
        self._searches_left -= 1
        new = [each for each in built if each not in self._positions and each is not self._declared]
        for each in new:
            self._positions[each] = _NOT_BUILT
            if not self._is_complete or isinstance(each, lr_scheduler.ReduceLROnPlateau):
                # It may be older than the change: one step is taken for granted.
                at, within = position(each)
                has_set = last_set(each) == found
                self._positions[each] = (at - has_set, within)
                self._is_unsure = self._is_unsure or not has_set
            elif self._stood and built_on(each, {place: rate for place, (rate, _) in self._stood.items()}):
                rate, twin = next(iter(self._stood.values()))
                self._carrying[each] = twin / rate
        self._built.update(new)
        self._is_complete = True
        return bool(new)


def schedules_built(optimizer: Optimizer, *, hidden: bool) -> list[LRScheduler]:
    """The live schedules of this optimizer that consist of PyTorch's own classes alone."""
    return [each for each in whole_schedules(optimizer, hidden=hidden) if is_known_whole(each)]


def _is_on_curve(scheduler: LRScheduler, place: int, found: float) -> bool:
    """Whether the rate found is on its curve, as it is where it was told to step to a given epoch."""
    curve = closed_form(scheduler)
    return curve is not None and is_rounding(found, curve[place])
