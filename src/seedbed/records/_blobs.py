"""Large payloads by content: a blob's name is the SHA-256 of its bytes, so writing one twice is writing it once."""

import contextlib
from pathlib import Path

import zstandard

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._canonical import digest_bytes
from seedbed.records._durable import create

__all__ = ["Blobs"]

_COMPRESS_FROM_BYTES = 4096
_LARGEST_BYTES = 16 * 2**30


class Blobs:
    """The blobs under one folder; those of 4 KiB and more are compressed where that makes them smaller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its digest. Raises StoreUnavailable."""
        digest = digest_bytes(data)
        packed = zstandard.compress(data) if len(data) >= _COMPRESS_FROM_BYTES else data
        path, content = self._plain(digest), data
        if len(packed) < len(data):
            path, content = self._packed(digest), packed
        with contextlib.suppress(FileExistsError):
            create(path, content)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of `digest`. Raises NotFound, and StoreCorrupt when they are no longer those."""
        path = self.path(digest)
        data = path.read_bytes()
        if path.suffix:
            data = _unpacked(data, path)
        if digest_bytes(data) != digest:
            raise StoreCorrupt(
                f"the blob {path} holds bytes of digest {digest_bytes(data)[:12]}…, expected {digest[:12]}…; "
                "restore it from a copy of the store"
            )
        return data

    def path(self, digest: str) -> Path:
        """The file that holds `digest`. Raises NotFound."""
        for path in (self._plain(digest), self._packed(digest)):
            if path.is_file():
                return path
        raise NotFound(f"there is no blob {digest} in {self._folder}; restore it from a copy of the store")

    def _plain(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise InvalidInput(f"{digest!r} is not a blob's digest; expected 64 hexadecimal digits")
        return self._folder / digest[:2] / digest

    def _packed(self, digest: str) -> Path:
        return self._plain(digest).with_suffix(".zst")


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= _LARGEST_BYTES:
            raise StoreCorrupt(f"the blob {path} claims {size} bytes, expected at most {_LARGEST_BYTES}; restore it")
        return zstandard.decompress(data)
    except zstandard.ZstdError as problem:
        raise StoreCorrupt(f"the blob {path} does not unpack: {problem}; restore it from a copy of the store") from None
