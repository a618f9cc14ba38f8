"""The libraries of other systems: installed by extras, imported only by whoever asks for their system."""

import importlib
from types import ModuleType

from seedbed.errors import NotFound

__all__ = ["require"]


def require(module: str, extra: str) -> ModuleType:
    """The module, once it is known to be installed. Raises NotFound that names the `extra` to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise NotFound(
            f"{extra} cannot be read or written: the package {problem.name} is not installed; "
            f"run `pip install 'seedbed[{extra}]'`"
        ) from None
