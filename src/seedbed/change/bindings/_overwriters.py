"""Which schedulers wrote an optimizer's rates or its momentum, and whether they multiplied what they found."""

import gc
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from math import isclose
from types import FrameType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change.bindings._schedulers import (
    CONTAINERS,
    Rates,
    is_at_turn,
    is_known,
    last_set,
    own_rates,
    rates_before,
    rates_of,
    schedule_tree,
)
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = [
    "NOT_SEEN",
    "Epochs",
    "class_names",
    "has_scheduler",
    "momentum_cyclers",
    "multiplies",
    "overwriters",
    "schedulers_built",
    "wrote",
]

Epochs = Mapping[LRScheduler, int]
"""The epoch at which each scheduler was seen."""

NOT_SEEN: Epochs = MappingProxyType({})
"""No scheduler was seen."""

_CODE = (FunctionType, ModuleType, type)
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


def multiplies(scheduler: LRScheduler, place: int, before: float, epochs: Epochs = NOT_SEEN) -> bool | None:
    """Whether it has multiplied the rate `before` of the group; None where nobody knows, as for a foreign class.

    `epochs` has the epochs that the schedulers had when the rate was `before`, of those that were seen then.

    The others computed a rate of their own. Those that multiply do so when they are told to step to a given epoch, a
    cosine at its turn and at the step after it, a SWALR where it has reached its target, and a ReduceLROnPlateau that
    its min_lr stopped. A rate that stood on the schedule's curve before too is none of these: multiplying it leads
    along the curve. Where the epoch was not seen, one step is taken for granted; a rate that stood on the curve before
    that was either multiplied more than once or overwritten.
    """
    if not all(map(is_known, schedule_tree(scheduler))):
        return None
    return _multiplies(scheduler, place, before, epochs, told=True)


def _multiplies(scheduler: LRScheduler, place: int, before: float, epochs: Epochs, *, told: bool) -> bool | None:
    """As `multiplies`; `told` is whether somebody may have told it to step to a given epoch."""
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        found = [(before, epochs), *((last_set(each)[place], NOT_SEEN) for each in scheduler._schedulers)]
        return all(
            _multiplies(each, place, rate, then, told=False)
            for each, (rate, then) in zip(scheduler._schedulers, found, strict=False)
        )
    since: int | None = epochs.get(scheduler)
    last: int = scheduler.last_epoch
    if since is not None and since >= last:
        since = None  # a state that was loaded led it back
    stepped_to = range(last if since is None else since + 1, last + 1)
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        index = bisect_right(scheduler._milestones, last)
        current = scheduler._schedulers[index]
        # A schedule that begins is told to step to epoch 0.
        if hasattr(current, "_get_closed_form_lr") and any(each in stepped_to for each in scheduler._milestones):
            return False
        return _multiplies(current, place, before, epochs, told=since is None and index > 0)
    if isinstance(scheduler, _COMPUTING) or any(is_at_turn(scheduler, epoch) for epoch in stepped_to):
        return False
    may_be_told = told and hasattr(scheduler, "_get_closed_form_lr")
    has_target = isinstance(scheduler, SWALR | lr_scheduler.ReduceLROnPlateau)
    stands = _is_at(own_rates(scheduler), place, *last_set(scheduler)[place : place + 1])
    if not stands or not (may_be_told or has_target):
        return True
    steps = [_is_at(rates, place, before) for rates in rates_before(scheduler, since)]
    if since is None and may_be_told:
        return True if steps[:1] == [True] else None if any(steps) else False
    return any(steps)


def _is_at(rates: Rates | None, place: int, *found: float) -> bool:
    """Whether the rate found is the one of the group among these."""
    return any(isclose(one, other, rel_tol=1e-6) for one, other in zip((rates or ())[place:], found, strict=False))


def has_scheduler(optimizer: Optimizer) -> bool:
    """Whether a scheduler was ever built for the optimizer, other than a ReduceLROnPlateau: each wraps its step."""
    return hasattr(optimizer.step, "_wrapped_by_lr_sched")


def schedulers_built(optimizer: Optimizer) -> list[LRScheduler]:
    """PyTorch's own schedulers of this optimizer, with all that they consist of.

    The search takes as long as that for `overwriters`.
    """
    return [part for each in _live_schedulers(optimizer) for part in schedule_tree(each) if is_known(part)]


def _live_schedulers(optimizer: Optimizer) -> list[LRScheduler]:
    found = _of_optimizer(gc.get_objects(), optimizer)
    return found if found or gc.get_freeze_count() == 0 else _of_optimizer(_reachable(), optimizer)


def _of_optimizer(objects: Iterable[Any], optimizer: Optimizer) -> list[LRScheduler]:
    found: list[LRScheduler] = [each for each in objects if issubclass(type(each), LRScheduler)]
    return [each for each in found if _steps(vars(each).get("optimizer")) is optimizer]


def _reachable() -> Iterable[object]:
    """What the modules and the running functions hold, also where gc.freeze() hides it from the collector's list.

    What classes and functions hold is left out: that is most of a process, and no place for a scheduler.
    """
    roots: list[object] = [vars(each) for each in sys.modules.values()]
    running: list[FrameType | None] = [*sys._current_frames().values()]
    while running:
        frame = running.pop()
        if frame is not None:
            roots.append(frame.f_locals)
            running.append(frame.f_back)
    level = {id(each): each for each in roots}
    seen = dict(level)
    while level:
        held = {id(each): each for each in gc.get_referents(*level.values()) if gc.is_tracked(each)}
        level = {key: each for key, each in held.items() if key not in seen and not issubclass(type(each), _CODE)}
        seen.update(level)
    return seen.values()


def _steps(optimizer: Any) -> Optimizer | None:
    """The optimizer that takes the steps of this one; None for what nobody can watch."""
    try:
        return watchable(optimizer)
    except InvalidInput:
        return None
