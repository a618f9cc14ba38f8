"""The change journal together with the history folded from it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol, final

from seedbed.change._history import ChangeHistory, fold
from seedbed.change._record import ChangeRecord, Kind
from seedbed.errors import Conflict
from seedbed.records import Entry

__all__ = ["ChangeJournal", "Ledger", "Note"]

_logger = logging.getLogger("seedbed.change")


Note = tuple[Kind, Mapping[str, Any]]


class ChangeJournal(Protocol):
    """Where changes are recorded: `records.Journal`, which is durable, or `records.MemoryJournal`."""

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """Append each record, in order. On return they are as durable as the journal promises."""

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""

    def summarise_with(self, summary: Callable[[], Mapping[str, Any] | None]) -> None:
        """Take what makes the document that the record of a run keeps of this journal, or None."""


@final
class Ledger:
    """Records every transition of a change: first durably in the journal, then in the history."""

    def __init__(self, journal: ChangeJournal) -> None:
        self._journal = journal
        entries = journal.entries()
        self.history: ChangeHistory = fold(entries)
        self.head = entries[-1].digest if entries else None

    def note(self, kind: Kind, **facts: Any) -> None:
        """Append one entry and advance the history by it. Raises StoreUnavailable when it could not be made durable."""
        self.note_all([(kind, facts)])

    def note_all(self, notes: Iterable[Note]) -> None:
        """As `note`, for several entries with one sync. Raises Conflict when somebody else wrote to the journal."""
        entries = self._journal.entries()
        if (entries[-1].digest if entries else None) != self.head:
            raise Conflict(
                "another engine has written to this journal, so it no longer holds the history of this one: "
                "give each engine a journal of its own, such as run.journal() and run.journal('growth')"
            )
        for entry in self._journal.append_all([(kind.value, facts) for kind, facts in notes]):
            self.history.advance(entry)
            self.head = entry.digest

    def holds(self, digest: str) -> bool:
        """Whether the journal has a record with this digest."""
        return any(entry.digest == digest for entry in self._journal.entries())

    def fail(self, record: ChangeRecord, reason: str, found: float | None = None, step: int | None = None) -> None:
        """Note that a change failed, and log a warning. `found` is kept when it is finite, as JSON numbers are.

        `step` is the step that did not use the value; None when the change failed before any step.
        """
        _logger.warning("change %d of %s failed: %s", record.id, record.delta.parameter, reason)
        kept: dict[str, Any] = {} if found is None or not isfinite(found) else {"found": found}
        at = {} if step is None else {"step": step}
        self.note(Kind.FAILED, id=record.id, reason=reason, **kept, **at)

    def give_up(self, change_id: int, reason: str) -> None:
        """Note that a change is unknown, if it was applied and never seen in use."""
        if self.history[change_id].phase is Kind.APPLIED:
            self.note(Kind.UNKNOWN, id=change_id, reason=reason)
