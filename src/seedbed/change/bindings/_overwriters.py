"""Which schedulers wrote an optimizer's rates or its momentum, and whether they multiplied what they found."""

import gc
from bisect import bisect_right
from collections.abc import Iterable
from math import isclose
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._schedulers import (
    CONTAINERS,
    Rates,
    curve_before,
    is_known,
    last_set,
    own_rates,
    rates_of,
    schedule_tree,
)
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["class_names", "momentum_cyclers", "multiplies", "overwriters", "wrote"]

_COMPUTING = (
    lr_scheduler.LambdaLR,
    lr_scheduler.CosineAnnealingWarmRestarts,
    lr_scheduler.CyclicLR,
    lr_scheduler.OneCycleLR,
)


def momentum_cyclers(optimizer: Optimizer, declared: LRScheduler | None = None) -> list[LRScheduler]:
    """The schedulers that overwrite the optimizer's momentum, or its beta1, at each of their steps.

    Those within `declared`; without it all live ones, found by the garbage collector in tens of milliseconds.
    """
    among = _live_schedulers(optimizer) if declared is None else schedule_tree(declared)
    kinds = lr_scheduler.OneCycleLR | lr_scheduler.CyclicLR
    return [each for each in among if isinstance(each, kinds) and each.cycle_momentum]


def overwriters(optimizer: Optimizer, group: int | None = None) -> list[LRScheduler]:
    """The live schedulers that set the present rates of this optimizer, or the rate of one group.

    The garbage collector finds them, in tens of milliseconds: call it only after a failure.
    """
    of = slice(None) if group is None else slice(group, group + 1)
    rates = rates_of(optimizer)
    found = [each for each in _live_schedulers(optimizer) if wrote(each, rates, of)]
    children = {id(child) for each in found if isinstance(each, CONTAINERS) for child in each._schedulers}
    return [each for each in found if id(each) not in children]


def class_names(schedulers: Iterable[LRScheduler]) -> str:
    """The names of their classes, as words of a sentence."""
    return " and ".join(sorted({type(each).__name__ for each in schedulers}))


def wrote(scheduler: LRScheduler, rates: Rates, of: slice) -> bool:
    """Whether these rates are those that it set last, in the groups of the slice."""
    return last_set(scheduler)[of] == rates[of]


def multiplies(scheduler: LRScheduler, place: int, before: float) -> bool | None:
    """Whether it has just multiplied the rate `before` of the group; None for what is not PyTorch's own.

    The others computed a rate of their own. Those that multiply do so when they are told to step to a given epoch, a
    cosine at its turn, a SWALR where it has reached its target, and a ReduceLROnPlateau at its min_lr. A rate that
    stood on the schedule's curve before the step too is none of these: multiplying it leads along the curve.
    """
    if not all(map(is_known, schedule_tree(scheduler))):
        return None
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        found = [before, *(last_set(each)[place] for each in scheduler._schedulers)]
        return all(multiplies(each, place, rate) for each, rate in zip(scheduler._schedulers, found, strict=False))
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        current = scheduler._schedulers[bisect_right(scheduler._milestones, scheduler.last_epoch)]
        # A schedule that begins is told to step to epoch 0.
        begins = scheduler.last_epoch in scheduler._milestones and hasattr(current, "_get_closed_form_lr")
        return not begins and multiplies(current, place, before)
    if isinstance(scheduler, _COMPUTING):
        return False
    stands = _is_at(own_rates(scheduler), place, *last_set(scheduler)[place : place + 1])
    return not stands or _is_at(curve_before(scheduler), place, before)


def _is_at(rates: Rates | None, place: int, *found: float) -> bool:
    """Whether the rate found is the one of the group among these."""
    return any(isclose(one, other, rel_tol=1e-6) for one, other in zip((rates or ())[place:], found, strict=False))


def _live_schedulers(optimizer: Optimizer) -> list[LRScheduler]:
    found: list[LRScheduler] = [each for each in gc.get_objects() if issubclass(type(each), LRScheduler)]
    return [each for each in found if _steps(vars(each).get("optimizer")) is optimizer]


def _steps(optimizer: Any) -> Optimizer | None:
    """The optimizer that takes the steps of this one; None for what nobody can watch."""
    try:
        return watchable(optimizer)
    except InvalidInput:
        return None
