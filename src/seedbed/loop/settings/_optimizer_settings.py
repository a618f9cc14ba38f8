"""The settings of optimizers: rate, weight decay, momentum, betas and eps, of all groups together or of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings._binding import Binding
from seedbed.change.bindings._group_setting import GroupSetting
from seedbed.change.bindings._groups import GroupName, is_number
from seedbed.change.bindings._live_setting import CYCLED, OptimizerSetting, key_of, value_in
from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.rates._learning_rate import LearningRate
from seedbed.change.bindings.schedules._schedule import innermost
from seedbed.change.bindings.schedules._schedulers import shares_floor
from seedbed.errors import InvalidInput
from seedbed.loop.settings._found import BoundSetting, Joint, Unbound, key_of_path
from seedbed.loop.settings._limits import Limits
from seedbed.loop.settings._live_objects import LiveObjects

__all__ = ["OptimizerSettings", "peak_rate"]

_OWNER = "optimizer"
_MOST_GROUPS = 16
_AVERAGES = {
    OptimizerSetting.MOMENTUM: 0.99,
    OptimizerSetting.BETA1: 0.99,
    OptimizerSetting.BETA2: 0.999,
}
_RATIOS = ("lr", OptimizerSetting.WEIGHT_DECAY.value)
_CHILDREN = ("_schedulers", "base_lrs", "max_lrs")


@final
class OptimizerSettings:
    """Finds what the groups of optimizers hold.

    Groups of equal values, and without names of their own for a rate or a weight decay, are one setting. Others are one
    setting each, `optimizer.lr.head`, and `optimizer.lr` is all of them together. An earlier attempt of the run decides
    in place of the values.
    """

    def find(self, objects: LiveObjects) -> Iterator[BoundSetting | Joint | Unbound]:
        """The settings of every optimizer."""
        for name in objects.optimizers:
            owner = name or _OWNER
            try:
                optimizer = watchable(objects.optimizers[name])
            except InvalidInput as problem:
                yield Unbound(f"{owner}.lr", str(problem))
                continue
            scheduler = objects.scheduler_of(name)
            yield from _Kind(owner, "lr", optimizer, scheduler, objects.named).found()
            for setting in OptimizerSetting:
                if any(key_of(setting) in group for group in optimizer.param_groups):
                    yield from _Kind(owner, setting.value, optimizer, scheduler, objects.named).found()


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of setting of one optimizer, such as its rates."""

    owner: str
    kind: str
    optimizer: Optimizer
    scheduler: object | None
    named: frozenset[str]

    def found(self) -> Iterator[BoundSetting | Joint | Unbound]:
        """It as one setting of all groups, or as one of each group and all of them together."""
        values = [self._value(group) for group in self.optimizer.param_groups]
        names = _names(self.optimizer)
        if not self._is_one(values, names):
            parts = [self._bound(name, place) for place, name in enumerate(names)]
            if all(isinstance(each, BoundSetting) for each in parts):
                yield from parts
                yield from self._together([each for each in parts if isinstance(each, BoundSetting)], values)
                return
        yield self._bound(None, 0)

    def _value(self, group: Mapping[str, Any]) -> float | None:
        if self.kind == "lr":
            return float(group["lr"]) if is_number(group.get("lr")) else None
        try:
            return value_in(group, OptimizerSetting(self.kind))
        except (InvalidInput, KeyError):
            return None

    def _is_one(self, values: Sequence[float | None], names: Sequence[GroupName]) -> bool:
        """Whether all groups are one setting."""
        if len(values) == 1 or len(values) > _MOST_GROUPS or None in values:
            return True
        if self.named & {self._key(), *map(self._key, names)}:
            return self._key() in self.named
        peaks = [self._peak(place) for place in range(len(values))] if self.kind == "lr" else values
        are_named = self.kind in _RATIOS and all(isinstance(name, str) for name in names)
        return len(set(peaks)) == 1 and not are_named

    def _bound(self, name: GroupName | None, place: int) -> BoundSetting | Unbound:
        """The setting of one group, or of all for None."""
        path = self._path(name)
        try:
            binding = self._binding(None if name is None else place)
            live = binding.read()
            if name is None:
                self._require_ratios(live)
        except InvalidInput as problem:
            return Unbound(key_of_path(path), str(problem))
        return BoundSetting(path, binding, self._limits(live, place))

    def _path(self, name: GroupName | None = None) -> tuple[str, ...]:
        """The path of the setting of one group, or of all for None."""
        return (self.owner, self.kind, *(() if name is None else (str(name),)))

    def _key(self, name: GroupName | None = None) -> str:
        return key_of_path(self._path(name))

    def _binding(self, place: int | None) -> Binding:
        scheduler = cast("LRScheduler | None", innermost(self.scheduler))  # the binding refuses other objects
        if self.kind == "lr":
            # Without a declared scheduler the loop may write the rate itself: a change holds whatever it writes. Nor
            # can a floor that groups share be scaled for one of them: each multiplies what such a schedule writes, so
            # that a factor means the same for one group and for all.
            holds = scheduler is None or (place is not None and shares_floor(scheduler))
            return LearningRate(self.optimizer, scheduler, place, holds=holds)
        setting = OptimizerSetting(self.kind)
        cycles = scheduler if setting in CYCLED and isinstance(scheduler, LRScheduler) else None
        return GroupSetting(self.optimizer, setting, place, cycles)

    def _require_ratios(self, first: float) -> None:
        values = [self._value(group) for group in self.optimizer.param_groups]
        if self.kind in _RATIOS and first == 0 and len(set(values)) > 1:
            raise InvalidInput(
                f"the {len(values)} groups hold {self.kind} {values}, which have no ratio to the first; bind them "
                "separately with an engine of your own"
            )

    def _limits(self, live: float, place: int) -> Limits:
        if self.kind == "lr":
            return Limits.of_rate(self._peak(place) or 1.0)
        setting = OptimizerSetting(self.kind)
        if setting is OptimizerSetting.WEIGHT_DECAY:
            return Limits.of_weight_decay(live)
        return Limits.of_eps(live) if setting is OptimizerSetting.EPS else Limits.of_average(live, _AVERAGES[setting])

    def _peak(self, place: int) -> float:
        return peak_rate(self.optimizer, self.scheduler, place)

    def _together(self, parts: Sequence[BoundSetting], values: Sequence[float | None]) -> Iterator[Joint]:
        """All groups together; those that hold a weight decay of 0 are left out, since a ratio keeps them at 0."""
        keeps, is_decay = self.kind in _RATIOS, self.kind == OptimizerSetting.WEIGHT_DECAY.value
        members = [each for each, value in zip(parts, values, strict=True) if value or not is_decay]
        yield Joint(self._key(), tuple(key_of_path(each.path) for each in members or parts), keeps)


def peak_rate(optimizer: Optimizer, scheduler: object | None, place: int) -> float:
    """The largest rate of that group which it, or its schedule, names; in a warmup the live one is far below it."""
    group = optimizer.param_groups[place]
    found = [group.get(key) for key in ("lr", "initial_lr", "max_lr", "swa_lr")]
    found += _named_rates(innermost(scheduler), place) if scheduler is not None else []
    rates = [float(each) for each in found if isinstance(each, int | float | Tensor)]
    if max(rates, default=0.0) > 0:
        return max(rates)
    default = optimizer.defaults.get("lr")
    return float(default) if isinstance(default, int | float | Tensor) else 0.0


def _named_rates(scheduler: Any, place: int) -> list[object]:
    """The rates that a schedule computes from, of one group. Schedules may be of any class, so names are looked up."""
    children, *lists = (getattr(scheduler, name, None) for name in _CHILDREN)
    own = [each[place] for each in lists if isinstance(each, list | tuple) and place < len(each)]
    inner = [_named_rates(each, place) for each in children] if isinstance(children, list | tuple) else []
    return [*own, *(rate for rates in inner for rate in rates)]


def _names(optimizer: Optimizer) -> list[GroupName]:
    """The name of each group where all have one of their own, else the index of each."""
    names = [group.get("name") for group in optimizer.param_groups]
    texts = [each for each in names if isinstance(each, str) and each]
    return [*texts] if len(set(texts)) == len(names) else [*range(len(names))]
