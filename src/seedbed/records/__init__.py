"""Records: one immutable, crash-safe commit for every finished stage, and what it may be compared with."""

from seedbed.records._canonical import Json, canonical_json, digest, digest_bytes
from seedbed.records._clock import Clock, SystemClock
from seedbed.records._durable import AppendFile, create, replace
from seedbed.records._events import Event, EventsLog, read_events
from seedbed.records._framed import Entry, Journal, read_journal
from seedbed.records._redaction import environment_facts, redact_text

__all__ = [
    "AppendFile",
    "Clock",
    "Entry",
    "Event",
    "EventsLog",
    "Journal",
    "Json",
    "SystemClock",
    "canonical_json",
    "create",
    "digest",
    "digest_bytes",
    "environment_facts",
    "read_events",
    "read_journal",
    "redact_text",
    "replace",
]
