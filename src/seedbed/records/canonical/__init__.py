"""Canonical JSON, digests and seals, names, JSON Pointers, numbers, and redaction."""

from seedbed.records.canonical._canonical import Json, canonical_json, digest, digest_bytes
from seedbed.records.canonical._names import new_run_id
from seedbed.records.canonical._numbers import NOT_FINITE, read_number, spelled
from seedbed.records.canonical._redaction import redact_text, redacted_object

__all__ = [
    "NOT_FINITE",
    "Json",
    "canonical_json",
    "digest",
    "digest_bytes",
    "new_run_id",
    "read_number",
    "redact_text",
    "redacted_object",
    "spelled",
]
