"""What a loop's loaders are asked for: their generators, their state, their workers, what tells one from another."""

from collections.abc import Sized
from typing import Any

from torch.utils.data import DataLoader

from seedbed.loop.data._generators import generator_of, generator_states, restore_generators

__all__ = ["called", "is_warm", "own_states", "set_own_states", "set_states", "state_of", "states", "warm"]


def called(loader: object) -> str:
    """What tells it from another loader of the loop: its class, its data, their number; empty without one."""
    if loader is None:
        return ""
    data: object = getattr(loader, "dataset", None)  # loaders share no class
    of = f" of {type(data).__qualname__}" if data is not None else ""
    return f"a {type(loader).__qualname__}{of}, {_length(data if isinstance(data, Sized) else loader)}"


def states(loader: object) -> dict[str, Any]:
    """The states of the global generators, and of those that the loader was given."""
    return {**generator_states(), "own": own_states(loader)}


def set_states(loader: object, found: dict[str, Any]) -> None:
    """Set the generators to what `states` returned."""
    restore_generators(found)
    set_own_states(loader, found["own"])


def own_states(loader: object) -> list[Any]:
    """The states of the generators that the loader was given."""
    return [each.get_state() for each in generator_of(loader)]


def set_own_states(loader: object, found: list[Any]) -> None:
    """Set the generators that the loader was given to what `own_states` returned."""
    for generator, state in zip(generator_of(loader), found, strict=False):
        generator.set_state(state)


def state_of(loader: object) -> Any:
    """What the loader keeps of its position; None where it keeps nothing."""
    own = getattr(loader, "state_dict", None)
    try:
        return own() if callable(own) else None
    except AttributeError:  # Accelerate's loader has the method, and a state only around a stateful loader
        return None


def is_warm(loader: object) -> bool:
    """Whether it has workers that stay: its next pass draws no seed for them, so that all that it draws is another."""
    return isinstance(loader, DataLoader) and getattr(loader, "_iterator", None) is not None


def warm(loader: object) -> None:
    """Start the workers of a loader that keeps them, as an earlier pass did."""
    if isinstance(loader, DataLoader) and loader.persistent_workers and not is_warm(loader):
        now = states(loader)
        iter(loader)
        set_states(loader, now)


def _length(items: object) -> str:
    try:
        return f"{len(items)} long" if isinstance(items, Sized) else "of unknown length"
    except TypeError:  # a DataLoader has a length only where its data have one
        return "of unknown length"
