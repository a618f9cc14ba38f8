"""One listing of all files of a store: the first step of `fsck`, `gc` and `stats`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from seedbed.contracts import Stage
from seedbed.records.canonical._names import is_name
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._durable import TEMPORARY_PREFIX
from seedbed.records.storage._files import Files, StoredFile
from seedbed.records.storage._layout import BASELINES, EXPIRIES, LOGS, RUNS
from seedbed.records.storage._numbered_log import record_number

__all__ = ["Inventory", "Progress", "take_inventory"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the total (0 while that is not known)."""

_REPORT_EVERY = 1000
_NUMBERED = (LOGS, BASELINES, EXPIRIES)


@dataclass(frozen=True)
class Inventory:
    """The files of a store when they were listed; other processes may write during the listing.

    `folders` maps each run folder to its files and their sizes. `blobs` are the payloads, `temporary` the files that
    writers are still writing or left behind. `others` maps every other key to its size. `numbers` are the record
    numbers of each numbered log, ascending, by top folder (log, baselines, released) and project.
    """

    folders: dict[str, dict[str, int]] = field(default_factory=dict)
    blobs: list[StoredFile] = field(default_factory=list)
    temporary: list[StoredFile] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    numbers: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def projects(self, top: str) -> list[str]:
        """The projects with a numbered log in the top folder `top`, sorted."""
        return sorted(project for found, project in self.numbers if found == top)


def take_inventory(files: Files, progress: Progress | None = None) -> Inventory:
    """List all files of a store. Raises StoreUnavailable."""
    found = Inventory()
    for count, item in enumerate(files.list(""), 1):
        _put(found, item)
        if progress and count % _REPORT_EVERY == 0:
            progress("listing files", count, 0)
    return found


def _put(found: Inventory, item: StoredFile) -> None:
    parts = item.key.split("/")
    if parts[-1].startswith(TEMPORARY_PREFIX):
        found.temporary.append(item)
    elif blob_digest(item.key):
        found.blobs.append(item)
    elif parts[0] == RUNS and len(parts) > 4 and parts[3] in Stage.__members__ and all(map(is_name, parts[1:3])):
        files = found.folders.setdefault("/".join(parts[:4]), {})
        files[sys.intern("/".join(parts[4:]))] = item.size_bytes
    else:
        found.others[item.key] = item.size_bytes
        number = record_number(item.key)
        if number is not None and parts[0] in _NUMBERED and len(parts) == 3 and is_name(parts[1]):
            found.numbers.setdefault((parts[0], parts[1]), []).append(number)
