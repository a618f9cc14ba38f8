"""Whether the learning rates stay where they were set, or move as their schedule foresees."""

from collections.abc import Callable
from math import isclose
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._schedulers import Forecast, Rates, culprits, rates_of
from seedbed.change.bindings._step_watch import StepWatch

__all__ = ["RateWatch"]


@final
class RateWatch:
    """Looks at the rates as each optimizer step begins, and compares them with what may be there.

    With a `group`, given by its place, that group's rate alone is looked at.
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
        self._promised = self._expected[0]
        self._forecast = None if scheduler is None else Forecast(scheduler)
        self._seen = self._overtaken = False
        self._steps = StepWatch(optimizer, self._look)

    def end(self) -> None:
        """Look no more."""
        self._steps.end()

    def rebase(self) -> None:
        """Take the rates held now as set by their owner: whoever wrote them did so through the same binding."""
        self._expected = rates_of(self._optimizer)[self._of]
        self._forecast = None if self._scheduler is None else Forecast(self._scheduler)
        self._overtaken = not self._seen and self._expected[0] != self._promised

    def _look(self, step: int) -> None:
        found = rates_of(self._optimizer)[self._of][: len(self._expected)]  # a group that was added since is no loss
        stepped = self._forecast is not None and self._forecast.has_stepped()
        if (stepped or found != self._expected) and not self._follow(step, found):
            return
        if not self._seen:
            self._sight(step, found[0])

    def _sight(self, step: int, found: float) -> None:
        self._seen = True
        self._steps.proven()
        if self._overtaken:
            self.end()
            why = "another change, made through the same binding, moved the rate before an optimizer step used it"
            self._report(UseReport(step, self._promised, found, why))
        else:
            self._report(UseReport(step, found, found))

    def _follow(self, step: int, found: Rates) -> bool:
        """Whether the rates may have moved to `found`; if so, they are where the next ones must come from."""
        legal = [self._expected] if self._forecast is None else [each[self._of] for each in self._forecast.legal()]
        if any(all(map(_is_rounding, found, rates)) for rates in legal):
            if self._forecast is not None:
                self._forecast.go_on_from(rates_of(self._optimizer))
                self._expected = found
            return True
        self.end()
        worst = next(i for i in range(len(found)) if not _is_rounding(found[i], legal[0][i]))
        why = f"group {worst + (self._group or 0)}'s rate was overwritten by {self._culprits()}"
        self._report(UseReport(step, legal[0][worst], found[worst], why))
        return False

    def _culprits(self) -> str:
        guilty = culprits(self._optimizer, self._group)
        if not guilty:
            return "code that is no living scheduler: look for writes to optimizer.param_groups"
        names = " and ".join(sorted({type(each).__name__ for each in guilty}))
        if any(each is self._scheduler for each in guilty):
            return f"the declared {names}, whose own numbers were changed from outside: look for its load_state_dict"
        return f"{names}, which is not declared: pass it as LearningRate(optimizer, scheduler)"


def _is_rounding(found: float, expected: float) -> bool:
    """Whether they differ no more than a schedule's closed form does from its recursion, in float32."""
    return isclose(found, expected, rel_tol=1e-6, abs_tol=1e-12)
