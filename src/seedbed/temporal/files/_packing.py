"""The bytes of a file, unpacked if it is packed; a file that ends too early is refused, not read as a shorter one."""

import gzip
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import zstandard

from seedbed.errors import InvalidInput

__all__ = ["PACKINGS", "PackedFile"]

PACKINGS = (".gz", ".zst")
"""The suffixes of packed files."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class PackedFile:
    """A file and its packing: a suffix of `PACKINGS`, or empty. A packed file is unpacked once, and then kept."""

    path: Path
    packing: str

    @property
    def content(self) -> bytes:
        """All bytes. Raises InvalidInput when some are missing, or are not packed as the suffix says."""
        return self._unpacked if self.packing else self.path.read_bytes()

    def head(self, num_bytes: int) -> bytes:
        """The first bytes, at most so many. Raises InvalidInput as `content`."""
        if self.packing:
            return self._unpacked[:num_bytes]
        with self.path.open("rb") as file:
            return file.read(num_bytes)

    @cached_property
    def _unpacked(self) -> bytes:
        packed = self.path.read_bytes()
        try:
            if not packed:
                raise EOFError("it is empty")
            return gzip.decompress(packed) if self.packing == ".gz" else _unpacked_zst(packed)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InvalidInput(
                f"{self.path}: torn, or not packed as its suffix says ({error}); write it again"
            ) from None


def _unpacked_zst(packed: bytes) -> bytes:
    """Every frame to its end. The reader of a stream would stop at a missing end without a word."""
    rest, parts = memoryview(packed), []
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if not rest:
                raise EOFError("it ends within a frame")
            parts.append(frame.decompress(rest[:_CHUNK_BYTES]))
            rest = rest[min(_CHUNK_BYTES, len(rest)) - len(frame.unused_data) :]
    return b"".join(parts)
