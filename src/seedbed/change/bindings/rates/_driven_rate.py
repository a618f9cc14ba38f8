"""A learning rate that is held at the optimizer's own step, whatever writes it between two steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, final

from torch.optim import Optimizer

from seedbed.change._checkpoint import Seen
from seedbed.change.bindings._binding import Unproven, UseReport
from seedbed.change.bindings._groups import GroupName, group_index
from seedbed.change.bindings.rates._driven_watch import DrivenWatch
from seedbed.change.bindings.rates._rate_driver import driver_of
from seedbed.change.bindings.rates._rate_hold import FREE, RateHold
from seedbed.change.bindings.rates._rate_way import RateFollow
from seedbed.change.bindings.schedules._schedulers import Rates, group_slots
from seedbed.errors import Conflict, InvalidInput

__all__ = ["DrivenRate"]

_MOST_WRITTEN = 64

_Holds = dict[int, RateHold]


class _Write(NamedTuple):
    """A write, from one rate to another, and the holds of the bound groups before it."""

    before: float
    after: float
    former: _Holds


@final
class DrivenRate:
    """The rate of an optimizer under any schedule, also one in the loop's own lines: see `LearningRate`.

    A relative change multiplies what the schedule writes, and an absolute one pins the rate; one to exactly what the
    schedule wrote last lets the schedule have it again. `writer` names the schedule in the story of a change; where it
    `scales`, an absolute change multiplies too.
    """

    def __init__(self, optimizer: Optimizer, writer: str, group: GroupName | None, *, scales: bool) -> None:
        self._optimizer, self._writer, self._group, self._scales = optimizer, writer, group, scales
        self._driver = driver_of(optimizer)
        self._written: list[_Write] = []
        self._way_back: _Write | None = None  # to undo exactly, if the next write is of its former rate
        self._former: _Holds | None = None
        self._recalled: float | None = None  # the rate without the change that another process made, by ratio
        self._watch: DrivenWatch | None = None
        self._places()

    def read(self) -> float:
        """What the next step uses for the group; for the first group when all are bound."""
        return self._driver.rates()[self._places()[0]]

    def way(self) -> str:
        """How the change is made, for its story."""
        hold = self._driver.hold(self._places()[0])
        if hold.is_free:
            return f"what {self._writer} writes is used again"
        if hold.is_pinned:
            return f"pinned: kept at each step, whatever {self._writer} writes"
        return f"what {self._writer} writes is multiplied at each step"

    def coupled(self) -> dict[str, float]:
        """The factor on what the schedule writes, 0 where the rate is pinned: runs that differ in it are others."""
        return {"factor": self._driver.hold(self._places()[0]).times}

    def write(self, value: float) -> None:
        """Pin the rate, or scale the curve; to what the schedule wrote last: let the schedule have it again."""
        written, before = self._driver.written(), self.read()
        back, self._way_back = self._way_back, None
        if back is not None and self._rate_with(back.former) == value:
            self._put(back.former, before, value)
        elif value == written[self._places()[0]]:
            self._put(dict.fromkeys(self._places(), FREE), before, value)
        elif self._scales and before != 0 and value != 0:
            self.write_relative(before, value)
        else:
            self._put(self._pinned(value, before), before, value)

    def write_relative(self, before: float, after: float) -> None:
        """Multiply what the schedule writes, from the next step on."""
        if before == 0:
            self.write(after)
            return
        first, written = self._places()[0], self._driver.written()
        holds = {place: self._driver.hold(place).scaled(after / before) for place in self._places()}
        self._put(holds | {first: holds[first].giving(after, written[first])}, before, after)

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """What the next step would use without the latest changes, as `UndoingBinding`. Raises Conflict if unknown."""
        made = self._written[-len(changes) :]
        if [each[:2] for each in made] != [(each.before, each.after) for each in changes]:
            raise Conflict("the rate was changed in another process since; propose the rate that you want")
        value = self._rate_with(made[0].former)
        self._way_back = made[0]
        return None if value == self.read() else value

    def look(self) -> None:
        """Nothing can take the change away between two steps."""

    def seen(self) -> Seen | None:
        """The rates without the change, as `MovingBinding`."""
        twins = None if self._watch is None else self._watch.twins
        return None if twins is None else Seen(former=twins, by_schedule=True)

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """The holds without the change, in proportion to the present ones, as `MovingBinding`."""
        if self._former is not None or after == 0 or self.read() == 0:
            return
        twins = [rate * (before / after) for rate in self._bound()] if seen is None else seen.former
        holds = [self._driver.hold(place) for place in self._places()]
        pairs = zip(self._places(), holds, twins, self._bound(), strict=False)
        self._former = {
            place: RateHold(0.0, twin) if hold.is_pinned else hold.scaled(twin / rate)
            for place, hold, twin, rate in pairs
            if rate
        }

    def forget_former(self) -> None:
        """Know no longer what stood there before the latest write."""
        self._former = None

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first step whose update is the one that the rate gives, and what shows that it is not."""
        if self._watch is not None:
            self._watch.end()
        self._watch = None if report is None else self.follow(report)
        if report is None:
            self._former, self._written = None, []

    def follow(self, report: Callable[[UseReport], None]) -> DrivenWatch:
        """A second watch, for a binding that changes this rate with its own value; end it by `unfollow`."""
        return DrivenWatch(self._optimizer, self._driver, self._places, self._former, report)

    def unfollow(self, watch: RateFollow) -> None:
        """End a watch that `follow` began."""
        watch.end()

    def state(self) -> dict[str, float]:
        """By bound group: what the schedule wrote, and what the steps make of it."""
        written = self._driver.written()
        found: dict[str, float] = {}
        for place in self._places():
            hold = self._driver.hold(place)
            found |= dict(zip(_names(place), (written[place], hold.times, hold.plus), strict=True))
        return found

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other groups."""
        if state.keys() != self.state().keys():
            raise InvalidInput(
                f"learning-rate state: expected {sorted(self.state())}, found {sorted(state)}; rebuild the optimizer "
                "as it was when the state was saved, and bind its rate the same way"
            )
        slots, numbers = group_slots(self._optimizer), [(p, [state[n] for n in _names(p)]) for p in self._places()]
        for place, (written, _, _) in numbers:
            slots[place].put(written)
        self._hold({place: RateHold(times, plus) for place, (_, times, plus) in numbers})
        self._former, self._written, self._way_back = None, [], None

    def _put(self, holds: _Holds, before: float, after: float) -> None:
        former = {place: self._driver.hold(place) for place in self._places()}
        self._require_own_tensors()
        self._hold(holds)
        self._former = former
        self._written = [*self._written[1 - _MOST_WRITTEN :], _Write(before, after, former)]

    def _hold(self, holds: _Holds) -> None:
        """Hold the bound groups so; with all of them those that are added later, where one factor is for all."""
        factors = {each.times for each in holds.values()}
        is_of_all = self._group is None and len(factors) == 1 and 0.0 not in factors
        self._driver.put_holds(holds, RateHold(factors.pop()) if is_of_all else FREE)

    def _pinned(self, value: float, before: float) -> _Holds:
        if before == 0 and len(self._places()) > 1:
            raise InvalidInput(
                f"cannot set a learning rate of 0 to {value:g} in all groups: it has no ratio to the other groups'; "
                "wait until the schedule raises it above 0, or bind each group separately with group="
            )
        ratio = value / before if before else 0.0
        rates = dict(zip(self._places(), self._bound(), strict=True))
        return {place: RateHold(0.0, value if rate == before else rate * ratio) for place, rate in rates.items()}

    def _rate_with(self, holds: _Holds) -> float:
        first = self._places()[0]
        return holds.get(first, FREE).rate(self._driver.written()[first])

    def _bound(self) -> Rates:
        rates = self._driver.rates()
        return tuple(rates[place] for place in self._places())

    def _places(self) -> list[int]:
        if self._group is None:
            return list(range(len(self._optimizer.param_groups)))
        return [group_index(self._optimizer, self._group)]

    def _require_own_tensors(self) -> None:
        slots = group_slots(self._optimizer)
        if self._group is not None and any(
            slots[place].shares(other) for place in self._places() for other in slots if other.group != place
        ):
            raise InvalidInput(
                f"parameter group {self._group!r} shares the tensor that holds its rate with another group, so that it "
                "cannot change alone; give each group its own tensor"
            )


def _names(place: int) -> tuple[str, str, str]:
    return f"groups.{place}.lr", f"groups.{place}.times", f"groups.{place}.plus"
