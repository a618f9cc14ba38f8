"""The watch on learning rates: they must stay as they were set, or change as their schedule predicts."""

from collections.abc import Callable
from math import isclose
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._schedulers import Forecast, Rates, overwriters, rates_of
from seedbed.change.bindings._step_watch import StepWatch

__all__ = ["RateWatch"]


@final
class RateWatch:
    """Compares the rates at the beginning of each optimizer step with those that the schedule allows.

    With a `group`, given by its index, it looks at the rate of that group alone.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
        group: int | None,
        report: Callable[[UseReport], None],
    ) -> None:
        self._optimizer, self._scheduler, self._group, self._report = optimizer, scheduler, group, report
        self._of = slice(None) if group is None else slice(group, group + 1)
        self._expected = rates_of(optimizer)[self._of]
        self._first_expected = self._expected[0]
        self._forecast = None if scheduler is None else Forecast(scheduler)
        self._seen = self._replaced = False
        self._steps = StepWatch(optimizer, self._look)

    def end(self) -> None:
        """End the watch."""
        self._steps.end()

    def rebase(self) -> None:
        """Expect the present rates from now on: they were written through the same binding."""
        self._expected = rates_of(self._optimizer)[self._of]
        self._forecast = None if self._scheduler is None else Forecast(self._scheduler)
        self._replaced = not self._seen and self._expected[0] != self._first_expected

    def _look(self, step: int) -> None:
        # A group that was added since then is not a loss.
        found = rates_of(self._optimizer)[self._of][: len(self._expected)]
        stepped = self._forecast is not None and self._forecast.has_stepped()
        if (stepped or found != self._expected) and not self._follow(step, found):
            return
        if not self._seen:
            self._report_use(step, found[0])

    def _report_use(self, step: int, found: float) -> None:
        self._seen = True
        self._steps.proven()
        if self._replaced:
            self.end()
            why = "another change, made through the same binding, replaced the rate before an optimizer step used it"
            self._report(UseReport(step, self._first_expected, found, why))
        else:
            self._report(UseReport(step, found, found))

    def _follow(self, step: int, found: Rates) -> bool:
        """Whether the schedule allows the rates `found`; if so, later rates are predicted from them."""
        allowed = [self._expected] if self._forecast is None else [each[self._of] for each in self._forecast.allowed()]
        if any(all(map(_is_rounding, found, rates)) for rates in allowed):
            if self._forecast is not None:
                self._forecast.go_on_from(rates_of(self._optimizer))
                self._expected = found
            return True
        self.end()
        worst = next(i for i in range(len(found)) if not _is_rounding(found[i], allowed[0][i]))
        why = f"group {worst + (self._group or 0)}'s rate was overwritten by {self._overwriters()}"
        self._report(UseReport(step, allowed[0][worst], found[worst], why))
        return False

    def _overwriters(self) -> str:
        schedulers = overwriters(self._optimizer, self._group)
        if not schedulers:
            return "code outside all live schedulers: look for writes to optimizer.param_groups"
        names = " and ".join(sorted({type(each).__name__ for each in schedulers}))
        if any(each is self._scheduler for each in schedulers):
            return f"the declared {names}, whose own numbers were changed by other code: look for its load_state_dict"
        return f"{names}, which is not declared: pass it as LearningRate(optimizer, scheduler)"


def _is_rounding(found: float, expected: float) -> bool:
    """Whether they differ by no more than a schedule's closed form and its recursion do in float32."""
    return isclose(found, expected, rel_tol=1e-6, abs_tol=1e-12)
