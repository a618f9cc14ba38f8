"""Blobs: large payloads named by the SHA-256 digest of their bytes, so equal payloads are stored once.

`gc` deletes a blob that no commit names and that is old. So `put` and `keep` write a blob again if it is older than
REFRESH_AFTER: a commit that is about to name it can rely on it. docs/design/gc.md explains why this is safe.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import digest_bytes
from seedbed.records.storage._clock import Clock, SystemClock
from seedbed.records.storage._compression import compressed, decompressed
from seedbed.records.storage._files import Files, StoredFile
from seedbed.records.storage._layout import BLOBS

__all__ = ["REFRESH_AFTER", "Blobs", "blob_digest", "unpacked"]

REFRESH_AFTER = timedelta(minutes=30)
_COMPRESS_ABOVE_BYTES = 4096
_LARGEST_BYTES = 16 * 2**30
_PACKED = ".zst"


class Blobs:
    """The blobs of a store; those of more than 4 KiB are compressed if that makes them smaller."""

    def __init__(self, files: Files, clock: Clock | None = None) -> None:
        self._files = files
        self._clock = clock or SystemClock()

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its digest; `gc` will not delete it soon. Raises StoreUnavailable."""
        digest = digest_bytes(data)
        found = self._find(digest)
        if found and self._is_old(found):
            self._files.replace(found.key, _encoded_for(found.key, data))
            return digest
        key, content = _stored(digest, data)
        # Also when it exists: its writer may have died before the file name was durable.
        with contextlib.suppress(FileExistsError):
            self._files.create(key, content)
        return digest

    def keep(self, digest: str) -> None:
        """Make sure that `gc` does not delete the blob `digest` soon: for a commit that is about to name it.

        Raises NotFound, and StoreCorrupt when its bytes have changed.
        """
        found = self._require(digest)
        if self._is_old(found):
            data = self._files.read(found.key)
            unpacked(found.key, data)
            self._files.replace(found.key, data)

    def get(self, digest: str) -> bytes:
        """The bytes of the blob `digest`. Raises NotFound, and StoreCorrupt when they have changed."""
        key = self.key(digest)
        return unpacked(key, self._files.read(key))

    def key(self, digest: str) -> str:
        """The key of the file that holds the blob `digest`. Raises NotFound."""
        return self._require(digest).key

    def _require(self, digest: str) -> StoredFile:
        found = self._find(digest)
        if found is None:
            raise NotFound(f"there is no blob {digest} in the store; restore it from a copy of the store")
        return found

    def _find(self, digest: str) -> StoredFile | None:
        plain = _key(digest)
        for item in self._list_from(plain):
            if item.key > plain + _PACKED:
                break
            if item.key in (plain, plain + _PACKED):
                return item
        return None

    def _list_from(self, plain: str) -> Iterator[StoredFile]:
        return self._files.list(plain.rpartition("/")[0], after=plain[:-1])

    def _is_old(self, found: StoredFile) -> bool:
        return self._clock.now() - found.modified > REFRESH_AFTER


def blob_digest(key: str) -> str | None:
    """The digest that a key of the store names; None if the key is not that of a blob."""
    folder, _, name = key.removesuffix(_PACKED).rpartition("/")
    is_blob = folder == f"{BLOBS}/{name[:2]}" and _is_digest(name)
    return name if is_blob else None


def unpacked(key: str, stored: bytes) -> bytes:
    """The payload of the blob `key` from `stored`, the bytes of its file. Raises StoreCorrupt when it has changed."""
    try:
        data = decompressed(stored, _LARGEST_BYTES) if key.endswith(_PACKED) else stored
    except ValueError as problem:
        raise StoreCorrupt(f"the blob {key} is damaged: {problem}; restore it from a copy of the store") from None
    found, expected = digest_bytes(data), blob_digest(key) or ""
    if found != expected:
        raise StoreCorrupt(
            f"the blob {key} holds bytes of digest {found[:12]}…, expected {expected[:12]}…; "
            "restore it from a copy of the store"
        )
    return data


def _stored(digest: str, data: bytes) -> tuple[str, bytes]:
    """The key and the file content for `data`, compressed only if that makes it smaller."""
    if len(data) > _COMPRESS_ABOVE_BYTES:
        packed = compressed(data)
        if len(packed) < len(data):
            return _key(digest) + _PACKED, packed
    return _key(digest), data


def _encoded_for(key: str, data: bytes) -> bytes:
    return compressed(data) if key.endswith(_PACKED) else data


def _key(digest: str) -> str:
    if not _is_digest(digest):
        raise InvalidInput(f"{digest!r} is not the digest of a blob; expected 64 hexadecimal digits")
    return f"{BLOBS}/{digest[:2]}/{digest}"


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
