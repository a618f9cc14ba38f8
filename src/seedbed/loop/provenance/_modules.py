"""The files of the user's own code in this process: the script and the modules that it imported from beside it."""

import hashlib
import os
import re
import site
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

__all__ = ["LocalCode", "imported_names", "local_files", "notebook_cells", "process_began", "script"]

_OWN = "seedbed"
_INSTALLED = ("site-packages", "dist-packages")
_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([\w., \t]+))", re.MULTILINE)
_CELLS = "notebook cells"
_STARTED = 19  # of the fields of /proc/self/stat behind the name: clock ticks from the machine's start to the process's


@dataclass
class LocalCode:
    """The digests of the local files that were seen so far, by their names, and the packages that they import.

    `root` is the folder that names are relative to. A file is read once, when it is first seen: what it holds later is
    not what ran. `edited` are the names of those that were written after this process began.
    """

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Read the files of all modules that were imported since the last look."""
        for name, path in local_files():
            if str(path) not in self._seen:
                self._seen.add(str(path))
                self._read(name, path)

    def look_at_cells(self) -> None:
        """Take the different cells that were run in this notebook as one file; running one again changes nothing."""
        cells = notebook_cells()
        if cells:
            self.files[_CELLS] = hashlib.sha256("\0".join(cells).encode()).hexdigest()
            self.imports.update(imported_names("\n".join(cells).encode()))

    def _read(self, module: str, path: Path) -> None:
        try:
            content, written = path.read_bytes(), path.stat().st_mtime
        except OSError:  # a file that was deleted since it was imported, or one inside an archive
            return
        place = self._name(module, path)
        self.files[place] = hashlib.sha256(content).hexdigest()
        if written > process_began():
            self.edited.add(place)
        if path.suffix == ".py":
            self.imports.update(imported_names(content))

    def _name(self, module: str, path: Path) -> str:
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        # From elsewhere: by its place below the folder that it was imported from, which is nobody's business.
        depth = module.count(".") + (path.stem == "__init__") + 1
        return "/".join(path.parts[-depth:])


def process_began() -> float:
    """When this process began, in seconds since the epoch, to about a hundredth; its modules are imported later."""
    ticks = int(Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()[_STARTED])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def script() -> Path | None:
    """The file of the script that runs, if it is one of the user's own; None in a notebook or for a text."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(file, str) or not Path(file).is_file() or not _may_be_local(file):
        return None
    path = Path(file).resolve()
    return path if _may_be_local(str(path)) else None


def notebook_cells() -> list[str]:
    """The texts of the different cells that were run in this notebook, sorted; none outside of one."""
    cells: object = vars(sys.modules["__main__"]).get("In") if "IPython" in sys.modules else None
    return sorted({each for each in cells if isinstance(each, str) and each}) if isinstance(cells, list) else []


def imported_names(source: bytes) -> set[str]:
    """The first parts of the names that a source imports. A line of a text that looks like an import counts too."""
    found = set()
    for first, several in _IMPORT.findall(source):
        names = [first] if first else [part.split()[0] for part in several.split(b",") if part.split()]
        found |= {name.decode("ascii", "ignore").partition(".")[0] for name in names}
    return found


def local_files() -> Iterator[tuple[str, Path]]:
    """The name and file of each imported module of the user's own, the script first."""
    path = script()
    if path is not None:
        yield path.stem, path
    for name, module in sorted(_modules().items()):
        file = module.__dict__.get("__file__")
        if isinstance(file, str) and name.partition(".")[0] != _OWN and _may_be_local(file):
            where = Path(file).resolve()  # as Python does with the folder of the script
            if _may_be_local(str(where)):
                yield (where.stem if name in ("__main__", "__mp_main__") else name), where


def _modules() -> Mapping[str, ModuleType]:
    return {name: module for name, module in list(sys.modules.items()) if isinstance(module, ModuleType)}


@cache  # it asks for the place alone, and a process with many runs asks for each module again and again
def _may_be_local(file: str) -> bool:
    """A quick look, since a large process has thousands of modules."""
    return not any(each in file for each in _INSTALLED) and not file.startswith(_folders())


@cache
def _folders() -> tuple[str, ...]:
    """The folders of Python itself and of what is installed."""
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    real = {str(Path(place).resolve()) for place in places if place}
    return tuple(f"{place}/" for place in sorted(real | {place for place in places if place}))
