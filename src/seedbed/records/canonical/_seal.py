"""Sealed records: canonical JSON that carries the SHA-256 digest of its own body. Commits and logs are made of them."""

from typing import Any

from seedbed.records.canonical._canonical import Json, digest_bytes, encode, parse_json

__all__ = ["seal", "seal_encoded", "unseal"]

_HEAD = b'{"body":'
_MIDDLE = b',"digest":"'
_TAIL = b'"}'
_TRAILER_BYTES = len(_MIDDLE) + 64 + len(_TAIL)


def seal(body: Json) -> tuple[bytes, str]:
    """Seal `body`, which `plain` returned: the bytes `{"body":...,"digest":"..."}`, and the digest."""
    return seal_encoded(encode(body))


def seal_encoded(encoded: bytes) -> tuple[bytes, str]:
    """As `seal`, of a body that is canonical JSON already."""
    digest = digest_bytes(encoded)
    return _HEAD + encoded + _MIDDLE + digest.encode() + _TAIL, digest


def unseal(data: bytes) -> tuple[dict[str, Any], str]:
    """The body and digest of sealed bytes, verified. Raises ValueError that says what is wrong with them."""
    if not (data.startswith(_HEAD) and data.endswith(_TAIL) and data[-_TRAILER_BYTES:].startswith(_MIDDLE)):
        raise ValueError(f"the {len(data)} bytes do not have the form of a sealed record")
    encoded = data[len(_HEAD) : -_TRAILER_BYTES]
    expected = data[-_TRAILER_BYTES + len(_MIDDLE) : -len(_TAIL)].decode("ascii", "replace")
    found = digest_bytes(encoded)
    if found != expected:
        raise ValueError(f"the digest differs: the record says {expected[:12]}…, its bytes give {found[:12]}…")
    body = parse_json(encoded)
    if not isinstance(body, dict):
        raise ValueError(f"the body is a {type(body).__name__}, expected an object")
    return body, found
