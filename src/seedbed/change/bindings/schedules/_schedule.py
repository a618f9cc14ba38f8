"""What is known of a schedule of any kind: whose rates it writes, and whether its curve can be scaled."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._schedulers import is_known, known_base, schedule_tree
from seedbed.errors import InvalidInput

__all__ = ["Schedule", "innermost", "is_proportional", "is_rebased", "optimizers_of", "require_of"]

_MOST_LAYERS = 8
_CURVE = frozenset({"get_lr", "_get_closed_form_lr", "_update_lr", "_reduce_lr"})
"""What a subclass of PyTorch's own leaves alone when its curve is its base's."""
_OF_TIMM = ("base_values", "update_groups")
"""What timm's schedulers have, which are no LRScheduler: their rates are in proportion to base values and limits."""


@runtime_checkable
class Schedule(Protocol):
    """A schedule of one's own that says what an absolute change of its rate means.

    `optimizer` is the one whose groups it writes. `is_proportional` is whether its whole curve, with its limits, may be
    scaled: such a change then scales the curve from here on, so that the next step has just the value. Otherwise it
    pins the rate. A schedule without these works too, and its rate is pinned.
    """

    optimizer: Optimizer
    is_proportional: bool


def innermost(scheduler: object) -> object:
    """The schedule that a wrapper holds as its `scheduler`, as those of Accelerate and Lightning do."""
    for _ in range(_MOST_LAYERS):
        inner = None if isinstance(scheduler, LRScheduler) else getattr(scheduler, "scheduler", None)
        if inner is None or not callable(getattr(inner, "step", None)):
            break
        scheduler = inner
    return scheduler


def is_rebased(scheduler: object) -> bool:
    """Whether every number that it computes its rates from is known: it consists of PyTorch's own classes alone."""
    return isinstance(scheduler, LRScheduler) and all(map(is_known, schedule_tree(scheduler)))


def is_proportional(scheduler: object) -> bool:
    """Whether its whole curve may be scaled: it says so, or is timm's, or a subclass that leaves the curve alone."""
    if isinstance(scheduler, LRScheduler):
        return all(map(_leaves_curve, schedule_tree(scheduler)))
    if isinstance(scheduler, Schedule):
        return scheduler.is_proportional
    return all(hasattr(scheduler, name) for name in _OF_TIMM)  # an object of a library that need not be installed


def require_of(scheduler: object, optimizer: Optimizer) -> None:
    """Raise InvalidInput unless every schedule in it that names its optimizer belongs to this one."""
    for each, own in _owned(scheduler):
        if own is not optimizer:
            raise InvalidInput(
                f"the scheduler {type(each).__name__} belongs to another optimizer than the one given; pass the "
                "optimizer and its own scheduler"
            )


def optimizers_of(scheduler: object) -> list[Optimizer]:
    """The optimizers that it and its parts name, without what wraps them and it; none where it names none."""
    return [own for _, own in _owned(innermost(scheduler))]


def _owned(scheduler: object) -> Iterator[tuple[object, Optimizer]]:
    """Each schedule in it with its optimizer, where it names one that can be watched."""
    for each in _parts(scheduler):
        given = getattr(each, "optimizer", None)  # a schedule may be of any class
        own = None if given is None else _stepped(given)
        if own is not None:
            yield each, own


def _parts(scheduler: object) -> Iterator[object]:
    yield from schedule_tree(scheduler) if isinstance(scheduler, LRScheduler) else (scheduler,)


def _stepped(optimizer: Optimizer) -> Optimizer | None:
    """The optimizer that takes its steps; None for what nobody can watch."""
    try:
        return watchable(optimizer)
    except InvalidInput:
        return None


def _leaves_curve(scheduler: LRScheduler) -> bool:
    base = known_base(scheduler)
    if base is None:
        return False
    own = type(scheduler).__mro__[: type(scheduler).__mro__.index(base)]
    return not any(_CURVE & vars(each).keys() for each in own)
