"""A disk that may lose its power: records what `seedbed.records` asks of it, and says what it might hold afterwards.

    disk = Disk(root)
    with disk.recording(): ...
    for tree in states(disk.begun, disk.calls[:k]): write(tree, somewhere)

After a power cut a file system owes only what was synced (All File Systems Are Not Created Equal, OSDI 2014): bytes
that `fsync` of the file came after, names that `fsync` of their folder came after. Whatever else was asked may have
happened or not, in any combination: each new, moved or deleted name by itself; each file's unsynced bytes up to any
point, torn in the middle of a write, or as a hole of zeros.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

from seedbed.records.storage import _durable
from seedbed.testing import DURABLE_CALLS

Tree: TypeAlias = dict[str, bytes | None]
"""Every file's bytes by its path, and None for every folder."""


class PowerCut(BaseException):
    """The process is gone: whatever it still asks of the disk does not happen."""


@dataclass(eq=False)
class Node:
    """A file or folder, whatever its name."""

    is_folder: bool
    names: dict[str, "Node"] = field(default_factory=dict)
    data: bytes = b""

    @classmethod
    def found_at(cls, path: Path) -> "Node":
        if path.is_dir():
            return cls(True, {child.name: cls.found_at(child) for child in path.iterdir()})
        return cls(False, data=path.read_bytes())


@dataclass(frozen=True)
class Named:
    """A new name in a folder, in place of whatever bore it; `old` is the one that it had there before."""

    folder: Node
    name: str
    node: Node
    old: str | None = None


@dataclass(frozen=True)
class Deleted:
    """A name that is gone."""

    folder: Node
    name: str


@dataclass(frozen=True)
class Written:
    """Bytes at the end of a file; or, cut to `length`, fewer."""

    node: Node
    data: bytes
    length: int | None = None


@dataclass(frozen=True)
class Synced:
    """Everything asked of this file's bytes, or of this folder's names, before now, is durable."""

    node: Node


@dataclass(frozen=True)
class Promised:
    """The store acknowledged something; `check` looks whether it is there."""

    check: Callable[..., None]


Call: TypeAlias = Named | Deleted | Written | Synced | Promised


class Disk:
    """Records the durable calls under `root` while they are really made; dies at call `at`, counted from 1."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.begun = Node.found_at(root)
        self.calls: list[Call] = []
        self._now = Node.found_at(root)
        self._same = dict(_pairs(self._now, self.begun))
        self._open: dict[int, Node] = {}
        self.died = False

    @contextlib.contextmanager
    def recording(self, at: int = 0) -> Iterator[None]:
        """One process: it knows of nothing that an earlier one synced, and is dead from its call `at` on."""
        stands_in = _Recorder(self, at)
        with (
            mock.patch.object(_durable, "os", stands_in),
            mock.patch.object(_durable, "_DURABLE_FOLDERS", {}),
            mock.patch.object(_durable, "_UNSYNCED", {}),
            mock.patch.object(_durable, "finalize"),  # whatever is left open is closed below
        ):
            try:
                yield
            except PowerCut:
                self.died = True
            finally:
                for descriptor in list(self._open):
                    os.close(descriptor)
                self._open.clear()

    def promise(self, check: Callable[..., None]) -> None:
        """From here on, whatever is lost, `check` holds."""
        self.calls.append(Promised(check))

    def opened(self, path: Any, descriptor: int, flags: int, dir_fd: int | None) -> None:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            self._open[descriptor] = Node(False)
            return
        folder, name = self._place(path, dir_fd)
        if folder is None:
            return  # above the root, where nothing is lost
        node = folder.names.get(name) if name else folder
        if node is None:
            node = Node(False)
            self._name(folder, name, node)
        self._open[descriptor] = node

    def closed(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)

    def wrote(self, descriptor: int, data: bytes) -> None:
        self.calls.append(Written(self._open[descriptor], data))

    def truncated(self, descriptor: int, length: int) -> None:
        self.calls.append(Written(self._open[descriptor], b"", length))

    def synced(self, descriptor: int) -> None:
        if descriptor in self._open:
            self.calls.append(Synced(self._open[descriptor]))

    def made_folder(self, path: Any, dir_fd: int | None) -> None:
        folder, name = self._place(path, dir_fd)
        if folder:
            self._name(folder, name, Node(True))

    def linked(self, source: Any, dir_fd: int | None, name: Any) -> None:
        if str(source).startswith("/proc/self/fd/"):
            node = self._open[int(str(source).rpartition("/")[2])]
        else:
            folder, old = self._place(source, dir_fd)
            assert folder
            node = folder.names[old]
        into, new = self._place(name, dir_fd)
        assert into
        self._name(into, new, node)

    def moved(self, source: Any, name: Any, dir_fd: int | None) -> None:
        folder, old = self._place(source, dir_fd)
        into, new = self._place(name, dir_fd)
        assert folder
        assert folder is into
        node = folder.names.pop(old)
        folder.names[new] = node
        self.calls.append(Named(folder, new, node, old))

    def deleted(self, name: Any, dir_fd: int | None) -> None:
        folder, old = self._place(name, dir_fd)
        assert folder
        del folder.names[old]
        self.calls.append(Deleted(folder, old))

    def as_begun(self, node: Node) -> Node:
        """The node of `begun` that `node` was made from, or itself."""
        return self._same.get(node, node)

    def _name(self, folder: Node, name: str, node: Node) -> None:
        folder.names[name] = node
        self.calls.append(Named(folder, name, node))

    def _place(self, path: Any, dir_fd: int | None) -> tuple[Node | None, str]:
        """The folder that holds `path`, and its name there; no folder for what is above the root."""
        if dir_fd is not None:
            return self._open[dir_fd], os.fspath(path)
        whole = Path.cwd() / path
        if whole == self.root:
            return self._now, ""
        if not whole.is_relative_to(self.root):
            return None, ""
        node = self._now
        *folders, name = whole.relative_to(self.root).parts
        for part in folders:
            node = node.names[part]
        return node, name


class _Recorder:
    """Stands for the module `os`: makes the call, then has it recorded."""

    def __init__(self, disk: Disk, at: int) -> None:
        self._disk = disk
        self._at = at
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._ours(name, real) if name in DURABLE_CALLS or name == "close" else real

    def _ours(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if name != "close":
                self._asked += 1
            if self._at and self._asked >= self._at:
                raise PowerCut
            found = real(*args, **options)
            self._record(name, found, args, options)
            return found

        return call

    def _record(self, name: str, found: Any, args: Sequence[Any], options: dict[str, Any]) -> None:
        disk, dir_fd = self._disk, options.get("dir_fd", options.get("dst_dir_fd"))
        match name:
            case "open":
                disk.opened(args[0], found, args[1], dir_fd)
            case "close":
                disk.closed(args[0])
            case "write":
                disk.wrote(args[0], bytes(args[1])[:found])
            case "ftruncate":
                disk.truncated(args[0], args[1])
            case "fsync":
                disk.synced(args[0])
            case "mkdir":
                disk.made_folder(args[0], dir_fd)
            case "link":
                disk.linked(args[0], options.get("src_dir_fd"), args[1])
            case "replace":
                disk.moved(args[0], args[1], dir_fd)
            case "unlink":
                disk.deleted(args[0], dir_fd)


def states(disk: Disk, upto: int, rng: random.Random, num_random: int) -> Iterator[Tree]:
    """What the disk may hold when power is lost after its first `upto` calls: the extremes, and some in between."""
    calls = disk.calls[:upto]
    pending = _pending(calls)
    names = [at for at in pending if not isinstance(calls[at], Written)]
    nothing: frozenset[int] = frozenset()
    for kept, torn in (
        (nothing, "lost"),  # the disk did only what it owed
        (frozenset(names), "lost"),  # all the names, none of the bytes: the classic empty file
        (frozenset(names), "holes"),
        (frozenset(names), "half"),
        (frozenset(names), "whole"),  # as after a SIGKILL
    ):
        yield _tree(disk, calls, pending, kept, _always(torn))
    for _ in range(num_random):
        kept = frozenset(at for at in names if rng.random() < 0.5)
        yield _tree(disk, calls, pending, kept, _random_fates(rng))


def _always(fate: str) -> Callable[[Node], str]:
    return lambda _: fate


def _random_fates(rng: random.Random) -> Callable[[Node], str]:
    fates: dict[Node, str] = {}
    return lambda node: fates.setdefault(node, rng.choice(("lost", "half", "holes", "whole")))


def _pending(calls: Sequence[Call]) -> frozenset[int]:
    """The places of the calls that nothing has made durable yet."""
    pending: set[int] = set()
    for at, call in enumerate(calls):
        if isinstance(call, Synced):
            pending -= {earlier for earlier in pending if _subject(calls[earlier]) is call.node}
        elif not isinstance(call, Promised):
            pending.add(at)
    return frozenset(pending)


def _subject(call: Call) -> Node | None:
    """The file or folder whose sync makes `call` durable."""
    match call:
        case Named(folder) | Deleted(folder):
            return folder
        case Written(node):
            return node
        case _:
            return None


def _tree(
    disk: Disk, calls: Sequence[Call], pending: frozenset[int], kept: frozenset[int], fate: Callable[[Node], str]
) -> Tree:
    """The durable calls, of the pending names those `kept`, and of each file's pending bytes what `fate` says."""
    names = {node: dict(node.names) for node in _all(disk.begun)}
    owed = {node: node.data for node in _all(disk.begun)}
    asked = dict(owed)
    for at, call in enumerate(calls):
        here = at not in pending or at in kept
        match call:
            case Named(folder, name, node, old) if here:
                mine = names.setdefault(disk.as_begun(folder), {})
                mine[name] = disk.as_begun(node)
                if old:
                    mine.pop(old, None)
            case Deleted(folder, name) if here:
                names.setdefault(disk.as_begun(folder), {}).pop(name, None)
            case Written(node, added, length):
                same = disk.as_begun(node)
                for kept_bytes in (asked,) if at in pending else (asked, owed):
                    before = kept_bytes.get(same, b"")
                    kept_bytes[same] = before + added if length is None else before[:length]
            case _:
                pass
    data = {node: _torn(owed.get(node, b""), asked[node], fate(node)) for node in asked}
    return dict(_files(disk.begun, names, data, ""))


def _torn(owed: bytes, asked: bytes, how: str) -> bytes:
    """What is left of a file of which `owed` was synced, and then `asked` was there."""
    if how == "whole" or owed == asked:
        return asked
    if how == "lost" or len(asked) < len(owed):
        return owed
    added = asked[len(owed) :]
    return owed + (added[: len(added) // 2] if how == "half" else bytes(len(added)))


def _files(
    folder: Node, names: dict[Node, dict[str, Node]], data: dict[Node, bytes], path: str
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in names.get(folder, {}).items():
        yield f"{path}{name}", None if node.is_folder else data.get(node, b"")
        if node.is_folder:
            yield from _files(node, names, data, f"{path}{name}/")


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.names.values():
        yield from _all(child)


def _pairs(one: Node, other: Node) -> Iterator[tuple[Node, Node]]:
    yield one, other
    for name, child in one.names.items():
        yield from _pairs(child, other.names[name])


def write(tree: Tree, root: Path) -> None:
    """Put `tree` on the disk, under the folder `root`, which is made."""
    root.mkdir()
    for path, data in tree.items():
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)
