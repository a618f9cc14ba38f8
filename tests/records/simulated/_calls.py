"""What the store calls instead of `os`, `io.FileIO`, `mmap` and `secrets`: each call is made by the process that runs.

Before each call to the file system another process may go on, a process may die, or a machine lose its power.
"""

import contextlib
import errno
import io
import os
import random
import stat
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulated._disk import Inode
from simulated._machine import MOUNT, Machine, Mapping, Opened, refused

if TYPE_CHECKING:
    from simulated._world import World

__all__ = ["SimulatedOs", "files_of", "maps_of", "tokens_of"]

_FILE, _FOLDER = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
_DEVICE = 7


class _Entry:
    """One entry of a listing."""

    def __init__(self, name: str, node: Inode) -> None:
        self.name = name
        self._node = node

    def is_dir(self) -> bool:
        return self._node.is_folder

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> os.stat_result:
        if not self._node.links:
            raise refused(errno.ENOENT, self.name)
        return _stat(self._node)


class SimulatedOs:
    """Stands in for the module `os`: its calls to the file system are those of the world's running process."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._begun = world.begun  # before each call

    def __getattr__(self, name: str) -> Any:
        # What asks nothing of a disk is the real one; anything else that a later version calls must be added here.
        if name.startswith(("O_", "W_")) or name in ("path", "fspath", "strerror", "DirEntry"):
            found = getattr(os, name)
            setattr(self, name, found)
            return found
        raise AssertionError(f"os.{name} is not simulated yet")

    # Folders and names

    def mkdir(self, path: object) -> None:
        machine = self._begun("mkdir", path)
        folder, name = machine.walk(os.fspath(path))  # type: ignore[call-overload]
        if not name or machine.taken(folder, name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        machine.name(folder, {name: machine.disk.made(self._world.now, is_folder=True)})

    def link(self, source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        machine = self._begun("link", name)
        folder = self._opened(dst_dir_fd).node
        if source.startswith("/proc/self/fd/"):
            node = self._opened(int(source.rpartition("/")[2])).node
        else:
            node = machine.found(self._opened(src_dir_fd).node, source)
        if machine.taken(folder, name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        machine.name(folder, {name: node})
        if machine.loses_a_reply():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    def replace(self, source: str, name: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        machine = self._begun("replace", name)
        folder, old = self._place(machine, source, src_dir_fd)
        into, new = self._place(machine, name, dst_dir_fd)
        assert folder is into
        node = self._asked(machine, folder, old)
        if old != new:
            machine.name(folder, {old: None, new: node})

    def unlink(self, name: str, *, dir_fd: int | None = None) -> None:
        machine = self._begun("unlink", name)
        folder, old = self._place(machine, name, dir_fd)
        self._asked(machine, folder, old)
        machine.name(folder, {old: None})

    def access(self, path: object, mode: int) -> bool:
        return str(path).startswith(MOUNT)  # above it is another file system, which cannot be written to

    def stat(self, path: object, *, dir_fd: int | None = None) -> os.stat_result:
        machine = self._begun("stat", path)
        return _stat(self._node(machine, path, dir_fd))

    @contextlib.contextmanager
    def scandir(self, folder: str) -> Iterator[Iterator[_Entry]]:
        machine = self._begun("scandir", folder)
        listed = machine.listed(self._node(machine, folder, None))
        yield (_Entry(name, node) for name, node in listed.items())
        self._world.hesitate()

    # Open files

    def open(self, path: object, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        machine = self._begun("open", path)
        process = self._world.running
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            if not machine.has_unnamed_files:
                raise refused(errno.EOPNOTSUPP, path)
            node = machine.disk.made(self._world.now, is_folder=False)
        elif flags & os.O_CREAT:
            folder, name = self._place(machine, path, dir_fd)
            node = self._created(machine, folder, name, is_new=bool(flags & os.O_EXCL))
        else:
            node = self._node(machine, path, dir_fd)
        if flags & os.O_TMPFILE == os.O_DIRECTORY:
            machine.listed(node)
        if flags & os.O_TRUNC and node.data:
            machine.resize(node, 0)
        descriptor = process.next_descriptor
        process.next_descriptor += 1
        process.opened[descriptor] = Opened(node)
        return descriptor

    def close(self, descriptor: int) -> None:
        machine = self._begun("close", descriptor)
        opened = self._world.running.opened.pop(descriptor)
        if not opened.node.is_folder:
            machine.send(opened.node)

    def read(self, descriptor: int, length: int) -> bytes:
        machine = self._begun("read", descriptor)
        opened = self._opened(descriptor)
        if machine.is_nfs and not opened.node.links:  # another machine has replaced it
            raise refused(errno.ESTALE)
        found = bytes(machine.bytes_of(opened.node)[opened.at : opened.at + length])
        opened.at += len(found)
        return found

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        machine = self._begun("write", descriptor)
        whole = bytes(data)
        if len(whole) > 1 and self._world.chance(0.02):  # as where a signal comes
            whole = whole[: len(whole) // 2]
        machine.append(self._opened(descriptor).node, whole)
        return len(whole)

    def ftruncate(self, descriptor: int, length: int) -> None:
        machine = self._begun("ftruncate", descriptor, length)
        machine.resize(self._opened(descriptor).node, length)

    def posix_fallocate(self, descriptor: int, offset: int, length: int) -> None:
        machine = self._begun("posix_fallocate", descriptor)
        if not machine.maps_files:
            raise refused(errno.EOPNOTSUPP)
        machine.resize(self._opened(descriptor).node, max(length, len(machine.bytes_of(self._opened(descriptor).node))))

    def fsync(self, descriptor: int) -> None:
        machine = self._begun("fsync", descriptor)
        node = self._opened(descriptor).node
        if not node.is_folder:
            machine.send(node)
        machine.disk.sync(node)

    def fstat(self, descriptor: int) -> os.stat_result:
        node = self._opened(descriptor).node
        return _stat(node, len(self._world.running.machine.bytes_of(node)))  # what it has not sent yet, too

    # Where they lead

    def _opened(self, descriptor: int) -> Opened:
        return self._world.running.opened[descriptor]

    def _place(self, machine: Machine, path: object, dir_fd: int | None) -> tuple[Inode, str]:
        if dir_fd is not None:
            return self._opened(dir_fd).node, str(path)
        return machine.walk(str(path))

    def _node(self, machine: Machine, path: object, dir_fd: int | None) -> Inode:
        folder, name = self._place(machine, path, dir_fd)
        return machine.found(folder, name) if name not in ("", ".") else folder

    def _asked(self, machine: Machine, folder: Inode, name: str) -> Inode:
        """What bears `name`, as the server says."""
        assert folder.names is not None
        machine.found(folder, name)
        node = folder.names.get(name)
        if node is None:
            machine.forget(folder)
            raise refused(errno.ENOENT, name)
        return node

    def _created(self, machine: Machine, folder: Inode, name: str, *, is_new: bool) -> Inode:
        if folder.names is None:
            raise refused(errno.ENOTDIR, name)
        machine.forget(folder)  # the server makes it, or says what is there
        node = folder.names.get(name)
        if node is None:
            node = machine.disk.made(self._world.now, is_folder=False)
            machine.name(folder, {name: node})
        elif is_new:
            raise refused(errno.EEXIST, name)
        elif node.is_folder:
            raise refused(errno.EISDIR, name)
        return node


class _ReadFile(io.RawIOBase):
    """Stands in for `io.FileIO`, for reading."""

    def __init__(self, calls: SimulatedOs, descriptor: int) -> None:
        super().__init__()
        self._calls = calls
        self._descriptor = descriptor
        self._process = calls._world.running

    def readall(self) -> bytes:
        return self._calls.read(self._descriptor, 1 << 40)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._calls.read(self._descriptor, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self._calls._opened(self._descriptor).at = offset
        return offset

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._process is self._calls._world.running:  # else the kernel has closed it, as that process died
                self._calls.close(self._descriptor)


def files_of(calls: SimulatedOs) -> SimpleNamespace:
    """Stands in for the module `io`."""

    def opened(path: object, opener: Callable[[str, int], int]) -> _ReadFile:
        return _ReadFile(calls, opener(os.fspath(path), os.O_RDONLY | os.O_CLOEXEC))  # type: ignore[call-overload]

    return SimpleNamespace(FileIO=opened, BufferedReader=io.BufferedReader)


def maps_of(world: "World") -> SimpleNamespace:
    """Stands in for the module `mmap`."""

    def mapped(descriptor: int, size: int) -> Mapping:
        process = world.running
        found = process.machine.map(process.opened[descriptor].node)
        assert len(found) == size
        process.mapped.append(found)
        return found

    return SimpleNamespace(mmap=mapped)


def tokens_of(rng: random.Random) -> SimpleNamespace:
    """Stands in for the module `secrets`, so that a seed makes the same names again."""
    return SimpleNamespace(token_hex=lambda size: rng.randbytes(size).hex())


def _stat(node: Inode, size_bytes: int | None = None) -> os.stat_result:
    mode = _FOLDER if node.is_folder else _FILE
    when = int(node.modified)
    size = len(node.data) if size_bytes is None else size_bytes
    return os.stat_result((mode, node.number, _DEVICE, node.links, 0, 0, size, when, when, when))
