"""The folders of durable files: made where they are missing, with durable names, and what in them is yet to be synced.

What is remembered of them is of this process alone, and bounded.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from seedbed.records.storage._owner import OwnLock

__all__ = ["durable_folder", "made_folder", "make_folders", "opened_folder", "remember_unsynced"]

_MOST_REMEMBERED = 1024
# The folders that this process knows to be durable, each with what tells it from one that another process made in its
# place. This only saves syncs: nothing depends on it.
_DURABLE_FOLDERS: dict[Path, tuple[int, ...]] = {}
# The files that this process created without a sync, by their folder: the next durable call there syncs them first.
_UNSYNCED: dict[Path, set[str]] = {}
_UNSYNCABLE: set[Path] = set()  # the folders in which that failed
_remembering = OwnLock()  # of what is unsynced


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, open within the block."""
    descriptor = _opened(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextlib.contextmanager
def durable_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, created if needed, with durable names of it and of all folders above it.

    What was created in it without a sync is durable once the caller has synced the folder.
    """
    with made_folder(path) as descriptor:
        place = path.absolute()
        _make_names_durable(place)
        _sync_created(place, descriptor)
        yield descriptor


@contextlib.contextmanager
def made_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, created if needed."""
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        make_folders(path)
        descriptor = _opened(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remember_unsynced(folder: Path, name: str) -> None:
    """Remember that the file `name` in `folder` is to be synced; of too many folders, do that in the oldest now."""
    with _remembering:
        _UNSYNCED.setdefault(folder, set()).add(name)
        too_many = list(_UNSYNCED)[:-_MOST_REMEMBERED]
    for oldest in too_many:
        try:
            with opened_folder(oldest) as directory:
                _sync_created(oldest, directory)
        except FileNotFoundError:  # somebody has deleted the folder
            _forget_unsynced(oldest)
        except OSError:  # the next durable call there is told of it, or syncs them
            pass


def _forget_unsynced(folder: Path, *names: str) -> None:
    """Forget the files `names` in `folder`; without names, all."""
    with _remembering:
        left = _UNSYNCED.get(folder, set())
        left.difference_update(names or set(left))
        if not left:
            _UNSYNCED.pop(folder, None)


def _sync_created(path: Path, directory: int) -> None:
    """Sync the bytes of the files in the folder at `path` that are not synced yet. Once that failed it always fails."""
    if path in _UNSYNCABLE:
        raise OSError(errno.EIO, "an earlier sync of a file in its folder failed")
    for name in sorted(_UNSYNCED.get(path, ())):
        with contextlib.suppress(FileNotFoundError):  # somebody has deleted it
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.fsync(descriptor)
            except OSError:
                _UNSYNCABLE.add(path)
                _forget_unsynced(path)
                raise
            finally:
                os.close(descriptor)
        _forget_unsynced(path, name)


def make_folders(path: Path) -> None:
    """Make the folder at `path` and those above it, where they are missing; not durable yet."""
    _DURABLE_FOLDERS.pop(path.absolute(), None)  # it was there before, and has been deleted
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path)  # noqa: PTH102  every call goes through `os`, where tests make each one fail
        except FileNotFoundError:
            make_folders(path.parent)
            os.mkdir(path)  # noqa: PTH102


def _make_names_durable(path: Path) -> None:
    """Make the names of the folder at `path` and of those above it durable, once per process.

    Also when they existed: their creator may have died before it synced them.
    """
    which = _identity(path)
    if _DURABLE_FOLDERS.get(path) == which:
        return
    if _may_be_new(path):
        _make_names_durable(path.parent)
        with opened_folder(path.parent) as above:
            os.fsync(above)
    if len(_DURABLE_FOLDERS) >= _MOST_REMEMBERED:
        _DURABLE_FOLDERS.clear()
    _DURABLE_FOLDERS[path] = which


def _identity(path: Path) -> tuple[int, ...]:
    """What tells the folder at `path` from one that another process makes in its place.

    That may get the same inode, but nobody can make it without changing the folder above it.
    """
    found, above = os.stat(path), os.stat(path.parent)  # noqa: PTH116
    return found.st_dev, found.st_ino, above.st_ino, above.st_ctime_ns


def _may_be_new(path: Path) -> bool:
    # In a folder that is read-only nothing was created; a mount point is not part of the file system above it.
    above = path.parent
    return above != path and os.access(above, os.W_OK) and os.stat(above).st_dev == os.stat(path).st_dev  # noqa: PTH116
