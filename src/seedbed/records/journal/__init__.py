"""Append-only logs of hash-chained records: journals, and step metrics."""

from seedbed.records.journal._frames import Entry
from seedbed.records.journal._journal import Journal, MemoryJournal, read_journal
from seedbed.records.journal._step_metrics import Event, EventsLog

__all__ = ["Entry", "Event", "EventsLog", "Journal", "MemoryJournal", "read_journal"]
