"""The only file that makes bytes durable: create-only publication, replacement and appending.

Everything here writes in a loop until all is written, syncs the file, publishes, syncs the directory, and only then
returns. A failed sync is final: the kernel may have dropped the pages and report success the next time (PostgreSQL's
"fsyncgate"), so it is never tried again and never swallowed.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from seedbed.errors import StoreUnavailable

__all__ = ["TEMPORARY_PREFIX", "AppendFile", "create", "remove", "replace", "set_aside"]

TEMPORARY_PREFIX = ".tmp-"
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
# The folders that this process knows to be durable. It only saves syncs: to forget it costs time, nothing else.
_SETTLED: set[Path] = set()


def create(path: Path, data: bytes) -> None:
    """Publish `data` at `path` if nothing is there yet: whole and durable on return, absent or whole after a crash.

    Raises FileExistsError when the name is taken (whatever took it is durable by then) and StoreUnavailable when a
    durable call fails: then nothing is acknowledged, though the file may be there whole.
    """
    with _durable_call("create", path), _lasting_folder(path.parent) as directory:
        try:
            _link_new(directory, path.name, data)
        finally:
            os.fsync(directory)


def replace(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path`, whole for every reader, in place of whatever is there.

    With `durable=False` a crash of the machine may undo or empty it: for views, which are rebuilt. Raises
    StoreUnavailable.
    """
    with _durable_call("replace", path):
        if durable:
            with _lasting_folder(path.parent) as directory:
                _exchange(directory, path.name, data, durable=True)
                os.fsync(directory)
        else:
            _show(path, data)


def _show(path: Path, data: bytes) -> None:
    # A run has eight views: opening their folder, or asking for it, takes as long as writing them.
    try:
        _exchange(None, os.fspath(path), data, durable=False)
    except FileNotFoundError:
        _make(path.parent)
        _exchange(None, os.fspath(path), data, durable=False)


def _exchange(directory: int | None, name: str, data: bytes, *, durable: bool) -> None:
    temporary = _write_named(directory, os.path.dirname(name), data, durable=durable)  # noqa: PTH120  half the time of a Path
    try:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        _discard(temporary, directory)
        raise


def remove(path: Path, *, unless_since: datetime | None = None) -> bool:
    """Delete a file; absence is fine. False when it was written since `unless_since`, and stays.

    A writer that puts the file anew while this looks at it keeps what it wrote. Raises StoreUnavailable.
    """
    with _durable_call("remove", path):
        try:
            with _folder(path.parent) as directory:
                if unless_since is None:
                    os.unlink(path.name, dir_fd=directory)
                    return True
                return _remove_old(directory, path.name, unless_since)
        except FileNotFoundError:
            return True


def _remove_old(directory: int, name: str, unless_since: datetime) -> bool:
    if _written(directory, name) >= unless_since:
        return False
    # Under a name of our own nobody writes it any more, so that what its time says now still holds when it goes.
    private = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{name}"
    os.replace(name, private, src_dir_fd=directory, dst_dir_fd=directory)
    is_old = _written(directory, private) < unless_since
    if not is_old:
        with contextlib.suppress(FileExistsError):
            os.link(private, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.unlink(private, dir_fd=directory)
    return is_old


def set_aside(name: str) -> str | None:
    """The name of the file that a removal, cut short, left under the temporary name `name`; None for other files."""
    return name.removeprefix(TEMPORARY_PREFIX).partition("-")[2] or None


def _written(directory: int, name: str) -> datetime:
    return datetime.fromtimestamp(os.stat(name, dir_fd=directory).st_mtime, UTC)


class AppendFile:
    """A file that only grows at its end, created durably. After one failed call it refuses every further one."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._broken = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open `path` for appending; create it, durably, when absent. Raises StoreUnavailable."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with _durable_call("open", path), _lasting_folder(path.parent) as directory:
            descriptor = os.open(path.name, flags, 0o644, dir_fd=directory)
            try:
                # Also when it was there: who created it may have died before its name was durable.
                os.fsync(directory)
            except OSError:
                os.close(descriptor)
                raise
            return cls(path, descriptor)

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end; durable only after `sync`. Raises StoreUnavailable."""
        with self._call("append to"):
            _write_all(self._descriptor, data)

    def sync(self) -> None:
        """Make everything appended durable. Raises StoreUnavailable, once and for all."""
        with self._call("sync"):
            os.fsync(self._descriptor)

    def cut(self, length_bytes: int) -> None:
        """Shorten the file, durably, to `length_bytes`. Raises StoreUnavailable."""
        with self._call("cut the torn tail of"):
            os.ftruncate(self._descriptor, length_bytes)
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Let the file go without syncing it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextlib.contextmanager
    def _call(self, doing: str) -> Iterator[None]:
        if self._broken or self._descriptor < 0:
            state = "an earlier durable call on it failed" if self._broken else "it is closed"
            raise StoreUnavailable(f"cannot {doing} {self._path}: {state}; open it again to see what is really there")
        self._broken = True
        with _durable_call(doing, self._path):
            yield
        self._broken = False


@contextlib.contextmanager
def _durable_call(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as problem:
        raise StoreUnavailable(
            f"cannot {doing} {path}: {problem.strerror or problem}; nothing was acknowledged; "
            "free the disk or mend the mount, then try again"
        ) from problem


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _lasting_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, made where there is none, its name and those above it durable."""
    with contextlib.ExitStack() as opened:
        try:
            descriptor = opened.enter_context(_folder(path))
        except FileNotFoundError:
            _make(path)
            descriptor = opened.enter_context(_folder(path))
        _settle(path.absolute())
        yield descriptor


def _make(path: Path) -> None:
    if not path.parent.is_dir():
        _make(path.parent)
    _SETTLED.discard(path.absolute())  # it was there once, and somebody took it away
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)  # noqa: PTH102  every durable call goes through `os`, where tests make each one fail


def _settle(path: Path) -> None:
    """Make the names of the folder at `path`, and of those above it, durable: once in a process.

    Also when they were there: who made them may have died before it had synced them.
    """
    if path in _SETTLED:
        return
    if _may_be_new(path):
        _settle(path.parent)
        with _folder(path.parent) as above:
            os.fsync(above)
    _SETTLED.add(path)


def _may_be_new(path: Path) -> bool:
    # Where nothing can be written nothing was made; a mount's own folder is no name in what it is mounted on.
    above = path.parent
    return above != path and os.access(above, os.W_OK) and above.stat().st_dev == path.stat().st_dev


def _link_new(directory: int, name: str, data: bytes) -> None:
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory)
    except OSError as problem:
        if problem.errno not in _NO_UNNAMED_FILES:
            raise
        return _link_named(directory, name, data)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
        # Naming a directory descriptor is what makes Python call linkat with AT_SYMLINK_FOLLOW; plain link() would
        # try to link the symbolic link in /proc itself.
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(descriptor)


def _link_named(directory: int, name: str, data: bytes) -> None:
    # NFS and some overlay file systems have no unnamed files; link from a random name is create-only just the same.
    temporary = _write_named(directory, "", data, durable=True)
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as problem:
        if not _is_linked(directory, temporary):
            raise _explained(problem) from None
    finally:
        _discard(temporary, directory)


def _is_linked(directory: int, temporary: str) -> bool:
    """Whether the file has its second name although `link` failed: over NFS the reply may be lost, and asked again."""
    # Opening a file, unlike looking at it, makes an NFS client ask the server how things stand.
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.fstat(descriptor).st_nlink == 2
    finally:
        os.close(descriptor)


def _explained(problem: OSError) -> OSError:
    if problem.errno not in _NO_LINKS:
        return problem
    return OSError(problem.errno, "this file system has no hard links, which create-only publication rests on")


def _write_named(directory: int | None, folder: str, data: bytes, *, durable: bool) -> str:
    name = os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8))  # noqa: PTH118  half the time of a Path
    descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory)
    try:
        _write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    except OSError:
        _discard(name, directory)
        raise
    finally:
        os.close(descriptor)
    return name


def _discard(name: str, directory: int | None) -> None:
    # A temporary file that stays behind costs only its room, and fsck names it: the first error must be the one heard.
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
