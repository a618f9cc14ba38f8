"""Finding a parameter group by its index or by its name."""

from torch import Tensor
from torch.optim import Optimizer

from seedbed.errors import InvalidInput

__all__ = ["GroupName", "group_index", "is_number"]

GroupName = int | str
"""A group's index in `optimizer.param_groups`, or the value of its key "name"."""


def is_number(value: object) -> bool:
    """Whether a group's entry is a number, or a tensor that holds one."""
    return isinstance(value, int | float | Tensor) and not isinstance(value, bool)


def group_index(optimizer: Optimizer, group: GroupName) -> int:
    """The index of that group. Raises InvalidInput when there is none, or several of that name."""
    groups = optimizer.param_groups
    names = [each.get("name") for each in groups]
    if isinstance(group, int) and 0 <= group < len(groups):
        return group
    if isinstance(group, str) and names.count(group) == 1:
        return names.index(group)
    raise InvalidInput(
        f"no single parameter group {group!r}: the optimizer has {len(groups)}, named {names}; give the index from 0, "
        'or give each group its own "name"'
    )
