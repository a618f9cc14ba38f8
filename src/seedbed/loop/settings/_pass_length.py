"""How many batches a pass over a loader has, and which schedules go on counting as before when that changes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import final

from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from seedbed.change.bindings.schedules._schedule import innermost
from seedbed.errors import InvalidInput

__all__ = ["PassLength", "ScheduleEnd", "schedule_ends"]

_STAYS = "after which it stays"
_STEPS_OF_TRANSFORMERS = "num_training_steps"


@final
@dataclass(frozen=True)
class ScheduleEnd:
    """A schedule of class `name`, after `step` of its `num_steps` steps; `then` says what it does after all of them."""

    name: str
    step: int
    num_steps: int
    then: str

    @property
    def words(self) -> str:
        """As in "OneCycleLR is at step 20 of 64, after which it raises an error"."""
        return f"{self.name} is at step {self.step} of {self.num_steps}, {self.then}"


@final
class PassLength:
    """The number of batches of a pass over `loader`, on which the `schedules` of the loop may rest."""

    def __init__(self, loader: DataLoader[object], schedules: Sequence[object]) -> None:
        self._loader, self._schedules = loader, tuple(schedules)

    def read(self) -> int | None:
        """The number now; None for a loader without a length."""
        with suppress(TypeError, NotImplementedError, InvalidInput):
            return len(self._loader)
        return None

    def told(self, before: int | None) -> str:
        """What a pass has now, and which schedules end where they did; empty where it had so many before."""
        now = self.read()
        if now is None or now == before:
            return ""
        ends = [end.words for schedule in self._schedules for end in schedule_ends(schedule)]
        ends = ends or ["the schedule counts its steps as before"] * bool(self._schedules)
        earlier = "" if before is None else f", {before} before"
        return "; ".join([f"a whole pass has {now} batches{earlier}", *ends])


def schedule_ends(schedule: object) -> Iterator[ScheduleEnd]:
    """The ends of the schedules in this one that were made for a fixed number of steps."""
    schedule = innermost(schedule)
    if isinstance(schedule, lr_scheduler.ChainedScheduler):
        for part in schedule._schedulers:
            yield from schedule_ends(part)
    elif isinstance(schedule, lr_scheduler.SequentialLR):
        begin = schedule._milestones[-1]
        for end in schedule_ends(schedule._schedulers[-1]):
            yield ScheduleEnd(end.name, schedule.last_epoch, begin + end.num_steps, end.then)
    elif isinstance(schedule, LRScheduler) and (found := _end_of(schedule)) is not None:
        yield ScheduleEnd(type(schedule).__name__, schedule.last_epoch, *found)


def _end_of(schedule: LRScheduler) -> tuple[int, str] | None:
    if isinstance(schedule, lr_scheduler.OneCycleLR):
        return schedule.total_steps, "after which it raises an error"
    if isinstance(schedule, lr_scheduler.CosineAnnealingLR):
        return schedule.T_max, "after which the rate rises again"
    if isinstance(schedule, lr_scheduler.LinearLR | lr_scheduler.ConstantLR | lr_scheduler.PolynomialLR):
        return schedule.total_iters, _STAYS
    if isinstance(schedule, lr_scheduler.LambdaLR):  # those of Transformers are functions with their numbers
        numbers = [_steps_of(each) for each in schedule.lr_lambdas]
        return next(((each, "for which it was made") for each in numbers if each is not None), None)
    return None


def _steps_of(function: Callable[[int], float]) -> int | None:
    found = function.keywords.get(_STEPS_OF_TRANSFORMERS) if isinstance(function, partial) else None
    return found if isinstance(found, int) else None
