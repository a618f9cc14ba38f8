"""Weight decay, momentum and betas of a live optimizer."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, final

from torch.optim import Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change._checkpoint import Seen
from seedbed.change.bindings._binding import Unproven, UseReport, group_added, holds, without
from seedbed.change.bindings._groups import GroupName, group_index
from seedbed.change.bindings._live_setting import CYCLED, LiveSetting, OptimizerSetting, key_of, put_in, value_in
from seedbed.change.bindings._setting_watch import SettingWatch
from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._live_schedulers import momentum_cyclers
from seedbed.errors import InvalidInput

__all__ = ["GroupSetting"]


@final
class GroupSetting:
    """Binds a parameter to a setting in the optimizer's groups, such as OptimizerSetting.WEIGHT_DECAY.

    With a `group`, by its index or its key "name", only that group changes. Without one the value is the first group's:
    weight decays keep their ratios, so that a group with decay 0 keeps 0; momenta and betas must be equal in all groups
    and change together. Groups are looked up at every call, since `load_state_dict` replaces them.

    Raises InvalidInput when the optimizer has no such setting, when the groups differ where they must not, or when the
    declared `scheduler` cycles the momentum (OneCycleLR and CyclicLR overwrite momentum or beta1 at each of their
    steps, unless cycle_momentum=False). An undeclared one is named when it overwrites the value.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        setting: OptimizerSetting,
        group: GroupName | None = None,
        scheduler: LRScheduler | None = None,
    ) -> None:
        self._optimizer, self._setting, self._group = watchable(optimizer), OptimizerSetting(setting), group
        self._watch: SettingWatch | None = None
        self._former: list[float] | None = None
        self._require_setting()
        if scheduler is not None and self._setting in CYCLED:
            _require_uncycled(self._optimizer, scheduler, self._setting)

    def read(self) -> float:
        """The setting of the bound group, or of the first group."""
        return self._held()[0]

    def write(self, value: float) -> None:
        """Set it from the next optimizer step on.

        Raises InvalidInput for a value out of the setting's range, for a value that would lose the ratios of the
        groups, and where the optimizer cannot begin to use a momentum.
        """
        self._require_range(value)
        self._require_momentum_buffers(value)
        former = self._held()
        for group, new in zip(self._groups(), self._spread(value), strict=True):
            put_in(group, self._setting, new)
        self._former = former

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The value without the latest changes, as `UndoingBinding`.

        Other code moves on a weight decay alone; what it wrote in the place of another setting overwrote the change.
        """
        found, newest = self.read(), changes[-1]
        if self._former is not None and len(self._former) < len(self._held()):
            raise group_added()
        is_moved = self._setting is OptimizerSetting.WEIGHT_DECAY and found != newest.before
        is_lost = newest.is_lost or not (is_moved or holds(found, newest.after))
        return without([*changes[:-1], newest._replace(is_lost=is_lost)], found)

    def look(self) -> None:
        """Compare the setting now, as `MovingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def seen(self) -> Seen | None:
        """The values without the change, as `MovingBinding`."""
        former = None if self._watch is None else self._watch.twins
        return None if former is None else Seen(former=tuple(former), by_schedule=False)

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """The former values, without `seen` in proportion to those now, as `MovingBinding`."""
        if seen is not None:
            self._former = list(seen.former)
        elif self._former is None:
            self._former = [value * (before / after) if after else before for value in self._held()]

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose update is that of the value, and any later loss of the value.

        A weight decay that other code multiplies is carried on. Skipped steps do not count.
        """
        if self._watch is not None:
            self._watch.end()
        if report is None:
            self._former = None
        live = LiveSetting(self._optimizer, self._setting, self._places)
        self._watch = None if report is None else SettingWatch(live, self._former, self._group is None, report)

    def state(self) -> dict[str, float]:
        """The setting of each bound group, by the group's index."""
        return {
            f"groups.{place}.{self._setting.value}": value
            for place, value in zip(self._places(), self._held(), strict=True)
        }

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other groups."""
        if state.keys() != self.state().keys():
            raise InvalidInput(
                f"{self._setting.value} state: expected {sorted(self.state())}, found {sorted(state)}; rebuild the "
                "optimizer as it was when the state was saved"
            )
        for group, value in zip(self._groups(), [state[name] for name in self.state()], strict=True):
            put_in(group, self._setting, value)
        self._former = None

    def _places(self) -> list[int]:
        if self._group is None:
            return list(range(len(self._optimizer.param_groups)))
        return [group_index(self._optimizer, self._group)]

    def _groups(self) -> list[dict[str, Any]]:
        return [self._optimizer.param_groups[place] for place in self._places()]

    def _held(self) -> list[float]:
        return [value_in(group, self._setting) for group in self._groups()]

    def _spread(self, value: float) -> list[float]:
        held = self._held()
        if len(set(held)) == 1:
            return [value] * len(held)
        if held[0] == 0 or value == 0:
            raise InvalidInput(
                f"cannot change the weight decays {held} together to {value:g}: it would lose their ratios; bind each "
                "group separately with group="
            )
        return [value if each == held[0] else each * (value / held[0]) for each in held]

    def _require_setting(self) -> None:
        key = key_of(self._setting)
        if missing := [place for place, group in zip(self._places(), self._groups(), strict=True) if key not in group]:
            has = sorted(set(self._groups()[0]) - {"params"})
            raise InvalidInput(
                f"{type(self._optimizer).__name__} has no {self._setting.value}: group {missing[0]} holds {has}; bind "
                "a setting that it has"
            )
        if len(set(self._held())) > 1 and self._setting is not OptimizerSetting.WEIGHT_DECAY:
            raise InvalidInput(
                f"the groups' {self._setting.value} differ, {self._held()}, and have no meaning as ratios; bind each "
                "group separately with group="
            )

    def _require_range(self, value: float) -> None:
        below = float("inf") if self._setting in {OptimizerSetting.WEIGHT_DECAY, OptimizerSetting.MOMENTUM} else 1.0
        if not (isfinite(value) and 0 <= value < below):
            limits = "0 or more" if below > 1 else "0 or more and below 1"
            raise InvalidInput(f"{self._setting.value} cannot be {value!r}: expected a number, {limits}")

    def _require_momentum_buffers(self, value: float) -> None:
        # RMSprop makes its momentum buffers with the rest of its state, at a weight's first step, or never.
        if not (self._setting is OptimizerSetting.MOMENTUM and isinstance(self._optimizer, RMSprop) and value > 0):
            return
        weights = [weight for group in self._groups() for weight in group["params"]]
        states = [self._optimizer.state[weight] for weight in weights if weight in self._optimizer.state]
        if any("momentum_buffer" not in state for state in states):
            raise InvalidInput(
                "RMSprop that has stepped without momentum cannot begin to use one: it has no buffer for it, and its "
                "next step would raise KeyError; build the optimizer with a momentum above 0"
            )


def _require_uncycled(optimizer: Optimizer, scheduler: LRScheduler, setting: OptimizerSetting) -> None:
    for each in momentum_cyclers(optimizer, scheduler):
        raise InvalidInput(
            f"{type(each).__name__} overwrites {setting.value} at each of its steps, so a change would be lost; build "
            "it with cycle_momentum=False"
        )
