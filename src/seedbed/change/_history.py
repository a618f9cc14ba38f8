"""The history of changes: a fold over the change journal, built by the same code live and on replay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, final

from seedbed.change._record import OPEN, ChangeRecord, Kind, advanced, as_before, proposed
from seedbed.change.guards._proposal import Move
from seedbed.contracts import Outcome
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import Entry

__all__ = ["ChangeHistory", "fold"]

_KINDS = frozenset(kind.value for kind in Kind)


@final
class ChangeHistory:
    """Every change of a run, oldest first; `superseded` are the changes of work that a resume discarded.

    `proposers` are those that were registered before the first change, each with its settings.
    Only `advance` alters it, by one journal entry, in time that does not grow with the number of earlier changes.
    """

    def __init__(self) -> None:
        self._records: dict[int, ChangeRecord] = {}
        self._superseded: list[ChangeRecord] = []
        self._last_superseded = 0
        self.proposers: Mapping[str, Mapping[str, Any]] = {}
        self._by_phase: dict[Kind, set[int]] = {}
        self._by_step: dict[int, list[int]] = {}
        self._moves: dict[str, dict[int, Move]] = {}
        self._touched: dict[str, dict[int, None]] = {}  # an ordered set of ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChangeHistory):
            return NotImplemented
        mine, others = ((each.records, each.superseded, each.proposers) for each in (self, other))
        return mine == others

    def __getitem__(self, change_id: int) -> ChangeRecord:
        """The change of that id. Raises NotFound."""
        if change_id not in self._records:
            raise NotFound(f"no change {change_id} in this history; it holds {list(self._records)}")
        return self._records[change_id]

    @property
    def records(self) -> tuple[ChangeRecord, ...]:
        """Every change that is not superseded."""
        return tuple(self._records.values())

    @property
    def superseded(self) -> tuple[ChangeRecord, ...]:
        """The changes of lost work."""
        return tuple(self._superseded)

    def counts(self) -> dict[Outcome, int]:
        """How many changes ended in each outcome; the numbers add up to the number of records."""
        counted = Counter(record.outcome for record in self._records.values())
        return {outcome: counted[outcome] for outcome in Outcome}

    def moves(self, parameter: str) -> tuple[Move, ...]:
        """The parameter's changes that reached the live object, oldest first: the `earlier` of guards."""
        return tuple(self._moves.get(parameter, {}).values())

    def held(self, parameter: str) -> ChangeRecord | None:
        """The change whose value is live, or may be; None when the newest change was undone or overwritten."""
        touched = self._touched.get(parameter)
        newest = None if not touched else self._records[next(reversed(touched))]
        return newest if newest is not None and newest.reached else None

    def touched(self, parameter: str) -> tuple[ChangeRecord, ...]:
        """The changes that the live object took at any time, or may have, oldest first."""
        return tuple(map(self._records.__getitem__, self._touched.get(parameter, ())))

    def first_touched(self, parameter: str) -> ChangeRecord | None:
        """The first change that the live object took, or may have; None where none did."""
        touched = self._touched.get(parameter)
        return self._records[next(iter(touched))] if touched else None

    def open(self) -> tuple[ChangeRecord, ...]:
        """The changes that were proposed, and are not yet denied, applied or ended."""
        return tuple(record for record in self.in_phase(*OPEN) if record.is_open)

    def in_phase(self, *phases: Kind) -> tuple[ChangeRecord, ...]:
        """The changes whose last entry is of one of these kinds, oldest first."""
        found = sorted(change_id for phase in phases for change_id in self._by_phase.get(phase, ()))
        return tuple(self._records[change_id] for change_id in found)

    def at_step(self, step: int) -> tuple[ChangeRecord, ...]:
        """The changes that were proposed at that step, oldest first."""
        return tuple(self._records[change_id] for change_id in self._by_step.get(step, ()))

    def next_id(self) -> int:
        """The id of the next change; ids of superseded changes are never reused."""
        newest = next(reversed(self._records), 0)
        return 1 + max(newest, self._last_superseded)

    def advance(self, entry: Entry) -> None:
        """Add one more entry. Raises StoreCorrupt for an entry that cannot follow; the history is then unchanged."""
        if entry.kind not in _KINDS:
            raise StoreCorrupt(
                f"change journal, entry {entry.sequence}: unknown kind {entry.kind!r}, expected one of "
                f"{[kind.value for kind in Kind]}; a newer version of seedbed may have written it: upgrade"
            )
        kind, payload = Kind(entry.kind), entry.payload
        if kind is Kind.RESUMED:
            self._resume(int(payload["kept"]))
        elif kind is Kind.REGISTERED:
            self._register(entry)
        elif kind is Kind.PROPOSED:
            self._store(proposed(payload))
        else:
            self._store(advanced(self._records.get(int(payload["id"])), entry))

    def _store(self, record: ChangeRecord) -> None:
        former = self._records.get(record.id)
        if former is None:
            self._by_step.setdefault(record.step, []).append(record.id)
        else:
            self._by_phase[former.phase].discard(record.id)
        self._records[record.id] = record
        self._by_phase.setdefault(record.phase, set()).add(record.id)
        key = record.delta.parameter
        if record.touched:
            self._touched.setdefault(key, {})[record.id] = None
        if record.reached:
            self._moves.setdefault(key, {})[record.id] = Move(record.step, record.before, record.after)
        else:
            self._moves.get(key, {}).pop(record.id, None)

    def _resume(self, kept: int) -> None:
        kept_records = [as_before(record, kept) for record in self._records.values() if record.id <= kept]
        self._superseded.extend(record for record in self._records.values() if record.id > kept)
        self._last_superseded = max((record.id for record in self._superseded), default=0)
        self._records, self._by_phase, self._by_step, self._moves, self._touched = {}, {}, {}, {}, {}
        for record in kept_records:
            self._store(record)

    def _register(self, entry: Entry) -> None:
        if entry.sequence != 1:
            raise StoreCorrupt(
                f"change journal, entry {entry.sequence}: {entry.kind!r} stands only at the beginning; "
                "the journal was altered: run `seedbed runs fsck`"
            )
        self.proposers = {name: dict(settings) for name, settings in entry.payload["proposers"].items()}


def fold(entries: Iterable[Entry]) -> ChangeHistory:
    """The history of a journal. Raises StoreCorrupt naming the first entry that cannot follow."""
    history = ChangeHistory()
    for entry in entries:
        history.advance(entry)
    return history
