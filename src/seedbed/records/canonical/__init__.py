"""Canonical JSON, digests and seals, names, JSON Pointers, and redaction."""

from seedbed.records.canonical._canonical import Json, canonical_json, digest, digest_bytes
from seedbed.records.canonical._redaction import redact_text

__all__ = ["Json", "canonical_json", "digest", "digest_bytes", "redact_text"]
