"""One JSON document in one file: written atomically and durably, read with its hash."""

from collections.abc import Mapping
from pathlib import Path

from seedbed.contracts._documents import parse_json_once
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import Json, canonical_json, digest_bytes, parse_json
from seedbed.records.storage._durable import replace
from seedbed.records.storage._local import read_regular

__all__ = ["atomic_write_json", "json_with_hash", "read_json_with_hash"]


def atomic_write_json(path: Path, obj: object) -> tuple[str, int]:
    """Write `obj` as canonical JSON to `path`, atomic and durable on return; return its digest and size in bytes.

    Raises InvalidInput for NaN, infinities and other non-JSON values (nothing is written then), and StoreUnavailable.
    """
    data = canonical_json(obj)
    replace(path, data)
    return digest_bytes(data), len(data)


def read_json_with_hash(path: Path) -> tuple[dict[str, Json], str]:
    """The JSON object at `path`, and the digest of its canonical form, however the file is formatted.

    Raises NotFound when there is no file, and StoreCorrupt when it holds no JSON object.
    """
    try:
        return json_with_hash(read_regular(path), path)
    except FileNotFoundError:
        raise NotFound(f"there is no file at {path}; name one that exists") from None


def json_with_hash(data: bytes, path: Path) -> tuple[dict[str, Json], str]:
    """As `read_json_with_hash`, for `data` read from `path`. Raises StoreCorrupt when it is no JSON object."""
    try:
        parse_json_once(data)
        found = parse_json(data)
        if not isinstance(found, Mapping):
            raise ValueError(f"it holds a {type(found).__name__}")
        return dict(found), digest_bytes(canonical_json(found))
    except (ValueError, InvalidInput) as problem:
        raise StoreCorrupt(f"{path} holds no JSON object: {problem}; replace it with a valid one") from None
