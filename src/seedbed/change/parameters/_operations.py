"""Operations by name, as calls, journals, requests and checkpoints say them."""

import reprlib
from collections.abc import Mapping
from types import MappingProxyType

from seedbed.change.parameters._delta import Add, Operation, Scale, Set
from seedbed.change.parameters._parameter import finite
from seedbed.errors import InvalidInput

__all__ = ["OPERATIONS", "kind_of", "operation_of"]

OPERATIONS: Mapping[str, type[Set] | type[Add] | type[Scale]] = MappingProxyType(
    {"SET": Set, "ADD": Add, "SCALE": Scale}
)
"""Each operation by the name that is written down."""


def kind_of(op: Operation) -> str:
    """The name of an operation in `OPERATIONS`."""
    return type(op).__name__.upper()


def operation_of(set_to: object = None, add: object = None, scale: object = None) -> Operation:
    """The operation that exactly one of the three asks for, a finite number. Raises InvalidInput."""
    given = {"set": set_to, "add": add, "scale": scale}
    chosen = {name: value for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none of them"
        raise InvalidInput(f"propose: expected exactly one of set, add and scale, found {found}")
    [(name, value)] = chosen.items()
    number = finite(value)
    if number is None or isinstance(value, bool):
        raise InvalidInput(f"propose: {name} is {_shown(value)}, expected a finite number")
    return OPERATIONS[name.upper()](number)


def _shown(value: object) -> str:
    if type(value) is int:
        return f"an int of {value.bit_length()} bits"
    return f"{reprlib.repr(value)} of type {type(value).__qualname__}"
