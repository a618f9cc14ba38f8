"""The watch on rates that are held at the optimizer's own step: the update must be the one that they give."""

from collections.abc import Callable
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._course import is_rounding
from seedbed.change.bindings._proven_use import ProvenUse, added_group, other_optimizer
from seedbed.change.bindings.proof._finding import Match
from seedbed.change.bindings.rates._rate_driver import RateDriver
from seedbed.change.bindings.rates._rate_hold import RateHold
from seedbed.change.bindings.schedules._schedulers import Rates

__all__ = ["DrivenWatch"]

_BY_HOOK = (
    "a hook of the optimizer, registered after the change, set another one for the step: register it before the "
    "change, then what it writes is multiplied, or passed over, as what the schedule writes is"
)
_PROBE = 2.0  # times the rate: what a step is compared with when nobody knows what stood there before the change


@final
class DrivenWatch:
    """Compares each step's update with the one that the held rates give, and with the one without the latest change.

    `former` are the holds of the bound groups before that change, by the group's index; None where nobody knows.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        driver: RateDriver,
        places: Callable[[], list[int]],
        former: dict[int, RateHold] | None,
        report: Callable[[UseReport], None],
    ) -> None:
        self._optimizer, self._driver, self._places, self._former = optimizer, driver, places, former
        self._num_groups = len(optimizer.param_groups)
        self._rate = self._used()[0]
        self._twins = self._without()
        self._use = ProvenUse(optimizer, "lr", self, report)

    @property
    def twins(self) -> Rates | None:
        """What the bound groups would step with now without the change; None where nobody knows, and after a loss."""
        return None if self._former is None or self._use.is_ended else self._without()

    def end(self) -> None:
        """End the watch."""
        self._use.end()

    def look(self) -> None:
        """Nothing can take the change away between two steps."""

    def before(self, step: int) -> None:
        """Take the rates that the step uses, and what a proof needs, until the use is seen."""
        if self._reaches_added(step) and not self._use.is_seen:
            self._rate, self._twins = self._used()[0], self._without()
            self._use.begin(self._places(), self._put_former)

    def after(self, step: int) -> None:
        """Compare the update that was made, until the use is seen."""
        finding = self._use.finish(step, self._rate, None)
        if finding is None and not self._driver.overwritten:
            return
        overwritten = [rate for place, rate in self._driver.overwritten.items() if place in self._places()]
        if finding is None:
            if overwritten and not self._use.is_ended:
                self._use.lose(step, self._expected(), overwritten[0], _BY_HOOK)
            return
        if finding.match is Match.FORMER:
            found, by = (overwritten or [self._twins[0]])[0], "the rate without the change"
            self._use.lose(step, self._rate, found, f"the update was not made with it, but with {by}")
        elif finding.match is Match.OPEN and overwritten:
            self._use.lose(step, self._rate, overwritten[0], _BY_HOOK)
        else:
            self._use.tell(step, self._rate, finding)

    def elsewhere(self, other: Optimizer, step: int) -> None:
        """Compare the rates of the other optimizer."""
        groups = self._optimizer.param_groups
        own = {id(weight) for place in self._places() for weight in groups[place]["params"]}
        rates = [float(g["lr"]) for g in other.param_groups if any(id(weight) in own for weight in g["params"])]
        strange = [rate for rate in rates if not any(is_rounding(rate, each) for each in self._used())]
        if strange:
            self._use.lose(step, self._used()[0], strange[0], other_optimizer(other))

    def _expected(self) -> float:
        """What the last step was to use for the first of the groups."""
        last = self._driver.last_used(self._places()[0])
        return self._used()[0] if last is None else last

    def _used(self) -> Rates:
        rates = self._driver.rates()
        return tuple(rates[place] for place in self._places())

    def _without(self) -> Rates:
        if self._former is None:
            return tuple(_PROBE * rate for rate in self._used())
        written = self._driver.written()
        return tuple(self._former.get(place, self._driver.hold(place)).rate(written[place]) for place in self._places())

    def _put_former(self, settings: dict[int, dict[str, Any]]) -> None:
        for place, twin in zip(self._places(), self._twins, strict=True):
            held = settings[place]["lr"]
            settings[place]["lr"] = held.fill_(twin) if isinstance(held, Tensor) else twin

    def _reaches_added(self, step: int) -> bool:
        """Whether the groups added since then are held too, or have a rate of their own."""
        first, self._num_groups = self._num_groups, len(self._optimizer.param_groups)
        if first == self._num_groups:
            return True
        default = self._optimizer.defaults.get("lr")
        for place in self._places():
            is_free = place >= first and self._driver.rates()[place] == self._driver.written()[place]
            if is_free and isinstance(default, int | float | Tensor) and self._driver.written()[place] == default:
                self._use.lose(step, self._used()[0], float(default), added_group(place, "an lr"))
                return False
        return True
