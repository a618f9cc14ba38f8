"""What a disk or a file server holds, and what of it is left when the power goes.

After a power cut a file system owes only what was synced (All File Systems Are Not Created Equal, OSDI 2014): the bytes
that `fsync` of the file came after, and the names that `fsync` of their folder came after. Whatever else was asked may
have happened or not, in any combination: each change of a folder's names by itself; each file's bytes up to any
point, torn, or as a hole of zeros.
"""

import random
from collections.abc import Iterator

__all__ = ["Disk", "Inode"]


class Inode:
    """A file or a folder, whatever its name; `owed` is what a power cut leaves of it for certain."""

    __slots__ = ("data", "links", "modified", "names", "number", "owed_data", "owed_names", "pending")

    def __init__(self, number: int, modified: float, *, is_folder: bool) -> None:
        self.number = number
        self.modified = modified
        self.links = 0
        self.names: dict[str, Inode] | None = {} if is_folder else None
        self.data = bytearray()
        self.owed_names: dict[str, Inode] = {}
        self.owed_data = b""
        self.pending: list[dict[str, Inode | None]] = []  # changes of names that no sync came after

    @property
    def is_folder(self) -> bool:
        return self.names is not None


class Disk:
    """All inodes. With `is_prompt`, as a file server, every change is durable when its call returns.

    One that `lies` does nothing for such a share of the syncs that it acknowledges.
    """

    def __init__(self, rng: random.Random, *, is_prompt: bool) -> None:
        self._rng = rng
        self._is_prompt = is_prompt
        self.lies = 0.0
        self.inodes: list[Inode] = []
        self.root = self.made(0.0, is_folder=True)
        self.root.links = 1

    def made(self, now: float, *, is_folder: bool) -> Inode:
        """A new file or folder that has no name yet."""
        node = Inode(len(self.inodes), now, is_folder=is_folder)
        self.inodes.append(node)
        return node

    def rename(self, folder: Inode, changes: dict[str, Inode | None]) -> None:
        """Change names in `folder`, at once: each to a file or folder, or to None where it goes."""
        assert folder.names is not None
        for name, node in changes.items():
            before = folder.names.pop(name, None)
            if before is not None:
                before.links -= 1
            if node is not None:
                folder.names[name] = node
                node.links += 1
        if not self._is_prompt:
            folder.pending.append(changes)

    def sync(self, node: Inode) -> None:
        """Make the bytes of a file, or the names in a folder, durable."""
        if self.lies and self._rng.random() < self.lies:
            return
        if node.names is None:
            node.owed_data = bytes(node.data)
        elif node.pending:
            node.owed_names = dict(node.names)
            node.pending.clear()

    def lose_power(self) -> None:
        """Keep what was synced, and of the rest what chance leaves."""
        kept, fates = self._rng.choice(
            [
                (0.0, ["lost"]),
                (1.0, ["lost"]),
                (1.0, ["holes"]),
                (1.0, ["half"]),
                (0.5, ["lost", "half", "holes", "whole"]),
            ]
        )
        for node in self.inodes:
            node.links = 0
            if node.names is None:
                node.data = self._torn(node, self._rng.choice(fates))
                node.owed_data = bytes(node.data)
            elif node.pending:
                for changes in node.pending:
                    if self._rng.random() < kept:
                        for name, other in changes.items():
                            if other is None:
                                node.owed_names.pop(name, None)
                            else:
                                node.owed_names[name] = other
                node.names = dict(node.owed_names)
                node.pending.clear()
        for node in self._reachable(self.root):
            node.links += 1

    def _torn(self, node: Inode, fate: str) -> bytearray:
        owed, asked = node.owed_data, bytes(node.data)
        if fate == "whole" or owed == asked:
            return bytearray(asked)
        if fate == "lost" or len(asked) < len(owed):
            return bytearray(owed)
        added = asked[len(owed) :]
        if len(asked) == len(owed):  # written over in place, page by page
            cut = self._rng.randrange(len(owed) + 1)
            return bytearray(asked[:cut] + owed[cut:])
        return bytearray(owed + (added[: self._rng.randrange(len(added))] if fate == "half" else bytes(len(added))))

    def _reachable(self, folder: Inode) -> Iterator[Inode]:
        if folder is self.root:
            yield folder
        for node in (folder.names or {}).values():
            yield node
            if node.is_folder:
                yield from self._reachable(node)
