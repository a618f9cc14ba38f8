"""The kinds of change: for each its binding, the plain assignment, and the recipe of a loop with the new value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

from torch import Tensor

from scheduler_loops import Loop, Recipe
from seedbed.change import (
    Add,
    BatchSize,
    Binding,
    Freeze,
    GroupSetting,
    LearningRate,
    Operation,
    OptimizerSetting,
    RateRule,
    Scale,
    Set,
)

BEFORE = 7  # optimizer steps

_PLAIN = Recipe()
_WITH_MOMENTUM = Recipe(momentum=0.9)
_FROZEN = Recipe(frozen=True)


@final
@dataclass(frozen=True)
class Change:
    """One kind of change.

    `bind` makes the binding, `plain` is the assignment that a script makes, and `look` reads the number that shows its
    effect. `recipe` gives the recipe of a loop built for the new value, from the loop at the change and the value.
    """

    op: Operation
    bind: Callable[[Loop], Binding]
    plain: Callable[[Loop, float], None]
    look: Callable[[Loop, Tensor], float]
    recipe: Callable[[str, Loop, float], Recipe]
    start: Recipe = _PLAIN


def _assign(key: str, groups: slice = slice(None)) -> Callable[[Loop, float], None]:
    def assign(loop: Loop, value: float) -> None:
        for group in loop.optimizer.param_groups[groups]:
            group[key] = value

    return assign


def _assign_rates(loop: Loop, value: float) -> None:
    factor = value / loop.rate(0)
    for group in loop.optimizer.param_groups:
        group["lr"] *= factor


def _assign_beta(place: int) -> Callable[[Loop, float], None]:
    def assign(loop: Loop, value: float) -> None:
        for group in loop.optimizer.param_groups:
            group["betas"] = tuple(value if i == place else beta for i, beta in enumerate(group["betas"]))

    return assign


def _require_grad(loop: Loop, *, required: bool) -> None:
    loop.model.encoder.requires_grad_(required)


def _assign_batch_size(loop: Loop, value: float) -> None:
    _assign_rates(loop, loop.rate(0) * value / loop.batches.batch_size)
    loop.batches.resize(int(value))


def _for_all(_schedule: str, loop: Loop, value: float) -> Recipe:
    factor = value / loop.rate(0)
    return Recipe(factors=(factor, factor), floor=factor)


def _for_head(schedule: str, _loop: Loop, value: float) -> Recipe:
    """The recipe whose schedule now gives the value for the head's group: a rate is linear in its base."""
    probes = [Loop(schedule, Recipe(factors=(1.0, factor))) for factor in (1.0, 2.0)]
    for loop in probes:
        for _ in range(BEFORE):
            loop.step()
    low, high = (loop.rate(1) for loop in probes)
    return Recipe(factors=(1.0, 1 + (value - low) / (high - low)))


def _for(field: str, start: Recipe = _PLAIN) -> Callable[[str, Loop, float], Recipe]:
    return lambda _schedule, _loop, value: replace(start, **{field: value})  # type: ignore[arg-type]  # a float's field


def _for_batch_size(schedule: str, loop: Loop, value: float) -> Recipe:
    return replace(_for_all(schedule, loop, loop.rate(0) * value / 4), batch_size=int(value))


def _all_rates(loop: Loop) -> Binding:
    return LearningRate(loop.optimizer, loop.scheduler)


def _head_rate(loop: Loop) -> Binding:
    return LearningRate(loop.optimizer, loop.scheduler, group=1)


def _setting(setting: OptimizerSetting) -> Callable[[Loop], Binding]:
    return lambda loop: GroupSetting(loop.optimizer, setting, scheduler=loop.scheduler)


def _freeze(loop: Loop) -> Binding:
    return Freeze(loop.model, "encoder", loop.optimizer)


def _batch_size(loop: Loop) -> Binding:
    rate = LearningRate(loop.optimizer, loop.scheduler)
    return BatchSize(loop.batches, loop.optimizer, rate, RateRule.LINEAR)


def _encoder_moved(loop: Loop, at_change: Tensor) -> float:
    return float((loop.weights()[:24] - at_change[:24]).abs().max())


def _in_group(key: str, place: int | None = None) -> Callable[[Loop, Tensor], float]:
    def look(loop: Loop, _at_change: Tensor) -> float:
        held = loop.optimizer.param_groups[0][key]
        return float(held if place is None else held[place])

    return look


_all: dict[str, Any] = {
    "bind": _all_rates,
    "plain": _assign_rates,
    "look": lambda loop, _: loop.rate(0),
    "recipe": _for_all,
}
_head: dict[str, Any] = {
    "bind": _head_rate,
    "plain": _assign("lr", slice(1, 2)),
    "look": lambda loop, _: loop.rate(1),
    "recipe": _for_head,
}
_decay: dict[str, Any] = {
    "bind": _setting(OptimizerSetting.WEIGHT_DECAY),
    "plain": _assign("weight_decay"),
    "look": _in_group("weight_decay"),
    "recipe": _for("weight_decay"),
}
CHANGES: dict[str, Change] = {
    "lr, set": Change(Set(4e-3), **_all),
    "lr, scale": Change(Scale(0.5), **_all),
    "lr, add": Change(Add(1e-3), **_all),
    "lr of one group, set": Change(Set(7e-4), **_head),
    "lr of one group, scale": Change(Scale(0.5), **_head),
    "lr of one group, add": Change(Add(5e-4), **_head),
    "weight decay, set": Change(Set(0.5), **_decay),
    "weight decay, scale": Change(Scale(3.0), **_decay),
    "beta1, set": Change(
        Set(0.6), _setting(OptimizerSetting.BETA1), _assign_beta(0), _in_group("betas", 0), _for("beta1")
    ),
    "beta2, set": Change(
        Set(0.8), _setting(OptimizerSetting.BETA2), _assign_beta(1), _in_group("betas", 1), _for("beta2")
    ),
    "momentum, set": Change(
        Set(0.5),
        _setting(OptimizerSetting.MOMENTUM),
        _assign("momentum"),
        _in_group("momentum"),
        _for("momentum", _WITH_MOMENTUM),
        _WITH_MOMENTUM,
    ),
    "freeze": Change(
        Set(1.0),
        _freeze,
        lambda loop, _: _require_grad(loop, required=False),
        _encoder_moved,
        lambda _schedule, _loop, _value: _FROZEN,
    ),
    "unfreeze": Change(
        Set(0.0),
        _freeze,
        lambda loop, _: _require_grad(loop, required=True),
        _encoder_moved,
        lambda _schedule, _loop, _value: _PLAIN,
        _FROZEN,
    ),
    "batch size, set; lr in proportion": Change(
        Set(8.0),
        _batch_size,
        _assign_batch_size,
        lambda loop, _: loop.rate(0) * loop.batches.batch_size,  # neither may be lost
        _for_batch_size,
    ),
}
