"""The versions of the installed packages whose modules this process has imported, by a look at the folders' names."""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

__all__ = ["Package", "loaded_modules", "packages_of"]

_SUFFIX = ".dist-info"
_SAME = re.compile(r"[-_.]+")
_MODULE = re.compile(rb"^(\w+)(?:/__init__\.py,|\.py,|\.abi3\.so,|\.cpython-)", re.MULTILINE)


class Package(NamedTuple):
    """An installed package: its name as its folder spells it, and its version."""

    name: str
    version: str


def loaded_modules() -> set[str]:
    """The top-level names of all modules of this process."""
    return {name.partition(".")[0] for name in list(sys.modules)}


def packages_of(modules: Iterable[str]) -> dict[str, Package]:
    """The installed package that has each of the top-level `modules`, by the module's name, as far as there is one.

    `importlib.metadata` reads every file list of every package for that, which takes half a second; here only those of
    packages that are not called as their module is.
    """
    wanted = {name for name in modules if name not in sys.stdlib_module_names and not name.startswith("_")}
    installed = _installed()
    by_name = {_same(name): folder for name, folder in installed.items()}
    called = {name: by_name[_same(name)] for name in wanted if _same(name) in by_name}
    others = set(installed.values()) - set(called.values())
    folders = called | _holding(wanted - called.keys(), others)
    return {module: _package(folder) for module, folder in folders.items()}


def _installed() -> Mapping[str, str]:
    """The folder of each package's metadata, by its name; of two, that which Python finds first."""
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            names = [name for name in os.listdir(place or ".") if name.endswith(_SUFFIX)]  # noqa: PTH208  names alone
        except OSError:  # an archive, or a folder that is not there
            continue
        for name in names:
            found.setdefault(name.partition("-")[0], f"{place}/{name}")
    return found


def _holding(modules: Iterable[str], folders: Iterable[str]) -> dict[str, str]:
    """For each of `modules` that stands in the list of files in one of `folders`, that folder."""
    wanted = set(modules)
    found: dict[str, str] = {}
    for folder in sorted(folders) if wanted else ():
        found |= dict.fromkeys(wanted & _modules_in(folder), folder)
    return found


@cache  # another version of a package has another folder
def _modules_in(folder: str) -> frozenset[str]:
    """The top-level modules in the list of files in `folder`."""
    try:
        with open(f"{folder}/RECORD", "rb") as file:  # noqa: PTH123  half the time
            return frozenset(name.decode("utf-8", "replace") for name in _MODULE.findall(file.read()))
    except OSError:
        return frozenset()


def _package(folder: str) -> Package:
    name, _, version = folder.rpartition("/")[2].removesuffix(_SUFFIX).partition("-")
    return Package(name.replace("_", "-"), version)


def _same(name: str) -> str:
    return _SAME.sub("-", name).lower()
