"""Decide what became of the changes that an earlier process left open, from the live values."""

from collections.abc import Mapping, Sequence
from typing import final

from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord, Kind
from seedbed.change.bindings._binding import holds
from seedbed.change.bindings._target import Target
from seedbed.change.phases._applier import Applier
from seedbed.change.phases._ledger import Ledger

__all__ = ["Settler", "may_have_begun"]


@final
class Settler:
    """Settles each open proposal: it was made, and is noted as applied, or what was made of it is taken back."""

    def __init__(self, target: Target, ledger: Ledger, applier: Applier) -> None:
        self._target, self._ledger, self._applier = target, ledger, applier

    def settle_open(self) -> None:
        """Settle every open proposal, if there are any."""
        if still_open := self._ledger.history.open():
            with self._target.locked():
                for batch in sorted({record.batch for record in still_open}):
                    self._settle([record for record in still_open if record.batch == batch])

    def _settle(self, records: Sequence[ChangeRecord]) -> None:
        if _is_intended(records):
            return self._settle_intended(records)
        for record in sorted(records, key=lambda each: each.phase is not Kind.INTENT):
            # Intents first: an intent that is left alone would look like one that may have been applied.
            self._ledger.fail(record, "the process ended before the intent; nothing was touched")
        return None

    def _settle_intended(self, records: Sequence[ChangeRecord]) -> None:
        """Decide from the live values whether a proposal was made; if only a part of it was, take that back."""
        found = self._target.read()
        made = [record for record in records if holds(found[record.delta.parameter], record.after)]
        if len(made) == len(records):
            return self._settle_made(made)
        if made:
            self._take_back(made, "the process ended while its proposal was applied, and the rest of it was not")
        for record in records:
            if record not in made:
                self._settle_unmade(record, found[record.delta.parameter])
        return None

    def _settle_made(self, records: Sequence[ChangeRecord]) -> None:
        back = self._applier.read_back(records)
        if back.wrong:
            self._take_back(records, back.wrong)
        else:
            self._applier.note_applied(records, back)

    def _settle_unmade(self, record: ChangeRecord, found: float) -> None:
        if holds(found, record.before):
            self._ledger.fail(record, "the process ended before it was applied", found)
        else:
            reason = f"the process ended while it was applied; the live value is {found:g}, neither old nor new"
            self._ledger.note(Kind.UNKNOWN, id=record.id, reason=reason, found=found)

    def _take_back(self, records: Sequence[ChangeRecord], reason: str) -> None:
        """Write the former values of what an earlier process made, and note the failure."""
        self._target.write({record.delta.parameter: record.before for record in records}, self._target.read())
        self._target.held()
        found = self._target.read()
        restored = [record for record in records if holds(found[record.delta.parameter], record.before)]
        self._applier.note_failed(records, reason, restored)


def may_have_begun(history: ChangeHistory, still_open: Sequence[ChangeRecord], live: Mapping[str, float]) -> bool:
    """Whether any change of the open proposal reached the target, or may have."""
    if any(each.reached and each.batch == still_open[0].batch for each in history.records):
        return True
    return _is_intended(still_open) and any(not holds(live[each.delta.parameter], each.before) for each in still_open)


def _is_intended(records: Sequence[ChangeRecord]) -> bool:
    """Whether all open changes of a proposal have an intent: only then may any of them have been made."""
    return all(record.phase is Kind.INTENT for record in records)
