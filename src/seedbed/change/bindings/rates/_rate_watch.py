"""The watch on learning rates: they must stay as they were set, or be carried on, and reach an update."""

import gc
from collections.abc import Callable, Mapping
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._course import Carry, Course, is_rounding, rewritten
from seedbed.change.bindings._proven_use import ProvenUse, added_group, other_optimizer
from seedbed.change.bindings.proof._finding import Match
from seedbed.change.bindings.schedules._forecast import Forecast
from seedbed.change.bindings.schedules._live_schedulers import class_names
from seedbed.change.bindings.schedules._moves import calls_a_factor, computes
from seedbed.change.bindings.schedules._other_schedulers import Judged, OtherSchedulers
from seedbed.change.bindings.schedules._schedulers import Rates, rates_of

__all__ = ["RateWatch"]

_DUST = 1e-12  # of the rate at first: no schedule means so small a one
_BY_PREFERENCE = (Carry.CARRIED, Carry.LOST, Carry.OPEN)
_PROBE = 2.0  # times the rate: what a step is compared with when the former rate is not known


@final
class RateWatch:
    """Compares the rates at the beginning of each optimizer step with those that the schedule allows.

    With a `group`, given by its index, it looks at the rate of that group alone. `former` are the rates of all groups
    before the change, None when nobody knows them any more; `others` are the schedulers that nobody declared. A step
    proves the change when its update is the one that the rate gives, and not the one of the former rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
        group: int | None,
        report: Callable[[UseReport], None],
        others: OtherSchedulers,
        former: Rates | None = None,
    ) -> None:
        self._optimizer, self._scheduler, self._group = optimizer, scheduler, group
        self._of = slice(None) if group is None else slice(group, group + 1)
        self._all = rates_of(optimizer)
        self._first, self._first_expected = self._all, self._expected[0]
        self._forecast = self._new_forecast()
        former = None if former is None else (*former, *self._all[len(former) :])
        self._former = None if former == self._all else former
        self._course = Course(self._former or tuple(_PROBE * rate for rate in self._all), self._all)
        self._twins = tuple(self._course.former(self._all))
        self._replaced = self._is_rewritten = False
        self._rewritten = ""
        self._others = others
        self._step = 0
        self._look()
        self._use = ProvenUse(optimizer, "lr", self, report)

    @property
    def _expected(self) -> Rates:
        return self._all[self._of]

    def _rates(self) -> Rates:
        """The rates now; what a schedule's rounding leaves of a rate that it led to 0 is 0."""
        rates = rates_of(self._optimizer)
        scales = (*map(max, self._course.former(self._first), self._first), *rates[len(self._first) :])
        return tuple(0.0 if abs(rate) < _DUST * scale else rate for rate, scale in zip(rates, scales, strict=True))

    def _new_forecast(self) -> Forecast | None:
        scheduler = self._scheduler
        return None if scheduler is None or calls_a_factor(scheduler) else Forecast(scheduler, self._group)

    def _look(self) -> None:
        self._others.look({place: (self._all[place], self._twins[place]) for place in self._places()})

    @property
    def is_ended(self) -> bool:
        """Whether it has reported a loss, or was ended."""
        return self._use.is_ended

    @property
    def twins(self) -> Rates | None:
        """Where the rates would be now without the change; None where nobody knows."""
        return None if self._former is None or self._course.is_open else self._twins

    @property
    def is_rewritten(self) -> bool:
        """Whether something else than foretold steps of the declared schedule moved the rates, or may have."""
        return self._is_rewritten

    def end(self) -> None:
        """End the watch."""
        self._use.end()

    def rebase(self) -> None:
        """Expect the present rates from now on: they were written through the same binding."""
        added = rates_of(self._optimizer)[len(self._all) :]
        self._course.add(added)
        self._all = rates_of(self._optimizer)
        self._twins = tuple(self._course.former(self._all))
        self._forecast = self._new_forecast()
        self._look()
        self._replaced = not self._use.is_seen and self._expected[0] != self._first_expected

    def before(self, step: int) -> None:
        """Compare the rates with those that are allowed, and take what a proof needs."""
        self._step = step
        if not self._is_kept(step):
            return
        if self._replaced:
            why = "another change, made through the same binding, replaced the rate before an optimizer step used it"
            self._use.lose(step, self._first_expected, self._expected[0], why)
        elif not self._course.is_open:
            self._use.begin(self._places(), self._put_former)

    def look(self) -> None:
        """Compare the rates that the next step will find."""
        if not self._use.is_ended:
            self._is_kept(self._step + 1)

    def _is_kept(self, step: int) -> bool:
        found = self._rates()
        if not self._keeps_up(step, found) or (len(found) > len(self._all) and not self._takes_added(step, found)):
            return False
        self._look()
        return True

    def _keeps_up(self, step: int, found: Rates) -> bool:
        stepped = self._forecast is not None and self._forecast.has_stepped()
        known = found[: len(self._all)]
        return not (stepped or known != self._all) or self._follow(step, known)

    def after(self, step: int) -> None:
        """Compare the update that was made, until the use is seen."""
        rate = self._expected[0]
        finding = self._use.finish(step, rate, self._rewritten if self._course.is_open else None)
        if finding is None:
            return
        moved = self._rates()[self._of] != self._expected
        if finding.match is Match.FORMER or (finding.match is Match.OPEN and moved):
            self._report_unused_rate(step, rate)
        else:
            self._use.tell(step, rate, finding)

    def _report_unused_rate(self, step: int, rate: float) -> None:
        now = self._rates()[self._of]
        if now != self._expected and self._forecast is not None and self._forecast.has_stepped():
            return  # a hook after the step moved the schedule on; the next step shows what it used
        former = self._twins[self._of][0]
        found, by = (now[0], "a hook of the optimizer") if now != self._expected else (former, "the former rate")
        self._use.lose(step, rate, found, f"the update was not made with it, but with what is left by {by}")

    def _places(self) -> list[int]:
        return [*range(len(self._all))][self._of]

    def _put_former(self, settings: dict[int, dict[str, Any]]) -> None:
        for place in self._places():
            held, former = settings[place]["lr"], self._twins[place]
            settings[place]["lr"] = held.fill_(former) if isinstance(held, Tensor) else former

    def _takes_added(self, step: int, found: Rates) -> bool:
        """Whether the groups added since then have rates of their own, and not the default that the change left."""
        added, self._all = found[len(self._all) :], found
        self._twins += added
        earlier, self._forecast = self._forecast, self._new_forecast()
        if earlier is not None and self._forecast is not None:
            self._forecast.compute_from(earlier)
        default = self._optimizer.defaults.get("lr")
        self._course.add(added)
        if self._group is not None or not isinstance(default, int | float | Tensor):
            return True
        if float(default) not in added or is_rounding(float(default), found[0]):
            return True
        place = len(found) - len(added) + added.index(float(default))
        self._use.lose(step, found[0], float(default), added_group(place, "an lr"))
        return False

    def elsewhere(self, other: Optimizer, step: int) -> None:
        """Compare the rates of the other optimizer."""
        own = {id(weight) for place in self._places() for weight in self._optimizer.param_groups[place]["params"]}
        rates = [float(g["lr"]) for g in other.param_groups if any(id(weight) in own for weight in g["params"])]
        strange = [rate for rate in rates if not any(is_rounding(rate, each) for each in self._expected)]
        if strange:
            self._use.lose(step, self._expected[0], strange[0], other_optimizer(other))

    def _follow(self, step: int, found: Rates) -> bool:
        """Whether the schedule allows the rates `found`, or what rewrote them carries the change on."""
        expected, judged = self._explained(found)
        is_foretold = not judged and self._forecast is not None and self._forecast.is_exact
        self._is_rewritten = self._is_rewritten or not is_foretold
        lost = self._lost(step, expected, found, judged)
        if lost is not None:
            why = f"group {lost}'s rate was overwritten by {self._overwriters(found, judged)}"
            self._use.lose(step, expected[lost], found[lost], why)
            return False
        if self._forecast is not None:
            self._forecast.go_on_from(found)
        self._twins, self._all = self._twins_led(found, judged), found
        return True

    def _moved(self, allowed: Rates, found: Rates) -> list[int]:
        """The bound groups that the change reached, with another rate than the allowed."""
        places = [place for place in self._places() if self._course.reached(place)]
        return [place for place in places if self._course.moved(place, allowed[place], found[place])]

    def _explained(self, found: Rates) -> tuple[Rates, dict[int, Judged]]:
        """The rates to which the declared schedule led, and what undeclared ones did to each group that was moved on.

        Of several rates to which it may have led, those count that the change was carried on from; else those that it
        was lost from, and the first of all if neither is known.
        """
        allowed = [self._all] if self._forecast is None else self._forecast.allowed()
        ways = [(expected, self._judged(expected, found)) for expected in allowed]
        if all(_carry(judged) is not Carry.CARRIED for _, judged in ways) and self._others.search(found):
            ways = [(expected, self._judged(expected, found)) for expected in allowed]
        return min(ways, key=lambda way: _BY_PREFERENCE.index(_carry(way[1])))

    def _judged(self, expected: Rates, found: Rates) -> dict[int, Judged]:
        twins = self._twins if expected == self._all else self._course.former(expected)
        moved = self._moved(expected, found)
        pairs = {place: (expected[place], twins[place]) for place in moved}
        return self._others.judge(pairs, found, is_led=expected != self._all)

    def _lost(self, step: int, expected: Rates, found: Rates, judged: Mapping[int, Judged]) -> int | None:
        """A group that lost the change; None where it is carried on, or may be."""
        lost = [place for place, each in judged.items() if each.carry is Carry.LOST or found[place] < 0]
        undecided = [place for place, each in judged.items() if each.carry is Carry.OPEN]
        if lost or not undecided:
            return lost[0] if lost else None
        self._rewritten = rewritten(found[undecided[0]], step)
        alone = [judged[place].alone if place in judged else rate for place, rate in enumerate(expected)]
        by_any = {place for place, each in judged.items() if each.by_any}
        carry = self._course.follow(alone, found, by_any=by_any)
        is_lost = self._former is None or (carry is Carry.LOST and not by_any.issuperset(undecided))
        return undecided[0] if is_lost else None

    def _twins_led(self, found: Rates, judged: Mapping[int, Judged]) -> Rates:
        """Where the rates would be now without the change: as the schedulers led them, else in proportion."""
        former = self._course.former(found)
        known = {place: each.twin for place, each in judged.items() if each.twin is not None}
        return tuple(
            known.get(place, twin * (now / old) if old else former[place])
            for place, (twin, old, now) in enumerate(zip(self._twins, self._all, found, strict=True))
        )

    def _overwriters(self, found: Rates, judged: Mapping[int, Judged]) -> str:
        blamed = list(dict.fromkeys(scheduler for each in judged.values() for scheduler in each.blamed))
        schedulers = blamed or self._others.foreign(found, self._of)
        if not schedulers:
            hidden = ", and for a scheduler built before gc.freeze(), which hides it" if gc.get_freeze_count() else ""
            return f"code outside all live schedulers: look for writes to optimizer.param_groups{hidden}"
        names = class_names(schedulers)
        if schedulers == [self._scheduler] and not computes(schedulers[0]):
            return f"code before {names}, which passed it on: look for writes to optimizer.param_groups"
        if any(each is self._scheduler for each in schedulers):
            return f"the declared {names}, whose own numbers were changed by other code: look for its load_state_dict"
        are = "is" if len(schedulers) == 1 else "are"
        return f"{names}, which {are} not declared: pass it as LearningRate(optimizer, scheduler)"


def _carry(judged: Mapping[int, Judged]) -> Carry:
    """What was done to the change as a whole: all of it is carried on, or some of it lost, or it is open."""
    found = {each.carry for each in judged.values()}
    return next((carry for carry in (Carry.LOST, Carry.OPEN) if carry in found), Carry.CARRIED)
