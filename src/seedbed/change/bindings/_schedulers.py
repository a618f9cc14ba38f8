"""What PyTorch's schedulers do to a learning rate that other code has set, and how to rebase them.

There are two families. Schedulers that multiply the present rate (StepLR, ExponentialLR, ReduceLROnPlateau ...) keep a
value that was set by hand. Schedulers that compute the rate from stored numbers (LambdaLR, OneCycleLR, CyclicLR ...)
overwrite it at their next step. One remedy works for both: scale every number that the schedule computes from, so that
it follows the same curve, scaled.
Read from torch/optim/lr_scheduler.py of PyTorch 2.13.
"""

import copy
import gc
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import isclose
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._groups import is_number
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = [
    "Forecast",
    "Rates",
    "Slot",
    "floor_in_force",
    "group_slots",
    "momentum_cyclers",
    "multiplies",
    "overwriters",
    "rates_of",
    "require_known",
    "schedule_slots",
    "wrote",
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
    lr_scheduler.SequentialLR: (),
    lr_scheduler.ChainedScheduler: (),
}
_CONTAINERS = (lr_scheduler.SequentialLR, lr_scheduler.ChainedScheduler)
_COMPUTING = (
    lr_scheduler.LambdaLR,
    lr_scheduler.CosineAnnealingWarmRestarts,
    lr_scheduler.CyclicLR,
    lr_scheduler.OneCycleLR,
)
_GROUP_KEYS = ("initial_lr", "max_lr", "min_lr")


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


def require_known(scheduler: LRScheduler, optimizer: Optimizer) -> None:
    """Raise InvalidInput unless every scheduler in it is one of PyTorch's own and belongs to this optimizer."""
    for each in _tree(scheduler):
        if type(each) not in _RATE_ATTRIBUTES:
            raise InvalidInput(
                f"cannot rebase scheduler {type(each).__module__}.{type(each).__qualname__}: only PyTorch's own are "
                f"known ({', '.join(sorted(kind.__name__ for kind in _RATE_ATTRIBUTES))}); write it as a LambdaLR, or "
                "leave it undeclared: it is reported if it overwrites the rate"
            )
        if watchable(each.optimizer) is not optimizer:
            raise InvalidInput(
                f"the scheduler {type(each).__name__} belongs to another optimizer than the one given; pass the "
                "optimizer and its own scheduler"
            )


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
    return [Slot(f"groups.{i}.lr", group, "lr", i) for i, group in enumerate(optimizer.param_groups)]


def schedule_slots(scheduler: LRScheduler) -> list[Slot]:
    """Every other place that holds a rate for the schedule. Two slots may share one number."""
    found = [
        Slot(f"groups.{i}.{key}", group, key, i)
        for i, group in enumerate(scheduler.optimizer.param_groups)
        for key in _GROUP_KEYS
        if key in group
    ]
    for i, each in enumerate(_tree(scheduler)):
        for attribute in (*_RATE_ATTRIBUTES[type(each)], "_last_lr"):
            name, value = f"{type(each).__name__}.{i}.{attribute}", getattr(each, attribute)
            if isinstance(value, list):
                found.extend(Slot(f"{name}.{j}", value, j, j, each) for j in range(len(value)))
            else:
                found.append(Slot(name, vars(each), attribute, None, each))
    return found


def floor_in_force(scheduler: LRScheduler) -> tuple[LRScheduler, float] | None:
    """The active schedule and the floor that it shares among all groups; None without a floor.

    Raises InvalidInput when a product of schedules contains such a floor: no single group can be rebased then.
    """
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        current = scheduler._schedulers[bisect_right(scheduler._milestones, scheduler.last_epoch)]
        return floor_in_force(current)
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        if any(_floor(each) for each in _tree(scheduler)):
            raise InvalidInput(
                "cannot change one group's rate alone: a ChainedScheduler multiplies a schedule whose eta_min is one "
                "number for all groups; set eta_min=0, or bind all groups together"
            )
        return None
    return (scheduler, floor) if (floor := _floor(scheduler)) else None


def _floor(scheduler: LRScheduler) -> float:
    if isinstance(scheduler, lr_scheduler.CosineAnnealingLR | lr_scheduler.CosineAnnealingWarmRestarts):
        return float(scheduler.eta_min)
    return 0.0


def momentum_cyclers(optimizer: Optimizer, declared: LRScheduler | None = None) -> list[LRScheduler]:
    """The schedulers that overwrite the optimizer's momentum, or its beta1, at each of their steps.

    Those within `declared`; without it all live ones, found by the garbage collector in tens of milliseconds.
    """
    among = _live_schedulers(optimizer) if declared is None else _tree(declared)
    kinds = lr_scheduler.OneCycleLR | lr_scheduler.CyclicLR
    return [each for each in among if isinstance(each, kinds) and each.cycle_momentum]


def overwriters(optimizer: Optimizer, group: int | None = None) -> list[LRScheduler]:
    """The live schedulers that set the present rates of this optimizer, or the rate of one group.

    The garbage collector finds them, in tens of milliseconds: call it only after a failure.
    """
    of = slice(None) if group is None else slice(group, group + 1)
    rates = rates_of(optimizer)
    found = [each for each in _live_schedulers(optimizer) if wrote(each, rates, of)]
    children = {id(child) for each in found if isinstance(each, _CONTAINERS) for child in each._schedulers}
    return [each for each in found if id(each) not in children]


def wrote(scheduler: LRScheduler, rates: Rates, of: slice) -> bool:
    """Whether these rates are those that it set last, in the groups of the slice."""
    return _last_set(scheduler)[of] == rates[of]


def multiplies(scheduler: LRScheduler) -> bool | None:
    """Whether it has just multiplied the rate that it found, or computed a rate; None for what is not PyTorch's own.

    A scheduler that multiplies computes the rate when it is told to step to a given epoch, and a cosine at its turn.
    """
    if any(type(each) not in _RATE_ATTRIBUTES for each in _tree(scheduler)):
        return None
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):
        return all(map(multiplies, scheduler._schedulers))
    if isinstance(scheduler, lr_scheduler.SequentialLR):
        place = bisect_right(scheduler._milestones, scheduler.last_epoch)
        begins = scheduler.last_epoch in scheduler._milestones
        return not begins and multiplies(scheduler._schedulers[place])
    if isinstance(scheduler, _COMPUTING):
        return False
    closed_form = getattr(scheduler, "_get_closed_form_lr", None)
    if closed_form is None:
        return True
    pairs = zip(_last_set(scheduler), closed_form(), strict=False)
    return any(not isclose(one, other, rel_tol=1e-6) for one, other in pairs)


def _live_schedulers(optimizer: Optimizer) -> list[LRScheduler]:
    found: list[LRScheduler] = [each for each in gc.get_objects() if issubclass(type(each), LRScheduler)]
    return [each for each in found if _steps(vars(each).get("optimizer")) is optimizer]


def _steps(optimizer: Any) -> Optimizer | None:
    """The optimizer that takes the steps of this one; None for what nobody can watch."""
    try:
        return watchable(optimizer)
    except InvalidInput:
        return None


@final
class Forecast:
    """Predicts the rates that a declared schedule may make from the rates at the beginning.

    It steps a copy of the scheduler, over a copy of the groups' settings, as often as the live one has stepped. A
    schedule that calls a function of the user's is not copied, since the function may count its calls or draw: what it
    wrote is allowed as long as nothing else that it computes from has changed.
    """

    def __init__(self, scheduler: LRScheduler) -> None:
        self._live = scheduler
        self._groups = _Groups(scheduler.optimizer)
        self._calls_functions = any(map(_calls_a_function, _tree(scheduler)))
        self._at, self._numbers = _position(scheduler), _numbers_of(scheduler)
        # The memo replaces the optimizer by the stand-in in the copy; without it, deepcopy would copy every weight of
        # the model.
        self._copy: LRScheduler = (
            scheduler if self._calls_functions else copy.deepcopy(scheduler, {id(scheduler.optimizer): self._groups})
        )

    def has_stepped(self) -> bool:
        """Whether the live schedule has stepped since the last call of `allowed`, or since the beginning."""
        return _position(self._live) != (self._at if self._calls_functions else _position(self._copy))

    def allowed(self) -> list[Rates]:
        """The rates that the live schedule's own steps since the last call may have produced."""
        if self._calls_functions:
            return self._written()
        if isinstance(self._copy, lr_scheduler.ReduceLROnPlateau):
            return self._plateau()
        if isinstance(self._live, lr_scheduler.CosineAnnealingWarmRestarts):
            return self._restarts(self._live)
        if _num_steps(self._live) < _num_steps(self._copy) and not isinstance(self._copy, _CONTAINERS):
            with warnings.catch_warnings():  # stepped back to a given epoch, which PyTorch deprecates but still allows
                warnings.simplefilter("ignore")
                self._copy.step(_num_steps(self._live))
        while _num_steps(self._live) > _num_steps(self._copy):
            # At its end, OneCycleLR counts the step, raises and keeps the rate; the user has seen that error already.
            with suppress(ValueError):
                self._copy.step()
        return [self._groups.rates()]

    def _written(self) -> list[Rates]:
        has_stepped, self._at = self.has_stepped(), _position(self._live)
        if has_stepped and _numbers_of(self._live) == self._numbers:
            return [_last_set(self._live)]
        return [self._groups.rates()]

    def go_on_from(self, rates: Rates) -> None:
        """Predict the next steps from `rates`, one of the allowed."""
        for group, rate in zip(self._groups.param_groups, rates, strict=False):
            Slot("", group, "lr").put(rate)

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
        for _ in range(max(1, _num_steps(self._live) - _num_steps(self._copy))):  # it may be set back to a given epoch
            self._copy._reduce_lr(_num_steps(self._live))  # type: ignore[attr-defined]  # isinstance-checked by the caller
            allowed.append(self._groups.rates())
        self._copy.last_epoch = _num_steps(self._live)
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


def _tree(scheduler: LRScheduler) -> Iterator[LRScheduler]:
    yield scheduler
    if isinstance(scheduler, _CONTAINERS):
        for child in scheduler._schedulers:
            yield from _tree(child)


def _num_steps(scheduler: LRScheduler) -> int:
    if isinstance(scheduler, lr_scheduler.ChainedScheduler):  # it keeps no count of its own
        return _num_steps(scheduler._schedulers[0])
    return scheduler.last_epoch


def _position(scheduler: LRScheduler) -> tuple[int, float]:
    within = scheduler.T_cur if isinstance(scheduler, lr_scheduler.CosineAnnealingWarmRestarts) else 0
    return _num_steps(scheduler), within


def _calls_a_function(scheduler: LRScheduler) -> bool:
    if isinstance(scheduler, lr_scheduler.CyclicLR):
        return scheduler._scale_fn_custom is not None
    return isinstance(scheduler, lr_scheduler.LambdaLR | lr_scheduler.MultiplicativeLR)


def _numbers_of(scheduler: LRScheduler) -> dict[str, float]:
    """What the schedule computes from, without what it wrote last."""
    return {slot.name: slot.get() for slot in schedule_slots(scheduler) if "._last_lr" not in slot.name}


def _last_set(scheduler: LRScheduler) -> Rates:
    return tuple(float(rate) for rate in vars(scheduler).get("_last_lr", ()))
