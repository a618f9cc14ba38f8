"""The watch on a setting in the groups of an optimizer: it must stay as it was set, and reach an update."""

from collections.abc import Callable
from typing import Any, final

from torch.optim import Optimizer

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._course import Carry, Course, rewritten
from seedbed.change.bindings._live_setting import CYCLED, LiveSetting, OptimizerSetting, key_of, put_in
from seedbed.change.bindings._proven_use import ProvenUse, added_group, other_optimizer
from seedbed.change.bindings.proof._finding import Match
from seedbed.change.bindings.schedules._live_schedulers import class_names, momentum_cyclers

__all__ = ["SettingWatch"]


@final
class SettingWatch:
    """Compares the setting at the beginning of each optimizer step, and its update with that of the former value.

    Only a binding may change it; a weight decay may also be multiplied. `former` is None when nobody knows it any more.
    """

    def __init__(
        self, live: LiveSetting, former: list[float] | None, of_all: bool, report: Callable[[UseReport], None]
    ) -> None:
        self._live, self._of_all = live, of_all
        self._expected = live.held()
        former = None if former is None else [*former, *self._expected[len(former) :]]
        self._known = former is not None and former != self._expected
        self._former = former if former is not None and self._known else list(map(_probe, self._expected))
        self._course = Course(self._former, self._expected)
        self._rewritten = ""
        self._step = 0
        self._use = ProvenUse(live.optimizer, live.setting.value, self, report)

    @property
    def twins(self) -> list[float] | None:
        """What would stand there now without the change; None where nobody knows, and after a loss."""
        is_told = self._known and not self._course.is_open and not self._use.is_ended
        return self._course.former(self._expected) if is_told else None

    def end(self) -> None:
        """End the watch."""
        self._use.end()

    def before(self, step: int) -> None:
        """Compare the setting with the expected one, and take what a proof needs."""
        self._step = step
        if self._is_kept(step) and not self._course.is_open:
            self._use.begin(self._live.places(), self._put_former)

    def look(self) -> None:
        """Compare the setting that the next step will find."""
        if not self._use.is_ended:
            self._is_kept(self._step + 1)

    def _is_kept(self, step: int) -> bool:
        found = self._live.held()
        if not self._keeps_up(step, found):
            return False
        added, self._expected = found[len(self._expected) :], found
        return not added or self._takes_added(step, added)

    def _keeps_up(self, step: int, found: list[float]) -> bool:
        lost = next((i for i, pair in enumerate(zip(self._expected, found, strict=False)) if pair[0] != pair[1]), None)
        if lost is None or self._is_carried(step, lost, found):
            return True
        self._use.lose(step, self._expected[lost], found[lost], self._why())
        return False

    def after(self, step: int) -> None:
        """Compare the update that was made, until the use is seen."""
        value = self._expected[0]
        finding = self._use.finish(step, value, self._rewritten if self._course.is_open else None)
        if finding is None:
            return
        if finding.match is Match.FORMER:
            self._use.lose(step, value, self._former[0], "the update was not made with it, but with the former value")
        elif finding.match is Match.OPEN and (now := self._live.held()) != self._expected:
            self._use.lose(step, value, now[0], "a hook of the optimizer set it, and the step used that")
        else:
            self._use.tell(step, value, finding)

    def _is_carried(self, step: int, lost: int, found: list[float]) -> bool:
        """Whether the change is carried on, or may be."""
        is_decay = self._live.setting is OptimizerSetting.WEIGHT_DECAY
        self._rewritten = rewritten(found[lost], step)
        return is_decay and self._known and self._course.follow(self._expected, found) is not Carry.LOST

    def _put_former(self, settings: dict[int, dict[str, Any]]) -> None:
        is_decay = self._live.setting is OptimizerSetting.WEIGHT_DECAY
        former = self._course.former(self._expected) if is_decay else self._former
        for place, value in zip(self._live.places(), former, strict=False):
            put_in(settings[place], self._live.setting, value)

    def _takes_added(self, step: int, added: list[float]) -> bool:
        """Whether the groups added since then have a value of their own, and not the default that the change left."""
        self._course.add(added)
        self._former = [*self._former, *added]
        default = self._live.default()
        if not self._of_all or default not in added or default == self._expected[0]:
            return True
        place = len(self._expected) - len(added) + added.index(default)
        self._use.lose(step, self._expected[0], default, added_group(place, f"its {key_of(self._live.setting)}"))
        return False

    def elsewhere(self, other: Optimizer, step: int) -> None:
        """Compare the setting of the other optimizer."""
        strange = [value for value in self._live.in_other(other) if value not in self._expected]
        if strange:
            self._use.lose(step, self._expected[0], strange[0], other_optimizer(other))

    def _why(self) -> str:
        setting = self._live.setting
        cyclers = momentum_cyclers(self._live.optimizer) if setting in CYCLED else []
        names = class_names(cyclers)
        by = f"{names}, which cycles it" if names else "code outside the bindings: look for writes to param_groups"
        return f"the {setting.value} was overwritten by {by}"


def _probe(value: float) -> float:
    """Another value of the setting: what a step is compared with when the former value is not known."""
    return value / 2 if value else 0.5
