"""A prediction of the rates that a declared schedule makes, step by step."""

import copy
import warnings
from contextlib import suppress
from typing import final

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings.schedules._schedulers import (
    CONTAINERS,
    Rates,
    Slot,
    last_set,
    num_steps,
    position,
    schedule_slots,
    schedule_tree,
)

__all__ = ["Forecast"]


@final
class Forecast:
    """Predicts the rates that a declared schedule may make from the rates at the beginning.

    It steps a copy of the scheduler, over a copy of the groups' settings, as often as the live one has stepped. A
    schedule that calls a function of the user's is not copied, since the function may count its calls or draw: what it
    wrote is allowed as long as nothing else that it computes from has changed, of a `group` by its index if one is
    given, and of those that it had at the beginning.
    """

    def __init__(self, scheduler: LRScheduler, group: int | None) -> None:
        self._live, self._group = scheduler, group
        self._groups = _Groups(scheduler.optimizer)
        self._calls_functions = any(map(_calls_a_function, schedule_tree(scheduler)))
        self._at, self._numbers = position(scheduler), self._numbers_now()
        # The memo replaces the optimizer by the stand-in in the copy; without it, deepcopy would copy every weight of
        # the model.
        self._copy: LRScheduler = (
            scheduler if self._calls_functions else copy.deepcopy(scheduler, {id(scheduler.optimizer): self._groups})
        )

    @property
    def is_exact(self) -> bool:
        """Whether what is allowed shows that nothing else moved the rates before the steps.

        It does not of a schedule that was not copied, unless it computes its rates whatever it finds.
        """
        return not self._calls_functions or isinstance(self._live, lr_scheduler.LambdaLR)

    def has_stepped(self) -> bool:
        """Whether the live schedule has stepped since the last call of `allowed`, or since the beginning."""
        return position(self._live) != (self._at if self._calls_functions else position(self._copy))

    def allowed(self) -> list[Rates]:
        """The rates that the live schedule's own steps since the last call may have produced."""
        if self._calls_functions:
            return self._written()
        if isinstance(self._copy, lr_scheduler.ReduceLROnPlateau):
            return self._plateau()
        if isinstance(self._live, lr_scheduler.CosineAnnealingWarmRestarts):
            return self._restarts(self._live)
        if num_steps(self._live) < num_steps(self._copy) and not isinstance(self._copy, CONTAINERS):
            with warnings.catch_warnings():  # stepped back to a given epoch, which PyTorch deprecates but still allows
                warnings.simplefilter("ignore")
                self._copy.step(num_steps(self._live))
        while num_steps(self._live) > num_steps(self._copy):
            # At its end, OneCycleLR counts the step, raises and keeps the rate; the user has seen that error already.
            with suppress(ValueError):
                self._copy.step()
        return [self._groups.rates()]

    def _written(self) -> list[Rates]:
        has_stepped, self._at, now = self.has_stepped(), position(self._live), self._numbers_now()
        if has_stepped and all(now.get(name) == number for name, number in self._numbers.items()):
            return [last_set(self._live)]
        return [self._groups.rates()]

    def _numbers_now(self) -> dict[str, float]:
        """What the schedule computes from, by name."""
        return {name: slot.get() for name, slot in self._slots(self._live).items()}

    def _slots(self, scheduler: LRScheduler) -> dict[str, Slot]:
        """What it computes from, by name, without what it wrote last."""
        found = {slot.name: slot for slot in schedule_slots(scheduler) if "._last_lr" not in slot.name}
        return {name: slot for name, slot in found.items() if self._group is None or slot.group in {None, self._group}}

    def go_on_from(self, rates: Rates) -> None:
        """Predict the next steps from `rates`, one of the allowed."""
        for group, rate in zip(self._groups.param_groups, rates, strict=False):
            Slot("", group, "lr").put(rate)

    def compute_from(self, earlier: "Forecast") -> None:
        """Compute from the numbers of an earlier forecast, where it had them: what stands there may be an overwrite."""
        if self._calls_functions:
            self._numbers |= earlier._numbers
            return
        kept = earlier._slots(earlier._copy)
        for name, slot in self._slots(self._copy).items():
            if name in kept:
                slot.put(kept[name].get())

    def _restarts(self, live: lr_scheduler.CosineAnnealingWarmRestarts) -> list[Rates]:
        # It may be stepped by fractions of an epoch, so its position is copied and its steps are not counted.
        for name in ("T_cur", "T_i", "last_epoch"):
            setattr(self._copy, name, getattr(live, name))
        self._copy._get_lr_called_within_step = True  # otherwise it warns
        return [tuple(float(rate) for rate in self._copy.get_lr())]

    def _plateau(self) -> list[Rates]:
        # Whether a step reduces the rate depends on metrics that only the live one has seen: both are allowed.
        allowed = [self._groups.rates()]
        if not self.has_stepped():
            return allowed
        for _ in range(max(1, num_steps(self._live) - num_steps(self._copy))):  # it may be set back to a given epoch
            self._copy._reduce_lr(num_steps(self._live))  # type: ignore[attr-defined]  # isinstance-checked by the caller
            allowed.append(self._groups.rates())
        self._copy.last_epoch = num_steps(self._live)
        return allowed


@final
class _Groups:
    """A stand-in for an optimizer: a copy of its groups' settings without its weights."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.param_groups = [
            {key: copy.deepcopy(value) for key, value in group.items() if key != "params"}
            for group in optimizer.param_groups
        ]
        self._opt_called = True  # otherwise a scheduler warns that the optimizer's step was not called before its own

    def step(self) -> None:
        """Never called; schedulers look for the attribute below on it."""

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]

    def rates(self) -> Rates:
        """The rate of each group."""
        return tuple(float(group["lr"]) for group in self.param_groups)


def _calls_a_function(scheduler: LRScheduler) -> bool:
    if isinstance(scheduler, lr_scheduler.CyclicLR):
        return scheduler._scale_fn_custom is not None
    return isinstance(scheduler, lr_scheduler.LambdaLR | lr_scheduler.MultiplicativeLR)
