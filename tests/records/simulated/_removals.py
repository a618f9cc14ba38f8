"""Promises of the store that can be removed one at a time, to show that some schedule then fails."""

import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from seedbed.records.journal._step_metrics import EventsLog
from seedbed.records.storage import _durable, _local
from seedbed.records.storage._durable import AppendFile
from seedbed.records.storage._numbered_log import NumberedLog
from simulated._schedule import Kind

__all__ = ["REMOVALS", "Removal", "removed"]

_LINK = "os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)"
_LINK_UNNAMED = 'os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=directory, dst_dir_fd=directory)'


@dataclass(frozen=True)
class Removal:
    """In the source of `function`, the text `old` becomes `new`; schedules of `kind` miss it.

    Where few of them do, since it takes a rare coincidence, `first` is a seed shortly before one that does.
    """

    function: Callable[..., Any]
    old: str
    new: str = "pass"
    kind: Kind = "disk"
    first: int = 0


REMOVALS = {
    "the sync of the folder of a new file": Removal(_durable.create, "os.fsync(directory)"),
    "the sync of an unnamed file": Removal(_durable._link_new, "os.fsync(descriptor)"),
    "the sync of a named file": Removal(_durable._write_named, "os.fsync(descriptor)"),
    "the sync of the folder of a replaced file": Removal(_durable.replace, "os.fsync(directory)"),
    "the sync of the folder of a log": Removal(AppendFile.open, "os.fsync(directory)"),
    "the sync of a claim before the files beside it": Removal(_durable._sync_created, "os.fsync(descriptor)"),
    "the sync of a log": Removal(AppendFile.sync, "os.fsync", "int"),
    "the sync of the folders above": Removal(_durable._make_names_durable, "os.fsync(above)"),
    "put-if-absent by an unnamed file": Removal(
        _durable._link_new, _LINK_UNNAMED, f"_discard(name, directory), {_LINK_UNNAMED}"
    ),
    "put-if-absent by a named file": Removal(
        _durable._link_named, _LINK, _LINK.replace("os.link", "os.replace"), "nfs"
    ),
    "the look after a lost reply": Removal(_durable._link_named, "not _is_linked(directory, temporary)", "True", "nfs"),
    "the new name of a temporary file": Removal(_durable._write_named, "secrets.token_hex(8)", "'one'", "nfs"),
    "the answer that a number is taken": Removal(
        NumberedLog.publish, "FileExistsError:\n        return False", "FileExistsError:\n        return True"
    ),
    "the second look for a missing number": Removal(
        NumberedLog.follow, "if seq not in self._missing", "if False", "nfs", first=5600
    ),
    "the second look at a replaced file": Removal(_local._read, "range(_MOST_REPLACED)", "range(0)", "nfs"),
    "the points that a dead process left": Removal(EventsLog.open, "if left.points and", "if False and"),
}


@contextlib.contextmanager
def removed(removal: Removal) -> Iterator[None]:
    """The function has the code of its changed source within the block, wherever it is called."""
    function = _plain(removal.function)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(removal.old) != 1:
        raise ValueError(f"{function.__qualname__} does not hold the text {removal.old!r} once; correct the removal")
    made: dict[str, Any] = {}
    exec(source.replace(removal.old, removal.new), dict(function.__globals__), made)
    code, function.__code__ = function.__code__, _plain(made[function.__name__]).__code__
    try:
        yield
    finally:
        function.__code__ = code


def _plain(function: Any) -> FunctionType:
    found = inspect.unwrap(getattr(function, "__func__", function))
    assert isinstance(found, FunctionType)
    return found
