"""Weight decay, momentum and betas of a live optimizer."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from math import isfinite
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.bindings._course import Carry, Course, rewritten
from seedbed.change.bindings._finding import Match
from seedbed.change.bindings._groups import GroupName, group_index, is_number
from seedbed.change.bindings._schedulers import momentum_cyclers
from seedbed.change.bindings._step_watch import StepWatch, watchable
from seedbed.change.bindings._update_proof import proof_of
from seedbed.errors import InvalidInput

__all__ = ["GroupSetting", "OptimizerSetting"]


class OptimizerSetting(StrEnum):
    """A number, other than the learning rate, that an optimizer keeps in each parameter group."""

    WEIGHT_DECAY = "weight_decay"
    MOMENTUM = "momentum"
    BETA1 = "beta1"
    BETA2 = "beta2"


_INDEX_IN_BETAS = {OptimizerSetting.BETA1: 0, OptimizerSetting.BETA2: 1}
_CYCLED = (OptimizerSetting.MOMENTUM, OptimizerSetting.BETA1)


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
        self._watch: _Watch | None = None
        self._former: list[float] | None = None
        self._require_setting()
        if scheduler is not None and self._setting in _CYCLED:
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
            _put(group, self._setting, new)
        self._former = former

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose update is that of the value, and any later loss of the value.

        A weight decay that other code multiplies is carried on. Skipped steps do not count.
        """
        if self._watch is not None:
            self._watch.end()
        live = _Live(self._optimizer, self._setting, self._places)
        self._watch = None if report is None else _Watch(live, self._former, self._group is None, report)

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
            _put(group, self._setting, value)
        self._former = None

    def _places(self) -> list[int]:
        if self._group is None:
            return list(range(len(self._optimizer.param_groups)))
        return [group_index(self._optimizer, self._group)]

    def _groups(self) -> list[dict[str, Any]]:
        return [self._optimizer.param_groups[place] for place in self._places()]

    def _held(self) -> list[float]:
        return [_get(group, self._setting) for group in self._groups()]

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
        key = "betas" if self._setting in _INDEX_IN_BETAS else self._setting.value
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


@final
class _Live:
    """A setting in the groups of an optimizer, which are looked up at every call."""

    def __init__(self, optimizer: Optimizer, setting: OptimizerSetting, places: Callable[[], list[int]]) -> None:
        self.optimizer, self.setting, self.places = optimizer, setting, places

    def held(self) -> list[float]:
        """The present values."""
        return [_get(self.optimizer.param_groups[place], self.setting) for place in self.places()]

    def default(self) -> float | None:
        """What a group gets that is added without a value of its own."""
        held = self.optimizer.defaults
        return _get(held, self.setting) if _key(self.setting) in held else None

    def in_other(self, other: Optimizer) -> list[float]:
        """The values in another optimizer's groups of the same weights."""
        own = {id(w) for place in self.places() for w in self.optimizer.param_groups[place]["params"]}
        groups = [group for group in other.param_groups if any(id(weight) in own for weight in group["params"])]
        return [_get(group, self.setting) for group in groups if _key(self.setting) in group]


@final
class _Watch:
    """Compares the setting at the beginning of each optimizer step, and its update with that of the former value.

    Only a binding may change it; a weight decay may also be multiplied. `former` is None when nobody knows it any more.
    """

    def __init__(
        self, live: _Live, former: list[float] | None, of_all: bool, report: Callable[[UseReport], None]
    ) -> None:
        self._live, self._of_all, self._report = live, of_all, report
        self._expected = live.held()
        self._known = former is not None and former != self._expected
        self._former = former if former is not None and self._known else list(map(_probe, self._expected))
        self._course = Course(self._former, self._expected)
        self._proof = proof_of(live.optimizer, live.setting.value)
        self._seen = False
        self._open = self._course_why = ""
        self._steps = StepWatch(live.optimizer, self._look, self._prove, self._proof.evaluated, self._look_elsewhere)

    def end(self) -> None:
        """End the watch."""
        self._steps.end()

    def _look(self, step: int) -> None:
        found = self._live.held()
        lost = next((i for i, pair in enumerate(zip(self._expected, found, strict=False)) if pair[0] != pair[1]), None)
        if lost is not None and not self._is_carried(step, lost, found):
            self._report_loss(step, self._expected[lost], found[lost], self._why())
            return
        added, self._expected = found[len(self._expected) :], found
        if added and not self._takes_added(step, added):
            return
        if self._seen:
            return
        if self._course.is_open:
            self._report_open(step, self._course_why)
        else:
            self._proof.begin(self._live.places(), self._put_former)

    def _prove(self, step: int) -> None:
        if self._seen or self._course.is_open:
            return
        finding, value = self._proof.finish(), self._expected[0]
        if finding.match is Match.NEW:
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, value, value, Use.USED))
        elif finding.match is Match.FORMER:
            self._report_loss(
                step, value, self._former[0], "the update was not made with it, but with the former value"
            )
        elif (now := self._live.held()) != self._expected:
            self._report_loss(step, value, now[0], "a hook of the optimizer set it, and the step used that")
        else:
            self._report_open(step, finding.why)

    def _report_open(self, step: int, why: str) -> None:
        if why != self._open:
            self._open, value = why, self._expected[0]
            self._report(UseReport(step, value, value, Use.OPEN, why))

    def _is_carried(self, step: int, lost: int, found: list[float]) -> bool:
        """Whether the change is carried on, or may be."""
        is_decay = self._live.setting is OptimizerSetting.WEIGHT_DECAY
        self._course_why = rewritten(found[lost], step)
        return is_decay and self._known and self._course.follow(self._expected, found) is not Carry.LOST

    def _put_former(self, settings: dict[int, dict[str, Any]]) -> None:
        is_decay = self._live.setting is OptimizerSetting.WEIGHT_DECAY
        former = self._course.former(self._expected) if is_decay else self._former
        for place, value in zip(self._live.places(), former, strict=False):
            _put(settings[place], self._live.setting, value)

    def _takes_added(self, step: int, added: list[float]) -> bool:
        """Whether the groups added since then have a value of their own, and not the default that the change left."""
        self._course.add(added)
        self._former = [*self._former, *added]
        default = self._live.default()
        if not self._of_all or default not in added or default == self._expected[0]:
            return True
        key = _key(self._live.setting)
        why = (
            f"group {len(self._expected) - len(added) + added.index(default)} was added after the change and runs with "
            f"the optimizer's default, which the change did not reach: give add_param_group its {key}"
        )
        self._report_loss(step, self._expected[0], default, why)
        return False

    def _look_elsewhere(self, other: Optimizer, step: int) -> None:
        strange = [value for value in self._live.in_other(other) if value not in self._expected]
        if strange:
            why = (
                f"another optimizer, {type(other).__name__}, steps these weights since then: it was built without the "
                "change; bind it, and make the change in it"
            )
            self._report_loss(step, self._expected[0], strange[0], why)

    def _report_loss(self, step: int, expected: float, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, expected, found, Use.LOST, why))

    def _why(self) -> str:
        setting = self._live.setting
        cyclers = momentum_cyclers(self._live.optimizer) if setting in _CYCLED else []
        names = " and ".join(sorted({type(each).__name__ for each in cyclers}))
        by = f"{names}, which cycles it" if names else "code outside the bindings: look for writes to param_groups"
        return f"the {setting.value} was overwritten by {by}"


def _probe(value: float) -> float:
    """Another value of the setting: what a step is compared with when the former value is not known."""
    return value / 2 if value else 0.5


def _key(setting: OptimizerSetting) -> str:
    return "betas" if setting in _INDEX_IN_BETAS else setting.value


def _require_uncycled(optimizer: Optimizer, scheduler: LRScheduler, setting: OptimizerSetting) -> None:
    for each in momentum_cyclers(optimizer, scheduler):
        raise InvalidInput(
            f"{type(each).__name__} overwrites {setting.value} at each of its steps, so a change would be lost; build "
            "it with cycle_momentum=False"
        )


def _get(group: Mapping[str, Any], setting: OptimizerSetting) -> float:
    held = group["betas"][_INDEX_IN_BETAS[setting]] if setting in _INDEX_IN_BETAS else group[setting.value]
    if not is_number(held):
        raise InvalidInput(f"{setting.value} is {held!r}, which is no number: give the group one, or leave it unbound")
    return float(held)


def _put(group: dict[str, Any], setting: OptimizerSetting, value: float) -> None:
    """Set it in the group; a tensor is filled in place, since compiled steps refer to it."""
    place = _INDEX_IN_BETAS.get(setting)
    held = group[setting.value] if place is None else group["betas"][place]
    if isinstance(held, Tensor):
        held.fill_(value)
    elif place is None:
        group[setting.value] = value
    else:
        group["betas"] = tuple(value if i == place else beta for i, beta in enumerate(group["betas"]))
