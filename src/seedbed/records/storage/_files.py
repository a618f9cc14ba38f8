"""The interface between a store and its files: five methods over keys, for a local folder or a bucket."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from seedbed.errors import InvalidInput, StoreCorrupt, StoreUnavailable
from seedbed.records.storage._durable import TEMPORARY_PREFIX

__all__ = ["Files", "NoBucket", "StoredFile", "Unreadable", "require_create_only", "require_key"]

# Parts of "/key/" if the key is absolute, has an empty part, or a part that leads out of the store.
_OUTSIDE = ("//", "/./", "/../", "\\", "\0")
_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class StoredFile:
    """One file of a listing; `modified` is UTC, by the clock of the file system or service.

    The key of a folder ends with a slash; its size and time mean nothing.
    """

    key: str
    size_bytes: int
    modified: datetime

    @classmethod
    def folder(cls, key: str) -> Self:
        """The entry of a folder, whose key ends with a slash."""
        return cls(key, 0, _NO_TIME)


class Unreadable(StoreCorrupt):
    """This one file cannot be read, such as for want of the right to; what else is in the store may well be.

    `is_whole` says that its bytes may be whole all the same, so that nothing may replace it.
    """

    def __init__(self, problem: str, *, is_whole: bool = False) -> None:
        super().__init__(problem)
        self.is_whole = is_whole


class NoBucket(StoreUnavailable):
    """The bucket of a store does not exist."""


class Files(Protocol):
    """The files of a store by key, such as `log/flights/LATEST.json`; many processes may use them at once.

    Every method raises InvalidInput for a key that could leave the store, and StoreUnavailable when the disk or the
    service refuses; then nothing is acknowledged.
    """

    def create(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Publish `data` at `key` if nothing is there: durable on return, absent or complete after a crash.

        With `durable=False` it need not be durable before the next durable file in the same folder is: until then a
        crash of the machine may undo it, or leave a part of it.
        Raises FileExistsError when the key is taken; the existing file is durable then. An implementation that cannot
        distinguish its own put from another's may treat equal bytes as its own.
        """
        ...

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write `data` to `key` and replace what is there; readers see the old or the new file, never a part.

        With `durable=False` a crash of the machine may undo it: for derived files.
        """
        ...

    def read(self, key: str) -> bytes:
        """The bytes at `key`. Raises NotFound, and Unreadable where the fault is of this one file."""
        ...

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """All files under the folder `prefix` whose key sorts after `after`, in order of keys; "" is the whole store.

        With `deep=False` only direct children; folders are listed as keys that end with a slash.
        """
        ...

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """Delete the file at `key`; a missing file is fine. A file written since `unless_since` stays: then False."""
        ...


def require_key(key: str) -> str:
    """Return `key` if it names a file inside the store. Raises InvalidInput."""
    enclosed = f"/{key}/"
    if not any(part in enclosed for part in _OUTSIDE):
        return key
    raise InvalidInput(f"{key!r} is not a key of a file in a store; expected relative names joined by single slashes")


def require_create_only(create: Callable[[str, bytes], None], remove: Callable[[str], object]) -> None:
    """Raise InvalidInput if `create` can create an existing key again: then writers would overwrite each other."""
    key = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    try:
        create(key, b"first")
        create(key, b"second")
    except FileExistsError:
        return
    finally:
        remove(key)
    raise InvalidInput(
        "nothing can be recorded here: an existing file was created again, expected a refusal; choose a file system "
        "with hard links, or a service or endpoint that supports `If-None-Match: *`"
    )
