"""The schedulers that live in this process, as the garbage collector finds them."""

import gc
import sys
from collections.abc import Iterable
from itertools import chain
from types import FrameType, FunctionType, ModuleType
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._schedulers import CONTAINERS, schedule_tree
from seedbed.errors import InvalidInput

__all__ = ["class_names", "had_scheduler", "momentum_cyclers", "whole_schedules"]

_CODE = (FunctionType, ModuleType, type)
_LIBRARIES = sys.stdlib_module_names | {"torch"}


def momentum_cyclers(optimizer: Optimizer, declared: LRScheduler | None = None) -> list[LRScheduler]:
    """The schedulers that overwrite the optimizer's momentum, or its beta1, at each of their steps.

    Those within `declared`; without it all live ones, found in tens of milliseconds.
    """
    among = _live_schedulers(optimizer) if declared is None else schedule_tree(declared)
    kinds = lr_scheduler.OneCycleLR | lr_scheduler.CyclicLR
    return [each for each in among if isinstance(each, kinds) and each.cycle_momentum]


def whole_schedules(optimizer: Optimizer, *, hidden: bool = True) -> list[LRScheduler]:
    """The live schedulers of this optimizer, without those that another one consists of.

    They are found in tens of milliseconds, and `hidden` ones, which gc.freeze() hides, in up to a second: search for
    these once, or after a failure.
    """
    found = _live_schedulers(optimizer, hidden=hidden)
    parts = {id(part) for each in found if isinstance(each, CONTAINERS) for part in each._schedulers}
    return [each for each in found if id(each) not in parts]


def had_scheduler(optimizer: Optimizer) -> bool:
    """Whether a scheduler was ever built for the optimizer, other than a ReduceLROnPlateau: each wraps its step."""
    return hasattr(optimizer.step, "_wrapped_by_lr_sched")


def class_names(schedulers: Iterable[LRScheduler]) -> str:
    """The names of their classes, as words of a sentence."""
    return " and ".join(sorted({type(each).__name__ for each in schedulers}))


def _live_schedulers(optimizer: Optimizer, *, hidden: bool = True) -> list[LRScheduler]:
    """Those in the collector's list, and where gc.freeze() hides objects from it, those that can be reached."""
    objects = chain(gc.get_objects(), _hidden() if hidden else ())
    found: dict[int, LRScheduler] = {id(each): each for each in objects if issubclass(type(each), LRScheduler)}
    return [each for each in found.values() if _steps(vars(each).get("optimizer")) is optimizer]


def _hidden() -> Iterable[object]:
    return _reachable() if gc.get_freeze_count() else ()


def _reachable() -> Iterable[object]:
    """What the modules and the running functions hold, also what gc.freeze() hides from the collector's list.

    What classes and functions hold is left out, and what the modules of Python and PyTorch hold: that is most of a
    process, and no place for a scheduler.
    """
    loaded = [each for name, each in list(sys.modules.items()) if name.partition(".")[0] not in _LIBRARIES]
    roots: list[object] = [vars(each) for each in loaded if hasattr(each, "__dict__")]  # None forbids an import
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
