"""The change journal and the history folded from it, kept in step."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol, final

from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.records import Entry

__all__ = ["ChangeJournal", "Ledger", "Note"]

_logger = logging.getLogger("seedbed.change")


Note = tuple[Kind, Mapping[str, Any]]


class ChangeJournal(Protocol):
    """Where changes are written down: `records.Journal`, durable, or `records.MemoryJournal`."""

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """Append each, in order; as safe on return as the journal promises."""

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""


@final
class Ledger:
    """Notes transitions: each is durable in the journal before the history has it."""

    def __init__(self, journal: ChangeJournal) -> None:
        self._journal = journal
        self.history: ChangeHistory = fold(journal.entries())

    def note(self, kind: Kind, **facts: Any) -> None:
        """Append one entry and fold it in. Raises StoreUnavailable when it could not be made durable."""
        self.note_all([(kind, facts)])

    def note_all(self, notes: Iterable[Note]) -> None:
        """As `note`, of several entries at the price of one sync."""
        for entry in self._journal.append_all([(kind.value, facts) for kind, facts in notes]):
            self.history.advance(entry)

    def fail(self, record: ChangeRecord, reason: str, found: float | None = None) -> None:
        """Note that a change failed, and warn of it. `found` is kept when it is a JSON number; the reason names it."""
        _logger.warning("change %d of %s failed: %s", record.id, record.delta.parameter, reason)
        kept = {} if found is None or not isfinite(found) else {"found": found}
        self.note(Kind.FAILED, id=record.id, reason=reason, **kept)

    def give_up(self, change_id: int, reason: str) -> None:
        """Note that a change which was applied, but never seen in use, is unknown."""
        if self.history[change_id].phase is Kind.APPLIED:
            self.note(Kind.UNKNOWN, id=change_id, reason=reason)
