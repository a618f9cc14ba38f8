"""The change journal and the history folded from it, kept in step."""

import logging
from math import isfinite
from typing import Any, final

from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.records import Journal

__all__ = ["Ledger"]

_logger = logging.getLogger("seedbed.change")


@final
class Ledger:
    """Notes transitions: each is durable in the journal before the history has it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.history: ChangeHistory = fold(journal.entries())

    def note(self, kind: Kind, **facts: Any) -> None:
        """Append one entry and fold it in. Raises StoreUnavailable when it could not be made durable."""
        self.history = self.history.advance(self._journal.append(kind.value, facts))

    def fail(self, record: ChangeRecord, reason: str, found: float | None = None) -> None:
        """Note that a change failed, and warn of it. `found` is kept when it is a JSON number; the reason names it."""
        _logger.warning("change %d of %s failed: %s", record.id, record.delta.parameter, reason)
        kept = {} if found is None or not isfinite(found) else {"found": found}
        self.note(Kind.FAILED, id=record.id, reason=reason, **kept)

    def give_up(self, change_id: int, reason: str) -> None:
        """Note that a change which was applied, but never seen in use, is unknown."""
        if self.history[change_id].phase is Kind.APPLIED:
            self.note(Kind.UNKNOWN, id=change_id, reason=reason)
