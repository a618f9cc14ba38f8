"""What a store asks of whatever holds its bytes: five methods over keys, which a disk and an object store both give."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from seedbed.errors import InvalidInput
from seedbed.records.storage._durable import TEMPORARY_PREFIX

__all__ = ["Files", "StoredFile", "require_create_only", "require_key"]

# What a key between two slashes holds if it is absolute, has an empty part, or a part that leads elsewhere.
_OUTSIDE = ("//", "/./", "/../", "\\", "\0")


@dataclass(frozen=True)
class StoredFile:
    """One file; `modified` is UTC, by the clock of what holds it.

    Of a folder, whose key ends with a slash, neither that nor the size says anything.
    """

    key: str
    size_bytes: int
    modified: datetime

    @classmethod
    def folder(cls, key: str) -> Self:
        """The folder `key`."""
        return cls(key, 0, datetime.fromtimestamp(0, UTC))


class Files(Protocol):
    """Whole files by key, such as `log/flights/LATEST.json`; any number of processes may use them at once.

    Every method raises InvalidInput for a key that could leave the store, and StoreUnavailable when the disk or the
    service refuses; then nothing is acknowledged.
    """

    def create(self, key: str, data: bytes) -> None:
        """Publish `data` at `key` if nothing is there: whole and durable on return, absent or whole after a crash.

        Raises FileExistsError when the key is taken; whatever took it is durable by then. A store that cannot tell a
        put of its own from another's may take equal bytes for its own.
        """
        ...

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Put `data` at `key`, whole for every reader, in place of whatever is there.

        With `durable=False` a crash of the machine may undo it: for what is derived.
        """
        ...

    def read(self, key: str) -> bytes:
        """The bytes at `key`. Raises NotFound."""
        ...

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """Everything under the folder `prefix` whose key follows `after`, in the order of keys; "" is the whole store.

        With `deep=False` only its own children, each folder among them as a key that ends with a slash.
        """
        ...

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """Delete the file at `key`; absence is fine. False when it was written since `unless_since`, and stays."""
        ...


def require_key(key: str) -> str:
    """`key`, if it names a file inside the store. Raises InvalidInput."""
    walled = f"/{key}/"
    if not any(part in walled for part in _OUTSIDE):
        return key
    raise InvalidInput(f"{key!r} is not a key of a file in a store; expected relative names joined by single slashes")


def require_create_only(files: Files) -> None:
    """Raise InvalidInput where a key that is taken can be created again: there, writers would undo each other."""
    key = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    try:
        files.create(key, b"first")
        files.create(key, b"second")
    except FileExistsError:
        return
    finally:
        files.remove(key)
    raise InvalidInput(
        "no store can be made here: a file that was there was created again, expected a refusal; choose a file system "
        "with hard links, or a service that honours `If-None-Match: *`"
    )
