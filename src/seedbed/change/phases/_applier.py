"""Apply what the guards let through: write, read back, and undo everything if one value is wrong."""

from collections.abc import Mapping, Sequence
from typing import final

from seedbed.change._record import ChangeRecord, Kind
from seedbed.change._rollback import taken_back
from seedbed.change.bindings._peers import Peers
from seedbed.change.phases._bound_settings import BoundSettings
from seedbed.change.phases._ledger import Ledger, Note
from seedbed.change.phases._plan import Planned, Rules, judged_notes, plan, retried_notes
from seedbed.change.phases._read_back import Invariant, ReadBack, read_back, words_of
from seedbed.change.phases._watches import Watches
from seedbed.errors import Conflict, StoreUnavailable

__all__ = ["Applier"]

_TRIES = 4


@final
class Applier:
    """Makes the changes of a proposal together, on every peer, or none of them."""

    def __init__(
        self, settings: BoundSettings, ledger: Ledger, watches: Watches, invariants: Sequence[Invariant]
    ) -> None:
        self._settings, self._ledger, self._watches = settings, ledger, watches
        self._invariants = tuple(invariants)
        self._peers: Peers | None = None

    def join(self, peers: Peers) -> None:
        """Make every change from now on together with `peers`, or not at all."""
        self._peers = peers

    def carry_out(self, planned: Sequence[Planned], values: Mapping[str, float], rules: Rules) -> None:
        """Apply what the guards let through; when another writer was faster, plan again on the new values."""
        history = self._ledger.history
        for _ in range(_TRIES):
            records = [history[each.id] for each in planned if not each.denied]
            if not records or self._apply(records, values):
                return
            values = self._settings.target.read()
            planned = plan([(each.id, each.delta) for each in records], records[0].step, values, history, rules)
            registry = self._settings.registry
            state = registry.state_hash(values)
            self._ledger.note_all([*retried_notes(planned), *judged_notes(planned, registry, values, state)])
        for record in (history[each.id] for each in planned if not each.denied):
            self._ledger.fail(record, f"others moved the state {_TRIES} times, each time before it could be applied")

    def read_back(self, records: Sequence[ChangeRecord]) -> ReadBack:
        """What stands in the live objects now, and whether the changes may be called applied."""
        return read_back(records, self._settings.target, self._invariants)

    def note_applied(self, records: Sequence[ChangeRecord], back: ReadBack) -> None:
        """Note that the changes were read back, and what those of a rollback took back before a step could use it."""
        state = self._settings.registry.state_hash(back.found)
        applied = [(Kind.APPLIED, self._facts(record, back, state)) for record in records]
        undone = [
            _taken_back_note(each, record)
            for record in records
            for each in taken_back(self._ledger.history, record)
            if not self._watches.is_open(each.id)
        ]
        self._ledger.note_all([*applied, *undone])

    def note_failed(self, records: Sequence[ChangeRecord], reason: str, restored: Sequence[ChangeRecord]) -> None:
        """Note that the changes failed, and which of their former values were restored and read back."""
        for record in records:
            self._ledger.fail(record, reason)
        done = "the former value was restored and read back"
        self._ledger.note_all([(Kind.ROLLED_BACK, {"id": record.id, "reason": done}) for record in restored])

    def _apply(self, records: Sequence[ChangeRecord], values: Mapping[str, float]) -> bool:
        """Write, read back and ask the user of the values; undo everything if one of these is wrong. False: try again.

        A disk error says nothing about the change: it stays open, and is settled when the disk works again.
        """
        with self._settings.target.locked():
            earlier_state: Mapping[str, Mapping[str, float]] = {}
            back: ReadBack | None = None
            try:
                earlier_state = self._settings.target.state()
                self._settings.write(records, values)
            except Conflict as moved:
                if self._peers is None:
                    return False
                wrong = f"another writer moved the state: {moved}"
            except StoreUnavailable:
                raise
            except Exception as refusal:  # of a library's own object too: what it cannot take must not end the training
                wrong = f"the live object refused it: {words_of(refusal)}"
            else:
                back = self.read_back(records)
                wrong = back.wrong
            wrong = self._agreed(wrong, earlier_state)
            if back is None or wrong:
                self._undo(records, earlier_state, wrong)
            else:
                self.note_applied(records, back)
                for record in records:
                    self._watches.begin(record, record.step)
            return True

    def _agreed(self, wrong: str, earlier_state: Mapping[str, Mapping[str, float]]) -> str:
        """Why the change must be undone, here or elsewhere; without an answer of the peers nothing stays written."""
        if self._peers is None:
            return wrong
        try:
            return self._peers.agreed(wrong)
        except BaseException:
            self._settings.target.restore(earlier_state)
            raise

    def _undo(
        self, records: Sequence[ChangeRecord], earlier_state: Mapping[str, Mapping[str, float]], reason: str
    ) -> None:
        """Restore, then note the failure: a crash in between must not leave a failed change in the live object."""
        try:
            is_restored = self._restored(earlier_state)
        except StoreUnavailable:
            raise
        except Exception as problem:  # as above
            self.note_failed(records, f"{reason}; and the former value was not restored: {words_of(problem)}", ())
        else:
            self.note_failed(records, reason, records if is_restored else ())

    def _restored(self, earlier_state: Mapping[str, Mapping[str, float]]) -> bool:
        """Restore what is not as it was; whether all of it is then."""
        target = self._settings.target
        try:
            live = target.state()
        except StoreUnavailable:
            raise
        except Exception:  # one object does not tell: the others are restored all the same
            live = {}
        target.restore({key: state for key, state in earlier_state.items() if live.get(key) != state})
        return target.state() == earlier_state

    def _facts(self, record: ChangeRecord, back: ReadBack, state: str) -> dict[str, object]:
        key = record.delta.parameter
        held = None if back.held is None else back.held.get(key)
        return {"id": record.id, "found": back.found[key], "held": held, "state": state, **self._settings.told_of(key)}


def _taken_back_note(undone: ChangeRecord, by: ChangeRecord) -> Note:
    reason = f"change {by.id} took it back before a step used it"
    return Kind.ROLLED_BACK, {"id": undone.id, "by": by.id, "reason": reason}
