"""What a proposal by name is made of: one delta for each setting, and what must hold before they are made. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite

from seedbed.change._history import ChangeHistory
from seedbed.change.parameters._delta import Delta, Scale, Set
from seedbed.errors import InvalidInput
from seedbed.loop.settings._found import Joint

__all__ = ["joint_deltas", "require_apart"]


def joint_deltas(delta: Delta, joint: Joint, values: Mapping[str, float]) -> list[Delta]:
    """A delta for each member of `joint`, given their live values by key.

    Raises InvalidInput where the first is 0, so that the others have no ratio to it.
    """
    if not joint.keeps_ratios or isinstance(delta.op, Scale):
        return [replace(delta, parameter=each) for each in joint.members]
    first = values[joint.members[0]]
    wanted = delta.op.resolve(first)
    if first == 0 or not isfinite(wanted / first):
        raise InvalidInput(
            f"{joint.key} is {first:g} in {joint.members[0]}, which has no ratio to the others: propose "
            f"{', '.join(joint.members)} each by itself"
        )
    others = {each: values[each] * (wanted / first) for each in joint.members[1:]}
    return [
        replace(delta, parameter=each, op=Set(value)) for each, value in {joint.members[0]: wanted, **others}.items()
    ]


def require_apart(path: Sequence[str], others: Iterable[Sequence[str]], history: ChangeHistory) -> None:
    """Raise InvalidInput where the module at the end of `path` holds, or is inside, one of `others` that was changed.

    A watch on a module covers all inside it, and would take another change in there for one by foreign code.
    """
    *owner, module = path
    for other in others:
        *its_owner, its_module = other
        is_related = its_owner == owner and its_module != module and _is_inside(module, its_module)
        if is_related and (change := history.held(key := ".".join(other))) is not None:
            raise InvalidInput(
                f"change {change.id} was of {key}, whose weights are partly those of {'.'.join(path)}: freeze and "
                f"unfreeze them by {key} in this run"
            )


def _is_inside(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
