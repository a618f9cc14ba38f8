"""What PyTorch's schedulers do to a learning rate that other code has set, and how to rebase them.

There are two families. Schedulers that multiply the present rate (StepLR, ExponentialLR, ReduceLROnPlateau ...) keep a
value that was set by hand. Schedulers that compute the rate from stored numbers (LambdaLR, OneCycleLR, CyclicLR ...)
overwrite it at their next step. One remedy works for both: scale every number that the schedule computes from, so that
it follows the same curve, scaled.
Read from torch/optim/lr_scheduler.py and torch/optim/swa_utils.py of PyTorch 2.13.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import SWALR

from seedbed.change.bindings._groups import is_number
from seedbed.errors import InvalidInput

__all__ = [
    "CONTAINERS",
    "Rates",
    "Slot",
    "floor_in_force",
    "group_slot",
    "group_slots",
    "is_foreign_limit",
    "is_known",
    "is_known_whole",
    "known_base",
    "last_set",
    "num_steps",
    "position",
    "rates_of",
    "reaches",
    "require_numbers",
    "schedule_slots",
    "schedule_tree",
    "shares_floor",
]

Rates = tuple[float, ...]
"""The learning rate of each parameter group, in the optimizer's order."""

# Attributes other than `_last_lr` that hold a rate. `min_lrs` of ReduceLROnPlateau is a declared floor and is kept.
_RATE_ATTRIBUTES: Mapping[type[LRScheduler], tuple[str, ...]] = {
    lr_scheduler.LambdaLR: ("base_lrs",),
    lr_scheduler.MultiplicativeLR: (),
    lr_scheduler.StepLR: ("base_lrs",),
    lr_scheduler.MultiStepLR: ("base_lrs",),
    lr_scheduler.ConstantLR: ("base_lrs",),
    lr_scheduler.LinearLR: ("base_lrs",),
    lr_scheduler.ExponentialLR: ("base_lrs",),
    lr_scheduler.PolynomialLR: ("base_lrs",),
    lr_scheduler.CosineAnnealingLR: ("base_lrs", "eta_min"),
    lr_scheduler.CosineAnnealingWarmRestarts: ("base_lrs", "eta_min"),
    lr_scheduler.CyclicLR: ("base_lrs", "max_lrs"),
    lr_scheduler.OneCycleLR: ("base_lrs",),
    lr_scheduler.ReduceLROnPlateau: (),
    SWALR: ("base_lrs",),
    lr_scheduler.SequentialLR: (),
    lr_scheduler.ChainedScheduler: (),
}
_FIRST = "initial_lr"
_LIMITS = ("max_lr", "min_lr")  # of each group, which OneCycleLR alone reads
_SWA_RATE = "swa_lr"  # of each group; left alone where SWALR is not declared, since it is then the loop's own target

CONTAINERS = (lr_scheduler.SequentialLR, lr_scheduler.ChainedScheduler)
"""Schedulers that consist of others."""


@final
class Slot:
    """A place in a live object that holds a rate: an item of a list or dictionary, as a number or a tensor.

    `group` is the index of its parameter group, None for a number that all groups share; `scheduler` is the scheduler
    that keeps it, None for the optimizer.
    """

    def __init__(
        self, name: str, owner: Any, key: int | str, group: int | None = None, scheduler: LRScheduler | None = None
    ) -> None:
        self.name, self._owner, self._key = name, owner, key
        self.group, self.scheduler = group, scheduler

    def get(self) -> float:
        """The present rate, as a float."""
        return float(self._owner[self._key])

    def put(self, rate: float) -> None:
        """Set the rate; a tensor is filled in place, since compiled steps refer to it."""
        held = self._owner[self._key]
        if isinstance(held, Tensor):
            held.fill_(rate)
        else:
            self._owner[self._key] = rate

    def shares(self, other: "Slot") -> bool:
        """Whether both hold the same tensor, so that filling one fills the other."""
        mine = self._owner[self._key]
        return isinstance(mine, Tensor) and mine is other._owner[other._key]


def is_known(scheduler: LRScheduler) -> bool:
    """Whether it is one of PyTorch's own."""
    return type(scheduler) in _RATE_ATTRIBUTES


def known_base(scheduler: LRScheduler) -> type[LRScheduler] | None:
    """The class of PyTorch's own that it is, or is derived from; None for one that is derived from the base alone."""
    return next((each for each in type(scheduler).__mro__ if each in _RATE_ATTRIBUTES), None)


def is_known_whole(scheduler: LRScheduler) -> bool:
    """Whether it consists of PyTorch's own classes alone."""
    return all(map(is_known, schedule_tree(scheduler)))


def require_numbers(optimizer: Optimizer) -> None:
    """Raise InvalidInput when a group holds no number as its rate."""
    for place, group in enumerate(optimizer.param_groups):
        rate = group.get("lr")
        if not is_number(rate):
            raise InvalidInput(
                f"group {place} of {type(optimizer).__qualname__} holds lr {rate!r}, which is no number: it computes "
                "its rates itself, and there is none to change; give it a rate (Adafactor: relative_step=False)"
            )


def rates_of(optimizer: Optimizer) -> Rates:
    """The present rate of each group."""
    return tuple(float(group["lr"]) for group in optimizer.param_groups)


def group_slots(optimizer: Optimizer) -> list[Slot]:
    """The places where the optimizer holds the present rates."""
    return [group_slot(optimizer.param_groups, place) for place in range(len(optimizer.param_groups))]


def group_slot(groups: list[dict[str, Any]], place: int) -> Slot:
    """The place where this one of the groups holds its present rate."""
    return Slot(f"groups.{place}.lr", groups[place], "lr", place)


def schedule_slots(scheduler: LRScheduler) -> list[Slot]:
    """Every other place that holds a rate for the schedule. Two slots may share one number."""
    keys = [_FIRST]
    for kind, own in ((lr_scheduler.OneCycleLR, _LIMITS), (SWALR, (_SWA_RATE,))):
        keys += own if any(isinstance(each, kind) for each in schedule_tree(scheduler)) else ()
    found = [
        Slot(f"groups.{i}.{key}", group, key, i)
        for i, group in enumerate(scheduler.optimizer.param_groups)
        for key in keys
        if key in group
    ]
    for i, each in enumerate(schedule_tree(scheduler)):
        for attribute in (*_RATE_ATTRIBUTES[type(each)], "_last_lr"):
            name, value = f"{type(each).__name__}.{i}.{attribute}", getattr(each, attribute)
            if isinstance(value, list):
                found.extend(Slot(f"{name}.{j}", value, j, j, each) for j in range(len(value)))
            else:
                found.append(Slot(name, vars(each), attribute, None, each))
    return found


def is_foreign_limit(name: str) -> bool:
    """Whether a slot of that name, in a state of an earlier version, held a number of a schedule of another class."""
    return name.startswith("groups.") and name.rpartition(".")[2] in _LIMITS


def floor_in_force(scheduler: LRScheduler) -> tuple[LRScheduler, float] | None:
    """The active schedule and the floor that it shares among all groups; None without a floor.

    Raises InvalidInput when a product of schedules contains such a floor: no single group can be rebased then.
    """
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        current = scheduler._schedulers[bisect_right(scheduler._milestones, scheduler.last_epoch)]
        return floor_in_force(current)
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        if shares_floor(scheduler):
            raise InvalidInput(
                "cannot change one group's rate alone: a ChainedScheduler multiplies a schedule whose eta_min is one "
                "number for all groups; set eta_min=0, or bind all groups together"
            )
        return None
    return (scheduler, floor) if (floor := _floor(scheduler)) else None


def shares_floor(scheduler: object) -> bool:
    """Whether it is, or contains, a schedule of PyTorch's own with one floor (eta_min) for all groups."""
    return isinstance(scheduler, LRScheduler) and any(map(_floor, schedule_tree(scheduler)))


def _floor(scheduler: LRScheduler) -> float:
    if isinstance(scheduler, lr_scheduler.CosineAnnealingLR | lr_scheduler.CosineAnnealingWarmRestarts):
        return float(scheduler.eta_min)
    return 0.0


def schedule_tree(scheduler: LRScheduler) -> Iterator[LRScheduler]:
    """The scheduler, and all that it consists of."""
    yield scheduler
    if isinstance(scheduler, CONTAINERS):
        for child in scheduler._schedulers:
            yield from schedule_tree(child)


def reaches(scheduler: LRScheduler, place: int) -> bool:
    """Whether it sets the rate of the group of this index; it does not know of groups that were added since."""
    lists = (vars(part).get(name) for part in schedule_tree(scheduler) for name in ("base_lrs", "min_lrs", "_last_lr"))
    return all(place < len(each) for each in lists if each is not None)


def last_set(scheduler: LRScheduler) -> Rates:
    """The rates that it set last; empty for one that keeps none."""
    return tuple(float(rate) for rate in vars(scheduler).get("_last_lr", ()))


def num_steps(scheduler: LRScheduler) -> int:
    """How often it stepped, or the epoch that it was told to step to."""
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):  # it keeps no count of its own
        return num_steps(scheduler._schedulers[0])
    if isinstance(scheduler, SWALR):  # it counts its steps, and takes no notice of an epoch that it is given
        return scheduler._step_count - 1
    return scheduler.last_epoch


def position(scheduler: LRScheduler) -> tuple[int, float]:
    """Where it stands: its steps, and the part of a period of one that may be stepped by fractions of an epoch."""
    within = scheduler.T_cur if isinstance(scheduler, lr_scheduler.CosineAnnealingWarmRestarts) else 0
    return num_steps(scheduler), within
