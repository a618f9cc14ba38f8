"""The learning rate of a live optimizer, under any schedule."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change._checkpoint import Seen
from seedbed.change.bindings._binding import Unproven, UseReport
from seedbed.change.bindings._groups import GroupName
from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.rates._driven_rate import DrivenRate
from seedbed.change.bindings.rates._rate_driver import is_held
from seedbed.change.bindings.rates._rate_way import RateFollow, RateWay
from seedbed.change.bindings.rates._rebased_rate import RebasedRate
from seedbed.change.bindings.schedules._schedule import innermost, is_proportional, is_rebased, require_of
from seedbed.change.bindings.schedules._schedulers import require_numbers

__all__ = ["LearningRate"]


@final
class LearningRate:
    """Binds a parameter to an optimizer's learning rate.

    Without a `group` the value is the first group's, and groups keep their ratios. With one, by its index or its key
    "name", only that group changes; a floor that its schedule shares among all groups (eta_min) is kept, so that the
    group follows the same schedule from another base. Bind all groups together or each separately, not both.

    There are two ways to keep a change. A declared `scheduler` of PyTorch's own is rebased at every write: it then
    follows the same curve as before, scaled to the new value. Under any other, and with `holds=True` under whatever
    writes the rate, also the loop's own lines, the change is carried out at the optimizer's own step, and between two
    steps the groups hold what the schedule wrote. A relative change multiplies that; an absolute one does so too where
    the whole curve may be scaled (see `Schedule`), and else pins the rate, until a change to just what the schedule
    wrote lets it have the rate again. With neither, a watch finds and names what overwrites the value.

    Groups are looked up at every call, since `load_state_dict` replaces them. What wraps an optimizer or a scheduler is
    unwrapped. Raises InvalidInput for what cannot be watched, for groups that hold no rate, since the optimizer
    computes it itself, for a scheduler of another optimizer, and for a group that does not exist.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: object = None,
        group: GroupName | None = None,
        *,
        holds: bool = False,
    ) -> None:
        inner, schedule = watchable(optimizer), innermost(scheduler)
        require_numbers(inner)
        require_of(schedule, inner)
        self._way: RateWay
        if holds or is_held(inner) or not (schedule is None or is_rebased(schedule)):
            writer = "the loop" if schedule is None else type(schedule).__name__
            self._way = DrivenRate(inner, writer, group, scales=schedule is not None and is_proportional(schedule))
        else:
            self._way = RebasedRate(inner, schedule if isinstance(schedule, LRScheduler) else None, group)

    def read(self) -> float:
        """What the next step uses for the group; for the first group when all are bound."""
        return self._way.read()

    def write(self, value: float) -> None:
        """Set the rates, and rebase the schedule or pin them.

        Raises InvalidInput when the rate is 0, so that there is no ratio to other groups or to a schedule, or the group
        cannot change alone.
        """
        self._way.write(value)

    def write_relative(self, before: float, after: float) -> None:
        """Set the rates, and let the schedule go on in proportion, as `RelativeBinding`. Raises as `write`."""
        self._way.write_relative(before, after)

    def way(self) -> str:
        """How the latest change is kept, as `RelativeBinding`."""
        return self._way.way()

    def coupled(self) -> Mapping[str, float]:
        """The factor on what the schedule writes, where the change is carried out at each step; 0 if it is pinned."""
        return self._way.coupled()

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose update is that of the value, and any later loss of the value.

        A declared schedule may change the value as it predicts; other code may only multiply it, unless the change is
        carried out at each step. A group that is added with the optimizer's default is a loss, and so are two steps in
        succession of other optimizers over the same weights, with another rate. The watch lasts until it has reported a
        loss, or is replaced or ended. Steps that mixed precision skips do not count.
        """
        self._way.watch(report)

    def follow(self, report: Callable[[UseReport], None]) -> RateFollow:
        """A second watch, for a binding that changes this rate with its own value; end it by `unfollow`."""
        return self._way.follow(report)

    def unfollow(self, watch: RateFollow) -> None:
        """End a watch that `follow` began."""
        self._way.unfollow(watch)

    def look(self) -> None:
        """Compare the rates now, as `LookingBinding`."""
        self._way.look()

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The rate that would stand there now without the latest changes, as `UndoingBinding`.

        Of a rate that a schedule moves it is known where nothing but a declared schedule moved it on after each of
        them, or where they are carried out at each step. A schedule that computes its rate brings a change back that
        other code overwrote, so it is taken back there too. Raises Conflict elsewhere, also at 0 or at a floor, where
        every rate ends up.
        """
        return self._way.without(changes)

    def seen(self) -> Seen | None:
        """The rates of all groups without the change, as `MovingBinding`."""
        return self._way.seen()

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """The former rates, without `seen` in proportion to those now, as `MovingBinding`."""
        self._way.recall(before, after, seen)

    def forget_former(self) -> None:
        """Know no longer what stood there before the latest write: it is not what the next watch is about."""
        self._way.forget_former()

    def state(self) -> dict[str, float]:
        """The present rates, and every number that the schedule computes them from, or what the steps make of them."""
        return self._way.state()

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other groups or schedulers."""
        self._way.restore(state)
