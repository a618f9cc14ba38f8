"""Types and functions in a configuration: which of them a name says all of, as that of what stands in the code."""

import functools
import sys
import types
from collections.abc import Mapping
from typing import Any

__all__ = ["module_of", "stands_in_code"]

_BUILT_IN = (
    *(types.BuiltinFunctionType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
    *(types.WrapperDescriptorType, types.MethodWrapperType),
)
_HEAP_TYPE = 1 << 9  # Python's flag of a type that was made while the program ran, as by a `class` statement


def stands_in_code(value: Any) -> bool:
    """Whether a type or function is what the code has under its name, and holds nothing besides."""
    if isinstance(value, type):
        return not value.__flags__ & _HEAP_TYPE or _has_its_name(value, None)
    return _is_plain(value)


def module_of(named: Any) -> str:
    """The module of a type or function; of a method of a built-in type, which names none, that of its type."""
    module = getattr(named, "__module__", None)
    if isinstance(module, str):
        return module
    owner = getattr(named, "__objclass__", None) or getattr(named, "__self__", None)
    return str((owner if isinstance(owner, type) else type(owner)).__module__)


def _is_plain(value: Any) -> bool:
    """Whether a function or method is no more than what stands in the code under its name.

    One that was made by another function may hold values, and have the name of a third one, as functools.wraps gives.
    """
    owner = getattr(value, "__self__", None)
    if not (
        owner is None or isinstance(owner, types.ModuleType) or (isinstance(owner, type) and stands_in_code(owner))
    ):
        return False
    if isinstance(value, _BUILT_IN):
        return True
    function = getattr(value, "__func__", value)
    held = [each for each in getattr(getattr(function, "__code__", None), "co_freevars", ()) if each != "__class__"]
    given = vars(function) if isinstance(function, types.FunctionType) else {}
    return (
        not held
        and all(each.startswith("_") for each in given)
        and _has_its_name(value, getattr(function, "__globals__", None))
    )


def _has_its_name(value: Any, names: Mapping[str, object] | None) -> bool:
    """Whether its module, or `names`, has this value under its qualified name."""
    module = sys.modules.get(module_of(value))
    return any(
        _found(space, value.__qualname__) == value for space in (names, vars(module) if module else None) if space
    )


def _found(names: Mapping[str, object], qualified: str) -> object:
    first, *further = qualified.split(".")
    return functools.reduce(lambda held, name: getattr(held, name, None), further, names.get(first))
