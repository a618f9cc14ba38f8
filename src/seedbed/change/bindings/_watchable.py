"""The optimizer whose steps are watched: the innermost of those that wrap each other."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch.optim import Optimizer

from seedbed.errors import InvalidInput

__all__ = ["watchable"]

_HOOKS = "_optimizer_step_pre_hooks"
# Those of Accelerate, Lightning and others, also where they are properties; an attribute of any name is found too.
_INNER = ("optimizer", "_optimizer", "base_optimizer", "inner_optimizer")


def watchable(optimizer: Optimizer) -> Optimizer:
    """The optimizer whose steps are watched: the innermost one that `optimizer` wraps and whose groups it shows.

    That is `optimizer` itself when it wraps none. Raises InvalidInput for what has no step hooks, and wraps no
    optimizer that has them: a change of it could be made, and never be seen in use.
    """
    *_, innermost = _layers(optimizer)
    if isinstance(innermost, Optimizer) and hasattr(innermost, _HOOKS):
        return innermost
    raise InvalidInput(
        f"a {type(optimizer).__qualname__} cannot be watched: it is no torch.optim.Optimizer with step hooks, and "
        f"wraps none ({', '.join(_INNER)}) whose parameter groups it shows; bind the optimizer that takes the steps"
    )


def _layers(optimizer: Any) -> Iterator[Any]:
    """The optimizer, and what it wraps, from the outside to the inside."""
    seen: list[object] = []
    layer: Any = optimizer
    while layer is not None:
        if any(layer is each for each in seen):
            raise InvalidInput(
                f"a {type(optimizer).__qualname__} cannot be watched: what it wraps wraps it again; bind the optimizer "
                "that takes the steps"
            )
        yield layer
        seen.append(layer)
        layer = _wrapped_by(layer)


def _wrapped_by(layer: Any) -> Any:
    held = [each for each in getattr(layer, "__dict__", {}).values() if isinstance(each, Optimizer)]
    for inner in chain((_attribute(layer, name) for name in _INNER), held):
        if inner is not None and inner is not layer and _shows_groups_of(layer, inner):
            return inner
    return None


def _attribute(layer: Any, name: str) -> Any:
    try:
        return getattr(layer, name, None)
    except Exception as error:  # a property may raise anything
        raise InvalidInput(
            f"a {type(layer).__qualname__} cannot be watched: its {name} raises {type(error).__name__} ({error}); bind "
            "the optimizer that takes the steps"
        ) from error


def _shows_groups_of(wrapper: object, inner: object) -> bool:
    outer, own = (_attribute(each, "param_groups") for each in (wrapper, inner))
    if not (isinstance(outer, list) and isinstance(own, list)):
        return False
    return len(outer) == len(own) and all(one is other for one, other in zip(outer, own, strict=True))
