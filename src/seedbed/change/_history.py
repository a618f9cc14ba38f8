"""The history of changes: a fold over the change journal, built by the same code live and on replay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, final

from seedbed.change.guards._proposal import Decision, GuardResult, Move
from seedbed.change.parameters._delta import Delta, Operation, Set
from seedbed.change.parameters._operations import OPERATIONS
from seedbed.contracts import Outcome
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import Entry

__all__ = ["ChangeHistory", "ChangeRecord", "Kind", "fold"]


class Kind(StrEnum):
    """The kinds of journal entries; a change's phase is the kind of its last one. Append-only."""

    PROPOSED = "proposed"
    GUARDED = "guarded"
    INTENT = "intent"
    APPLIED = "applied"
    EFFECTIVE = "effective"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ROLLED_BACK = "rolled_back"
    RESUMED = "resumed"
    RETRIED = "retried"
    REGISTERED = "registered"


# EFFECTIVE may still fail: a scheduler can overwrite the value at its own next step. UNKNOWN may still become
# EFFECTIVE: when an interrupted run is resumed, it takes the optimizer step that was missing.
_MAY_FOLLOW: Mapping[Kind, frozenset[Kind]] = {
    Kind.GUARDED: frozenset({Kind.PROPOSED, Kind.RETRIED}),
    Kind.INTENT: frozenset({Kind.GUARDED}),
    Kind.APPLIED: frozenset({Kind.INTENT}),
    Kind.EFFECTIVE: frozenset({Kind.APPLIED, Kind.UNKNOWN}),
    Kind.FAILED: frozenset({Kind.PROPOSED, Kind.GUARDED, Kind.INTENT, Kind.APPLIED, Kind.EFFECTIVE, Kind.UNKNOWN}),
    Kind.UNKNOWN: frozenset({Kind.INTENT, Kind.APPLIED}),
    Kind.ROLLED_BACK: frozenset({Kind.FAILED, Kind.APPLIED, Kind.UNKNOWN}),
    Kind.RETRIED: frozenset({Kind.INTENT}),
}
_KINDS = frozenset(kind.value for kind in Kind)
_OPEN = frozenset({Kind.PROPOSED, Kind.GUARDED, Kind.INTENT, Kind.RETRIED})


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One requested change. `wanted` is the value that the delta gave, `after` the value that the guards let through.

    `batch` is the id of the first change of its proposal: the changes of one proposal are made together or not at all.
    `story` holds the kinds and payloads of its journal entries, oldest first.
    """

    id: int
    batch: int
    step: int
    delta: Delta
    unit: str
    before: float
    wanted: float
    guard_result: GuardResult | None
    phase: Kind
    story: tuple[tuple[Kind, Mapping[str, Any]], ...]

    @property
    def after(self) -> float:
        """The value to apply; the value before, when the guards denied the change."""
        return self.wanted if self.guard_result is None else self.guard_result.after

    @property
    def outcome(self) -> Outcome:
        """How it ended; UNKNOWN when its end was not seen, NO_OP when it was taken back before a step could use it."""
        if self.phase is Kind.GUARDED and self.denied:
            return (
                Outcome.NO_OP
                if self.guard_result is not None and self.guard_result.guard == "no_op"
                else Outcome.BLOCKED
            )
        if self.phase is Kind.EFFECTIVE:
            return Outcome.CLAMPED if self.shrunk else Outcome.EFFECTIVE
        if self.phase in {Kind.FAILED, Kind.ROLLED_BACK}:
            return Outcome.FAILED if any(kind is Kind.FAILED for kind, _ in self.story) else Outcome.NO_OP
        return Outcome.UNKNOWN

    @property
    def reason(self) -> str:
        """The last reason in its journal entries; of a failed one that was rolled back, why it failed stands before."""
        reasons = [str(payload["reason"]) for _, payload in self.story if "reason" in payload]
        is_undone = self.phase is Kind.ROLLED_BACK and self.outcome is Outcome.FAILED
        return "; ".join(reasons[-2:] if is_undone else reasons[-1:])

    @property
    def denied(self) -> bool:
        """Whether a guard stopped it."""
        return self.guard_result is not None and self.guard_result.decision is Decision.DENY

    @property
    def shrunk(self) -> bool:
        """Whether a guard let only a part of it through."""
        return self.guard_result is not None and self.guard_result.decision is Decision.SHRINK

    @property
    def is_open(self) -> bool:
        """Whether it was proposed, and is not yet denied, applied or ended."""
        return self.phase in _OPEN and not self.denied

    @property
    def reached(self) -> bool:
        """Whether the live object took it, or may have, and it is not known to be undone or overwritten."""
        return self.phase in {Kind.APPLIED, Kind.EFFECTIVE, Kind.UNKNOWN}

    @property
    def touched(self) -> bool:
        """Whether the live object took it at any time, or may have."""
        return any(kind in {Kind.APPLIED, Kind.UNKNOWN} for kind, _ in self.story)


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
        return tuple(record for record in self.in_phase(*_OPEN) if record.is_open)

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
        else:
            self._store(_proposed(payload) if kind is Kind.PROPOSED else self._advanced(kind, entry))

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
        kept_records = [_as_before(record, kept) for record in self._records.values() if record.id <= kept]
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

    def _advanced(self, kind: Kind, entry: Entry) -> ChangeRecord:
        record = self._records.get(int(entry.payload["id"]))
        if record is None or record.denied or record.phase not in _MAY_FOLLOW[kind]:
            before = "no proposal" if record is None else "a denial" if record.denied else repr(record.phase.value)
            raise StoreCorrupt(
                f"change journal, entry {entry.sequence}: {kind.value!r} cannot follow {before} of change "
                f"{entry.payload['id']}; the journal was altered: run `seedbed runs fsck`"
            )
        advanced = replace(record, phase=kind, story=(*record.story, (kind, entry.payload)))
        if kind is Kind.GUARDED:
            return replace(advanced, guard_result=_guard_result(entry.payload))
        if kind is Kind.RETRIED:
            fresh = {name: float(entry.payload[name]) for name in ("before", "wanted")}
            return replace(advanced, before=fresh["before"], wanted=fresh["wanted"], guard_result=None)
        return advanced


def fold(entries: Iterable[Entry]) -> ChangeHistory:
    """The history of a journal. Raises StoreCorrupt naming the first entry that cannot follow."""
    history = ChangeHistory()
    for entry in entries:
        history.advance(entry)
    return history


def _as_before(record: ChangeRecord, kept: int) -> ChangeRecord:
    """The change without its taking back, if that was made by a change that is discarded."""
    if record.phase is Kind.ROLLED_BACK and int(record.story[-1][1].get("by", 0)) > kept:
        return replace(record, phase=record.story[-2][0], story=record.story[:-1])
    return record


def _proposed(payload: Mapping[str, Any]) -> ChangeRecord:
    kind, value = OPERATIONS[payload["op"]["kind"]], float(payload["op"]["value"])
    op: Operation = Set(value, payload["op"].get("relative", False)) if kind is Set else kind(value)
    return ChangeRecord(
        id=int(payload["id"]),
        batch=int(payload.get("batch", payload["id"])),  # journals of 0.1.0 had one change in each proposal
        step=int(payload["step"]),
        delta=Delta(
            payload["parameter"], op, payload["reason"], payload["proposer"], request=int(payload.get("request", 0))
        ),
        unit=payload["unit"],
        before=float(payload["before"]),
        wanted=float(payload["wanted"]),
        guard_result=None,
        phase=Kind.PROPOSED,
        story=((Kind.PROPOSED, payload),),
    )


def _guard_result(payload: Mapping[str, Any]) -> GuardResult:
    return GuardResult(Decision(payload["decision"]), payload["guard"], float(payload["after"]), payload["reason"])
