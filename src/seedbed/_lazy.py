"""How the rooms are lazy: a name is imported when it is first used."""

import importlib
import random
import sys
from collections.abc import Callable

import lazy_loader

__all__ = ["attach"]

_DRAWS = "rich.style"


def attach(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose names are listed in the `.pyi` beside its `file`.

    What is imported leaves Python's random generator as it was: rich draws from it as it is imported, and a training
    that seeded it before would see other numbers.
    """
    find, names, public = lazy_loader.attach_stub(package, file)

    def found(name: str) -> object:
        if _DRAWS not in sys.modules:
            state = random.getstate()
            try:
                importlib.import_module(_DRAWS)  # alone: another thread that draws meanwhile would see numbers again
            finally:
                random.setstate(state)
        return find(name)

    return found, names, public
