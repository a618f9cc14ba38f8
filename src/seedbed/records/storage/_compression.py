"""zstd with a cap: nothing that a file claims of its own size makes a reader allocate more than it is allowed."""

import zstandard

__all__ = ["compressed", "decompressed"]


def compressed(data: bytes) -> bytes:
    """One zstd frame that names its size."""
    return zstandard.compress(data)


def decompressed(data: bytes, largest_bytes: int) -> bytes:
    """What the frame `data` holds. Raises ValueError for what is no frame, or claims more than `largest_bytes`."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= largest_bytes:
            raise ValueError(f"it claims to hold {size} bytes, expected at most {largest_bytes}")
        return zstandard.decompress(data)
    except zstandard.ZstdError as problem:
        raise ValueError(f"it does not unpack: {problem}") from None
