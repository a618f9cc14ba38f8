"""The libraries of other systems: installed as extras, and imported only when their system is used."""

import importlib
from types import ModuleType

from seedbed.errors import NotFound

__all__ = ["require"]


def require(module: str, extra: str) -> ModuleType:
    """Import `module`. Raises NotFound that names the `extra` to install when it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise NotFound(
            f"{extra} cannot be used: the package {problem.name} is not installed; run `pip install 'seedbed[{extra}]'`"
        ) from None
