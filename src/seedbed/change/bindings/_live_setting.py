"""A setting in the parameter groups of an optimizer: where it stands, and how it is read and set."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._groups import is_number
from seedbed.errors import InvalidInput

__all__ = ["CYCLED", "INDEX_IN_BETAS", "LiveSetting", "OptimizerSetting", "key_of", "put_in", "value_in"]


class OptimizerSetting(StrEnum):
    """A number, other than the learning rate, that an optimizer keeps in each parameter group."""

    WEIGHT_DECAY = "weight_decay"
    MOMENTUM = "momentum"
    BETA1 = "beta1"
    BETA2 = "beta2"
    EPS = "eps"


INDEX_IN_BETAS = {OptimizerSetting.BETA1: 0, OptimizerSetting.BETA2: 1}
CYCLED = (OptimizerSetting.MOMENTUM, OptimizerSetting.BETA1)


@final
class LiveSetting:
    """A setting in the groups of an optimizer, which are looked up at every call."""

    def __init__(self, optimizer: Optimizer, setting: OptimizerSetting, places: Callable[[], list[int]]) -> None:
        self.optimizer, self.setting, self.places = optimizer, setting, places

    def held(self) -> list[float]:
        """The present values."""
        return [value_in(self.optimizer.param_groups[place], self.setting) for place in self.places()]

    def default(self) -> float | None:
        """What a group gets that is added without a value of its own."""
        held = self.optimizer.defaults
        return value_in(held, self.setting) if key_of(self.setting) in held else None

    def in_other(self, other: Optimizer) -> list[float]:
        """The values in another optimizer's groups of the same weights."""
        own = {id(w) for place in self.places() for w in self.optimizer.param_groups[place]["params"]}
        groups = [group for group in other.param_groups if any(id(weight) in own for weight in group["params"])]
        return [value_in(group, self.setting) for group in groups if key_of(self.setting) in group]


def key_of(setting: OptimizerSetting) -> str:
    """The key of the groups that holds it."""
    return "betas" if setting in INDEX_IN_BETAS else setting.value


def value_in(group: Mapping[str, Any], setting: OptimizerSetting) -> float:
    """Its value in this group. Raises InvalidInput when that is no number."""
    held = group["betas"][INDEX_IN_BETAS[setting]] if setting in INDEX_IN_BETAS else group[setting.value]
    if not is_number(held):
        raise InvalidInput(f"{setting.value} is {held!r}, which is no number: give the group one, or leave it unbound")
    return float(held)


def put_in(group: dict[str, Any], setting: OptimizerSetting, value: float) -> None:
    """Set it in the group; a tensor is filled in place, since compiled steps refer to it."""
    place = INDEX_IN_BETAS.get(setting)
    held = group[setting.value] if place is None else group["betas"][place]
    if isinstance(held, Tensor):
        held.fill_(value)
    elif place is None:
        group[setting.value] = value
    else:
        group["betas"] = tuple(value if i == place else beta for i, beta in enumerate(group["betas"]))
