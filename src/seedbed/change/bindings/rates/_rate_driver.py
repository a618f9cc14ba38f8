"""Writes the rates that changes hold into the groups for the time of a step, and puts back what the schedule wrote."""

from typing import final

from torch.optim import Optimizer

from seedbed.change.bindings._step_hub import hub_of
from seedbed.change.bindings.rates._rate_hold import FREE, RateHold
from seedbed.change.bindings.schedules._schedulers import Rates, Slot, group_slot, group_slots

__all__ = ["RateDriver", "driver_of", "is_held", "let_go"]

_DRIVER = "_seedbed_rates"


@final
class RateDriver:
    """The holds of an optimizer's groups, by the group's index, and the hooks that carry them out at each step.

    Between two steps the groups hold what the schedule wrote, so that one which reads its own rate goes on from there.
    During a step they hold what the step uses. What the step itself wrote over that is left: it is the schedule's.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._holds: dict[int, RateHold] = {}
        self._put: list[tuple[Slot, float, float]] = []  # during a step: what the schedule wrote, and what stands there
        self._last_put = self._put
        self._overwritten: dict[int, float] = {}
        self._added = FREE
        self._is_attached, self._is_last = False, True

    @property
    def overwritten(self) -> dict[int, float]:
        """The rates, by group, that a later hook wrote over those that the last step should use."""
        return self._overwritten

    @property
    def is_holding(self) -> bool:
        """Whether a step uses another rate than the schedule wrote."""
        return bool(self._holds)

    def hold(self, place: int) -> RateHold:
        """The hold of this group."""
        return self._holds.get(place, self._added)

    def put_holds(self, holds: dict[int, RateHold], added: RateHold = FREE) -> None:
        """Hold these groups so from the next step on, the others as before, and those that are added so."""
        held = {**self._holds, **holds}
        self._holds = {place: each for place, each in held.items() if each != FREE}
        self._added = FREE if added == FREE else added
        hub = hub_of(self._optimizer) if self._holds or self._is_attached else None
        if hub is not None and bool(self._holds) is not self._is_attached:
            self._is_attached = bool(self._holds)
            (hub.attach if self._is_attached else hub.detach)(self)

    def let_go(self) -> None:
        """Hold nothing any more: the groups keep what their next step would have used."""
        self.end()
        for slot, rate in zip(group_slots(self._optimizer), self.rates(), strict=True):
            if self.hold(slot.group or 0) != FREE:
                slot.put(rate)
        self.put_holds(dict.fromkeys(self._holds, FREE))

    def written(self) -> Rates:
        """What the schedule wrote last, by group."""
        rates = [slot.get() for slot in group_slots(self._optimizer)]
        for slot, own, _ in self._put:
            if slot.group is not None and slot.group < len(rates):
                rates[slot.group] = own
        return tuple(rates)

    def rates(self) -> Rates:
        """What the next step uses, or the present one, by group."""
        return tuple(self.hold(place).rate(rate) for place, rate in enumerate(self.written()))

    def last_used(self, place: int) -> float | None:
        """The rate with which the last step of this group began; None where it was not held."""
        return next((used for slot, _, used in self._last_put if slot.group == place), None)

    def begin(self, *, is_last: bool) -> None:
        """A step begins; called by the hub before the watches."""
        if self._put:
            self.end()  # of a step that raised, whose end no hook has seen
        self._is_last = is_last
        held = [(slot, slot.get(), hold) for slot, hold in self._held()]
        for slot, own, hold in held:  # all read first: two groups may share one tensor
            slot.put(hold.rate(own))
        self._put = self._last_put = [(slot, own, slot.get()) for slot, own, _ in held]

    def end(self) -> None:
        """The step has ended; called by the hub before the watches."""
        put, self._put = self._put, []
        moved: dict[int, float] = {}
        for slot, own, used in put:
            if (now := slot.get()) == used:
                slot.put(own)
            elif slot.group is not None:
                moved[slot.group] = now
        self._overwritten = {} if self._is_last else moved

    def _held(self) -> list[tuple[Slot, RateHold]]:
        """The groups that a step must not find as they are; only of these is anything looked at, at every step."""
        groups = self._optimizer.param_groups
        if self._added is FREE:
            return [(group_slot(groups, place), hold) for place, hold in self._holds.items() if place < len(groups)]
        return [(group_slot(groups, place), self.hold(place)) for place in range(len(groups))]


def driver_of(optimizer: Optimizer) -> RateDriver:
    """The driver of this optimizer; it is made when there is none, and has no hooks while nothing is held."""
    # Kept on the optimizer, as the hub is: every binding of it, also a later one, must know what is held.
    driver: RateDriver = vars(optimizer).get(_DRIVER) or RateDriver(optimizer)
    vars(optimizer)[_DRIVER] = driver
    return driver


def is_held(optimizer: Optimizer) -> bool:
    """Whether an earlier change is carried out at its steps."""
    driver: RateDriver | None = vars(optimizer).get(_DRIVER)
    return driver is not None and driver.is_holding


def let_go(optimizer: Optimizer) -> None:
    """Leave the optimizer as it would be had the held rates been written into its groups.

    Its driver stays, without effect, since bindings that were made meanwhile have it too: as those of a run that was
    started while this one was open.
    """
    driver: RateDriver | None = vars(optimizer).get(_DRIVER)
    if driver is not None:
        driver.let_go()
