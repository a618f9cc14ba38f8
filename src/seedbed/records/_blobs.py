"""Large payloads by content: a blob's name is the SHA-256 of its bytes, so writing one twice is writing it once."""

import contextlib

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._canonical import digest_bytes
from seedbed.records._compression import compressed, decompressed
from seedbed.records._files import Files
from seedbed.records._layout import BLOBS

__all__ = ["Blobs"]

_COMPRESS_FROM_BYTES = 4096
_LARGEST_BYTES = 16 * 2**30
_PACKED = ".zst"


class Blobs:
    """The blobs of a store; those of 4 KiB and more are compressed where that makes them smaller."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its digest. Raises StoreUnavailable."""
        digest = digest_bytes(data)
        packed = compressed(data) if len(data) >= _COMPRESS_FROM_BYTES else data
        key, content = (_key(digest) + _PACKED, packed) if len(packed) < len(data) else (_key(digest), data)
        with contextlib.suppress(FileExistsError):
            self._files.create(key, content)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of `digest`. Raises NotFound, and StoreCorrupt when they are no longer those."""
        key = self.key(digest)
        data = self._files.read(key)
        try:
            data = decompressed(data, _LARGEST_BYTES) if key.endswith(_PACKED) else data
        except ValueError as problem:
            raise StoreCorrupt(f"the blob {key} is damaged: {problem}; restore it from a copy of the store") from None
        if digest_bytes(data) != digest:
            raise StoreCorrupt(
                f"the blob {key} holds bytes of digest {digest_bytes(data)[:12]}…, expected {digest[:12]}…; "
                "restore it from a copy of the store"
            )
        return data

    def key(self, digest: str) -> str:
        """The file that holds `digest`. Raises NotFound."""
        plain = _key(digest)
        folder = plain.rpartition("/")[0]
        for item in self._files.list(folder, deep=False):
            if item.key in (plain, plain + _PACKED):
                return item.key
        raise NotFound(f"there is no blob {digest} in the store; restore it from a copy of the store")


def _key(digest: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InvalidInput(f"{digest!r} is not a blob's digest; expected 64 hexadecimal digits")
    return f"{BLOBS}/{digest[:2]}/{digest}"
