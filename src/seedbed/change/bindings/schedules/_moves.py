"""Where PyTorch's own schedulers lead a rate with their steps, told for the rate and for its twin without a change.

A scheduler that multiplies what it finds leads both to different rates; one that computes a rate of its own, or has
arrived at its target, leads both to the same. No function of the user's is called for it.
"""

import copy
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from math import inf, log
from typing import Any, NamedTuple, final

from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change.bindings._course import LIKENESS, is_rounding
from seedbed.change.bindings.schedules._schedulers import is_known, last_set, reaches, schedule_tree

__all__ = ["Pair", "Steps", "Way", "built_on", "calls_a_factor", "closed_form", "computes", "led", "multiplies", "rose"]

Pair = tuple[float, float]
"""A rate, and what would stand in its place without the change."""

Steps = Mapping[LRScheduler, int]
"""How often each scheduler stepped."""

_COMPUTING = (
    lr_scheduler.LambdaLR,
    lr_scheduler.CosineAnnealingWarmRestarts,
    lr_scheduler.CyclicLR,
    lr_scheduler.OneCycleLR,
)
_MULTIPLYING = (
    lr_scheduler.MultiplicativeLR,
    lr_scheduler.StepLR,
    lr_scheduler.MultiStepLR,
    lr_scheduler.ConstantLR,
    lr_scheduler.LinearLR,
    lr_scheduler.ExponentialLR,
    lr_scheduler.PolynomialLR,
    lr_scheduler.ReduceLROnPlateau,
    lr_scheduler.ChainedScheduler,
)
_MOST_SCHEDULERS, _MOST_STEPS = 3, 4096
_NUDGE = 1e-4  # of a rate: so much above it and below


class Way(NamedTuple):
    """Where one way of making the steps leads a rate, its twin, and rates a little above it and below."""

    rate: float
    twin: float
    above: float
    below: float


_UNKNOWN = Way(-inf, -inf, -inf, -inf)


def led(steps: Steps, place: int, before: Pair, carrying: Mapping[LRScheduler, float]) -> list[Way] | None:
    """Where these steps may have led `before` of the group, in turn or one after the other; None if that is not known.

    It is not known of a class that is not PyTorch's own, and of a MultiplicativeLR whose factor may be several. The
    schedulers in `carrying` took their bases from a changed rate; without the change these are so many times larger.
    """
    if len(steps) > _MOST_SCHEDULERS or max(steps.values(), default=0) > _MOST_STEPS:
        return None
    if any(not is_known(part) for each in steps for part in schedule_tree(each)):
        return None
    if len(steps) == 1 and calls_a_factor(only := next(iter(steps))):
        steps = {only: 1}  # all its factors are found as one
    rate, twin = before
    start = Way(rate, twin, rate * (1 + _NUDGE), rate * (1 - _NUDGE))
    ratios = {each: ratio for whole, ratio in carrying.items() for each in schedule_tree(whole)}
    found: dict[Way, None] = {}
    for order in _orders(steps):
        ways = [start]
        for scheduler, back in order:
            ways = _stepped(scheduler, back, place, ways, ratios)
        found.update(dict.fromkeys(ways))
    return None if _UNKNOWN in found else list(found)


def _orders(steps: Steps) -> Iterator[tuple[tuple[LRScheduler, int], ...]]:
    """The orders in which a loop may have made these steps: each scheduler, and how many of its own came after it."""
    most = max(steps.values(), default=0)
    for each in permutations(steps):
        in_turn = tuple((one, back) for back in range(most - 1, -1, -1) for one in each if steps[one] > back)
        in_a_row = tuple((one, back) for one in each for back in range(steps[one] - 1, -1, -1))
        yield from dict.fromkeys((in_turn, in_a_row))


def _stepped(
    scheduler: LRScheduler, back: int, place: int, ways: Sequence[Way], ratios: Mapping[LRScheduler, float]
) -> list[Way]:
    """Where one step leads, the last but `back` that the scheduler made."""
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        for each in scheduler._schedulers:
            ways = _stepped(each, back, place, ways, ratios)
        return list(ways)
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        return _in_sequence(scheduler, back, place, ways, ratios)
    if isinstance(scheduler, _COMPUTING):
        return [_computed(last_set(scheduler)[place], scheduler, ratios)]
    if calls_a_factor(scheduler):
        return [_UNKNOWN if back else _by_a_factor(last_set(scheduler)[place], way) for way in ways]
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):  # the metrics that decide were seen by the loop alone
        least = float(scheduler.min_lrs[place])
        reduced = [Way(*(_reduced(rate, scheduler.factor, least, scheduler.eps) for rate in way)) for way in ways]
        return list(dict.fromkeys([*ways, *reduced]))
    known = [way for way in ways if way != _UNKNOWN]
    rates = _multiplied(scheduler, back, place, known, ratios.get(scheduler, 1.0))
    return [*rates, *([_UNKNOWN] if len(known) < len(ways) else [])]


def _by_a_factor(found: float, way: Way) -> Way:
    """Where the factor leads that made the rate `found`, since the function that gave it is not called again.

    It is not known where it is above 1 and leads to near the twin: other code may have set the rate back before.
    """
    if found <= 0 or min(way) <= 0:
        return _UNKNOWN
    factor, own = found / way.rate, found / way.twin
    if factor > 1 and abs(log(own)) <= LIKENESS * log(factor):
        return _UNKNOWN
    return Way(found, *(rate * factor for rate in way[1:]))


def _reduced(rate: float, factor: float, least: float, fewest: float) -> float:
    reduced = max(rate * factor, least)
    return reduced if rate - reduced > fewest else rate


def _computed(rate: float, scheduler: LRScheduler, ratios: Mapping[LRScheduler, float]) -> Way:
    return Way(rate, rate * ratios.get(scheduler, 1.0), rate, rate)


def _in_sequence(
    scheduler: lr_scheduler.SequentialLR,
    back: int,
    place: int,
    ways: Sequence[Way],
    ratios: Mapping[LRScheduler, float],
) -> list[Way]:
    epoch = scheduler.last_epoch - back
    index = bisect_right(scheduler._milestones, epoch)
    current = scheduler._schedulers[index]
    start = closed_form(current, epoch=0) if epoch in scheduler._milestones else None
    if start is not None:  # it is told to step to epoch 0
        return [_computed(start[place], current, ratios)]
    if epoch in scheduler._milestones and not isinstance(current, _COMPUTING):
        return list(ways)
    end = scheduler._milestones[index] - 1 if index < len(scheduler._milestones) else scheduler.last_epoch
    return _stepped(current, min(end, scheduler.last_epoch) - epoch, place, ways, ratios)


def _multiplied(scheduler: LRScheduler, back: int, place: int, ways: Sequence[Way], base: float) -> list[Way]:
    """Where that step leads each rate, the twins by bases that are multiplied by `base`."""
    rates = [rate for way in ways for rate in way]
    twin = copy.copy(scheduler)
    twin.optimizer = _Groups(scheduler.optimizer.param_groups[place], rates)  # type: ignore[assignment]  # a stand-in
    twin.last_epoch -= back + 1
    twin._step_count -= back + 1
    twin._is_initial = twin.last_epoch == -1  # the step that a scheduler makes as it is built
    own = float(scheduler.base_lrs[place])
    twin.base_lrs = [each for _ in ways for each in Way(own, own * base, own, own)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin.step()
    found = [float(group["lr"]) for group in twin.optimizer.param_groups]
    return [Way(*found[at : at + 4]) for at in range(0, len(found), 4)]


@final
class _Groups:
    """A stand-in for an optimizer: the settings of one group of it, once for each of the rates."""

    def __init__(self, group: Mapping[str, Any], rates: Iterable[float]) -> None:
        settings = {key: each for key, each in group.items() if key != "params"}
        self.param_groups = [{**settings, "lr": rate} for rate in rates]
        self._opt_called = True  # otherwise a scheduler warns that the optimizer's step was not called before its own

    def step(self) -> None:
        """Never called; schedulers look for it."""


def closed_form(scheduler: LRScheduler, epoch: int | None = None) -> tuple[float, ...] | None:
    """The rates of its curve at an epoch, the present one unless given; None without such a curve."""
    if not hasattr(scheduler, "_get_closed_form_lr"):
        return None
    at = copy.copy(scheduler)
    at.last_epoch = scheduler.last_epoch if epoch is None else epoch
    return tuple(map(float, at._get_closed_form_lr()))


def computes(scheduler: LRScheduler) -> bool:
    """Whether its last step computed a rate of its own, whatever it found."""
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        return any(map(computes, scheduler._schedulers))
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        return computes(scheduler._schedulers[bisect_right(scheduler._milestones, scheduler.last_epoch)])
    return isinstance(scheduler, _COMPUTING)


def multiplies(scheduler: LRScheduler) -> bool:
    """Whether every step of it multiplies what it finds, and computes from no number of its own."""
    return all(isinstance(each, _MULTIPLYING) for each in schedule_tree(scheduler))


def rose(scheduler: LRScheduler, num_steps: int) -> bool:
    """Whether one of its last steps was a cosine's from its floor, which adds the same to any rate."""
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        return any(rose(each, num_steps) for each in scheduler._schedulers)
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        return rose(scheduler._schedulers[bisect_right(scheduler._milestones, scheduler.last_epoch)], num_steps)
    if not isinstance(scheduler, lr_scheduler.CosineAnnealingLR):
        return False
    since = (scheduler.last_epoch - 1 - scheduler.T_max) % (2 * scheduler.T_max)
    return scheduler.last_epoch > scheduler.T_max and since < num_steps


def calls_a_factor(scheduler: LRScheduler) -> bool:
    """Whether it multiplies by what a function of the user's gives."""
    return isinstance(scheduler, lr_scheduler.MultiplicativeLR)


def built_on(scheduler: LRScheduler, rates: Mapping[int, float]) -> bool:
    """Whether it took these rates, of the groups by their index, as its bases."""
    parts = [each for each in schedule_tree(scheduler) if hasattr(each, "base_lrs") and not isinstance(each, SWALR)]
    return (
        bool(parts)
        and all(reaches(scheduler, place) for place in rates)
        and all(is_rounding(float(each.base_lrs[place]), rate) for each in parts for place, rate in rates.items())
    )
