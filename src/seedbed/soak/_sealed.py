"""Sealed files: indented JSON that holds the digest of its own content."""

import json
from collections.abc import Mapping
from pathlib import Path

from seedbed.contracts import Message
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records import digest

__all__ = ["sealed", "unsealed"]


def sealed(message: Message) -> bytes:
    """A message as indented JSON, with the digest of its canonical form under `digest`."""
    body = message.model_dump(mode="json")
    return _json_text({**body, "digest": digest(body)})


def unsealed(path: Path) -> dict[str, object]:
    """The content of a sealed file, without its seal. Raises NotFound, and StoreCorrupt when the seal does not fit."""
    try:
        data = path.read_bytes()
        body = json.loads(data)
        if not isinstance(body, dict):
            raise ValueError(f"it holds a {type(body).__name__}")
        if data != _json_text(body):  # a duplicate key could be read differently by another parser
            raise ValueError("it is spelled otherwise than such files are written")
        stated = body.pop("digest", None)
        found = digest(body)
    except FileNotFoundError:
        raise NotFound(f"there is no file at {path}; it was never written, or was taken away") from None
    except (ValueError, InvalidInput, RecursionError) as problem:
        raise StoreCorrupt(f"{path.name} holds no sealed JSON: {problem}") from None
    if stated is None:
        raise StoreCorrupt(f"{path.name}: it has no seal, its content gives {found[:12]}…")
    if stated != found:
        raise StoreCorrupt(f"{path.name}: its seal says {str(stated)[:12]}…, its content gives {found[:12]}…")
    return body


def _json_text(body: Mapping[str, object]) -> bytes:
    return (json.dumps(body, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
