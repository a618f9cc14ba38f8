"""A machine: the kernel that its processes ask, with the disk beside it, or as a client of a file server over NFS."""

import errno
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulated._disk import Disk, Inode

if TYPE_CHECKING:
    from simulated._world import Process, World

__all__ = ["MOUNT", "Machine", "Mapping", "Opened", "refused"]

MOUNT = "/simulated-by-the-tests-of-seedbed"  # no folder of this name is on the real disk
# How long a client believes what it knows of a folder: so many calls at most, and not longer than `acdirmax`.
_STALE_STEPS = (0, 10, 100, 1000)
_BELIEVED_SECONDS = 60.0


def refused(error: int, path: object = None) -> OSError:
    """The error of a call, as `os` raises it."""
    return OSError(error, os.strerror(error), path)


@dataclass(eq=False)
class Opened:
    """An open file or folder."""

    node: Inode
    is_appending: bool = False
    at: int = 0


@dataclass(eq=False)
class _Known:
    """The names that a client knows to be in a folder, those that it has `asked` for, and until when it believes it."""

    names: dict[str, Inode]
    asked: set[str]
    until: int = 0  # a step
    expires: float = 0.0


class Mapping(bytearray):
    """A file that is mapped into memory."""

    machine: "Machine"
    node: Inode

    def close(self) -> None:
        """Give the pages to the kernel, and over NFS to the server."""
        self.machine.unmap(self)


class Machine:
    """The files as seen from one machine; `place` names the machine and its boot.

    Over NFS it believes what it knows of a folder's names until that expires, or until the server answers something
    about that folder: to a name that was not asked for yet, to a change there, or when the folder is opened (close-to-
    open holds for folders too). And it keeps bytes until they are synced, or their file is closed.
    """

    def __init__(self, world: "World", disk: Disk, number: int, rng: random.Random, *, is_nfs: bool) -> None:
        self.disk = disk
        self.is_nfs = is_nfs
        self._world = world
        self._rng = rng
        self._number = number
        self._boots = 0
        self._stale = rng.choice(_STALE_STEPS)
        self._lost_replies = rng.choice((0.0, 0.1, 0.5)) if is_nfs else 0.0
        self._known: dict[Inode, _Known] = {}
        self._unsent: dict[Inode, tuple[int, bytearray]] = {}  # from which byte on, and all bytes as they will be
        self._mapped: dict[Inode, Mapping] = {}
        self.has_unnamed_files = not is_nfs and rng.random() < 0.8
        self.maps_files = rng.random() < 0.8

    @property
    def place(self) -> str:
        return f"machine {self._number}, boot {self._boots}"

    # Names

    def forget(self, folder: Inode) -> None:
        """Believe nothing of `folder` any more."""
        self._known.pop(folder, None)

    def _believed(self, folder: Inode, name: str) -> Inode | None:
        """What bears `name` in `folder`, as this machine believes."""
        known = self._known.get(folder)
        if (
            known is None
            or name not in known.asked
            or known.until <= self._world.steps
            or known.expires <= self._world.now
        ):
            known = self._asked(folder, known)
            known.asked.add(name)
        return known.names.get(name)

    def listed(self, folder: Inode) -> dict[str, Inode]:
        """All names in `folder`; over NFS the server is asked, since the folder is opened."""
        if folder.names is None:
            raise refused(errno.ENOTDIR)
        if self.is_nfs:
            self._asked(folder, self._known.get(folder))
        return dict(folder.names)

    def _asked(self, folder: Inode, known: "_Known | None") -> "_Known":
        """The server tells whether `folder` has changed: if so, nothing that was known of it holds."""
        assert folder.names is not None
        if known is None or known.names != folder.names:
            self._known[folder] = known = _Known(dict(folder.names), set())
        known.until = self._world.steps + (self._rng.randrange(self._stale) if self._stale else 0)
        known.expires = self._world.now + _BELIEVED_SECONDS
        return known

    def name(self, folder: Inode, changes: dict[str, Inode | None]) -> None:
        """Change names in `folder`, which the server answers with what is there now."""
        self.disk.rename(folder, changes)
        self.forget(folder)

    def taken(self, folder: Inode, name: str) -> bool:
        """Whether the server refuses to make `name`; then this client knows the folder again."""
        assert folder.names is not None
        if self.is_nfs:
            if self._believed(folder, name) is not None and self._rng.random() < 0.5:
                return True  # it need not even ask
            self._asked(folder, self._known.get(folder))
        return name in folder.names

    def loses_a_reply(self) -> bool:
        return self._lost_replies > 0 and self._rng.random() < self._lost_replies

    def found(self, folder: Inode, name: str) -> Inode:
        """What bears `name` in `folder`. Raises FileNotFoundError, and over NFS perhaps ESTALE."""
        if folder.names is None:
            raise refused(errno.ENOTDIR, name)
        if not self.is_nfs:
            if node := folder.names.get(name):
                return node
            raise refused(errno.ENOENT, name)
        node = self._believed(folder, name)
        if node is not None and node.links == 0:  # gone, as the server says when it is asked for this very file
            self.forget(folder)
            if self._rng.random() < 0.5:
                raise refused(errno.ESTALE, name)
            node = self._believed(folder, name)
        if node is None:
            raise refused(errno.ENOENT, name)
        return node

    # Bytes

    def bytes_of(self, node: Inode) -> bytearray:
        """The bytes of a file as a process of this machine sees them."""
        mapped = self._mapped.get(node)
        if mapped is not None:
            return mapped
        unsent = self._unsent.get(node)
        return node.data if unsent is None else unsent[1]

    def append(self, node: Inode, data: bytes) -> None:
        node.modified = self._world.now
        if not self.is_nfs:
            node.data += data
            return
        if node not in self._unsent:
            self._unsent[node] = len(node.data), bytearray(node.data)
        self._unsent[node][1].extend(data)

    def send(self, node: Inode) -> None:
        """Give the server what it does not have yet, where NFS asks for it: when a file is synced or closed."""
        unsent = self._unsent.pop(node, None)
        if unsent is not None:
            start, whole = unsent
            node.data[start : len(whole)] = whole[start:]
        mapped = self._mapped.get(node)
        if mapped is not None and self.is_nfs:
            node.data[:] = mapped

    def resize(self, node: Inode, length: int) -> None:
        self.send(node)
        self._mapped.pop(node, None)
        data = node.data[:length] if length < len(node.data) else node.data + bytes(length - len(node.data))
        node.data = bytearray(data)  # another one: what is mapped cannot be resized
        node.modified = self._world.now

    def map(self, node: Inode) -> Mapping:
        mapping = Mapping(node.data)
        mapping.machine, mapping.node = self, node
        if self.is_nfs:
            self._mapped[node] = mapping
        else:
            node.data = mapping
        return mapping

    def unmap(self, mapping: Mapping) -> None:
        if self._mapped.get(mapping.node) is mapping:
            self.send(mapping.node)
            del self._mapped[mapping.node]

    # Deaths

    def end(self, process: "Process") -> None:
        """The kernel closes what a process had open: what it wrote is the kernel's, and over NFS is sent."""
        for opened in process.opened.values():
            if not opened.node.is_folder:
                self.send(opened.node)
        for mapping in process.mapped:
            self.unmap(mapping)

    def lose_power(self) -> None:
        """Everything in memory is gone, but for what the server happened to be sent."""
        self._boots += 1
        for node, (start, whole) in self._unsent.items():
            until = self._rng.randrange(start, len(whole) + 1)
            node.data[start:until] = whole[start:until]
        for node, mapping in self._mapped.items():
            if self._rng.random() < 0.5:
                node.data[:] = mapping
        self._known.clear()
        self._unsent.clear()
        self._mapped.clear()
        if not self.is_nfs:
            self.disk.lose_power()

    def walk(self, path: str) -> tuple[Inode, str]:
        """The folder that holds `path`, and its name there; the root has an empty name."""
        if not path.startswith(MOUNT):
            raise refused(errno.ENOENT, path)
        *folders, name = path[len(MOUNT) + 1 :].split("/")
        node = self.disk.root
        for part in folders:
            node = self.found(node, part)
        return node, name
