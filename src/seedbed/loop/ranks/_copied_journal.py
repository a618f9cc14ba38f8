"""The journal of changes on a process that keeps no record: rank 0's so far, and then its own, in memory."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, final

from seedbed.records import Entry, MemoryJournal

__all__ = ["CopiedJournal", "packed_entries", "unpacked_entries"]


@final
class CopiedJournal:
    """A journal that begins with the `earlier` entries of another one, and keeps further ones in memory."""

    def __init__(self, earlier: Sequence[Entry]) -> None:
        self._earlier, self._later = list(earlier), MemoryJournal()

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """Append all records. Raises InvalidInput for a payload that is not JSON; then none is appended."""
        return self._later.append_all(records)

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return [*self._earlier, *self._later.entries()]

    def summarise_with(self, summary: Callable[[], Mapping[str, Any] | None]) -> None:
        """Do nothing: no record keeps anything of this journal."""


def packed_entries(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The entries as JSON values."""
    return [{**asdict(each), "payload": json.loads(json.dumps(dict(each.payload)))} for each in entries]


def unpacked_entries(values: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The entries that `packed_entries` was given."""
    return [Entry(**each) for each in values]
