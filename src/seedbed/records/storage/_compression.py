"""zstd compression with a size limit: a false size in a file cannot make a reader allocate more than allowed."""

import zstandard

__all__ = ["compressed", "decompressed"]


def compressed(data: bytes) -> bytes:
    """`data` as one zstd frame that holds its size."""
    return zstandard.compress(data)


def decompressed(data: bytes, largest_bytes: int) -> bytes:
    """The content of the zstd frame `data`. Raises ValueError if it is no frame or claims more than `largest_bytes`."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= largest_bytes:
            raise ValueError(f"it claims to hold {size} bytes, expected at most {largest_bytes}")
        return zstandard.decompress(data)
    except zstandard.ZstdError as problem:
        raise ValueError(f"it does not unpack: {problem}") from None
