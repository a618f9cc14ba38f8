"""The history of changes: a fold over the change journal, the same live and on replay."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import Any

from seedbed.change._case import Decision, Move, Ruling
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.contracts import Outcome
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import Entry

__all__ = ["ChangeHistory", "ChangeRecord", "Kind", "fold"]

_OPS: Mapping[str, type[Set] | type[Add] | type[Scale]] = {"SET": Set, "ADD": Add, "SCALE": Scale}


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


# EFFECTIVE may still fail: a scheduler can take the value back at its own next step. UNKNOWN may still prove EFFECTIVE:
# an interrupted run that is resumed takes the optimizer step that was missing.
_MAY_FOLLOW: Mapping[Kind, frozenset[Kind]] = {
    Kind.GUARDED: frozenset({Kind.PROPOSED, Kind.RETRIED}),
    Kind.INTENT: frozenset({Kind.GUARDED}),
    Kind.APPLIED: frozenset({Kind.INTENT}),
    Kind.EFFECTIVE: frozenset({Kind.APPLIED, Kind.UNKNOWN}),
    Kind.FAILED: frozenset({Kind.PROPOSED, Kind.GUARDED, Kind.INTENT, Kind.APPLIED, Kind.EFFECTIVE, Kind.UNKNOWN}),
    Kind.UNKNOWN: frozenset({Kind.INTENT, Kind.APPLIED}),
    Kind.ROLLED_BACK: frozenset({Kind.FAILED}),
    Kind.RETRIED: frozenset({Kind.INTENT}),
}
_OPEN = frozenset({Kind.PROPOSED, Kind.GUARDED, Kind.INTENT, Kind.RETRIED})


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One requested change. `wanted` is what the delta resolved to, `after` what the guards let through of it.

    `batch` is the id of the first change of its proposal: those of one proposal are made together or not at all.
    `story` holds its journal entries' kinds and payloads, oldest first.
    """

    id: int
    batch: int
    step: int
    delta: Delta
    unit: str
    before: float
    wanted: float
    ruling: Ruling | None
    phase: Kind
    story: tuple[tuple[Kind, Mapping[str, Any]], ...]

    @property
    def after(self) -> float:
        """The value to apply; the value before, when the guards denied the change."""
        return self.wanted if self.ruling is None else self.ruling.after

    @property
    def outcome(self) -> Outcome:
        """How it ended. Whatever was not seen to end is UNKNOWN."""
        if self.phase is Kind.GUARDED and self.denied:
            return Outcome.NO_OP if self.ruling is not None and self.ruling.guard == "no_op" else Outcome.BLOCKED
        if self.phase is Kind.EFFECTIVE:
            return Outcome.CLAMPED if self.shrunk else Outcome.EFFECTIVE
        if self.phase in {Kind.FAILED, Kind.ROLLED_BACK}:
            return Outcome.FAILED
        return Outcome.UNKNOWN

    @property
    def reason(self) -> str:
        """Why it stands where it stands: the last reason journalled."""
        return next((str(payload["reason"]) for _, payload in reversed(self.story) if "reason" in payload), "")

    @property
    def denied(self) -> bool:
        """Whether a guard stopped it."""
        return self.ruling is not None and self.ruling.decision is Decision.DENY

    @property
    def shrunk(self) -> bool:
        """Whether a guard let only part of it through."""
        return self.ruling is not None and self.ruling.decision is Decision.SHRINK

    @property
    def reached(self) -> bool:
        """Whether the live object took it, or may have, and nothing is known to have taken it back."""
        return self.phase in {Kind.APPLIED, Kind.EFFECTIVE, Kind.UNKNOWN}

    @property
    def touched(self) -> bool:
        """Whether the live object ever took it, or may have."""
        return any(kind in {Kind.APPLIED, Kind.UNKNOWN} for kind, _ in self.story)


@dataclass(frozen=True, slots=True)
class ChangeHistory:
    """Every change of a run, oldest first; `superseded` are those of work that a resume threw away."""

    records: tuple[ChangeRecord, ...] = ()
    superseded: tuple[ChangeRecord, ...] = ()

    def __getitem__(self, change_id: int) -> ChangeRecord:
        """The change of that id. Raises NotFound."""
        found = self.find(change_id)
        if found is not None:
            return found
        raise NotFound(f"no change {change_id} in this history; it holds {[record.id for record in self.records]}")

    def find(self, change_id: int) -> ChangeRecord | None:
        """The change of that id, if it is one of these."""
        at = bisect_left(self.records, change_id, key=_id)
        return self.records[at] if at < len(self.records) and self.records[at].id == change_id else None

    def counts(self) -> dict[Outcome, int]:
        """How many changes ended in each outcome; the numbers add up to the number of records."""
        counted = Counter(record.outcome for record in self.records)
        return {outcome: counted[outcome] for outcome in Outcome}

    def moves(self, parameter: str) -> list[Move]:
        """The parameter's changes that reached the live object, oldest first: what guards look back on."""
        reached = (record for record in self.records if record.reached and record.delta.parameter == parameter)
        return [Move(record.step, record.before, record.after) for record in reached]

    def held(self, parameter: str) -> ChangeRecord | None:
        """The change that the live parameter holds, or may hold; None when the newest to touch it was taken back."""
        touched = [record for record in self.records if record.touched and record.delta.parameter == parameter]
        return touched[-1] if touched and touched[-1].reached else None

    def next_id(self) -> int:
        """The id of the next change; superseded ids are never given again."""
        return 1 + max((record.id for record in (*self.records[-1:], *self.superseded)), default=0)

    def open(self) -> tuple[ChangeRecord, ...]:
        """The changes that were proposed and neither denied, nor applied, nor ended."""
        return tuple(record for record in self.records if record.phase in _OPEN and not record.denied)

    def advance(self, entry: Entry) -> "ChangeHistory":
        """The history after one more entry. Raises StoreCorrupt for an entry that cannot follow."""
        if entry.kind not in set(Kind):
            raise StoreCorrupt(
                f"change journal, entry {entry.sequence}: unknown kind {entry.kind!r}, expected one of "
                f"{[kind.value for kind in Kind]}; a newer version of seedbed may have written it: upgrade"
            )
        kind, payload = Kind(entry.kind), entry.payload
        if kind is Kind.RESUMED:
            return self._resumed(int(payload["kept"]))
        if kind is Kind.PROPOSED:
            return replace(self, records=(*self.records, _proposed(payload)))
        changed = _advanced(self, kind, entry)
        at = bisect_left(self.records, changed.id, key=_id)
        return replace(self, records=(*self.records[:at], changed, *self.records[at + 1 :]))

    def _resumed(self, kept: int) -> "ChangeHistory":
        lost = tuple(record for record in self.records if record.id > kept)
        return ChangeHistory(tuple(record for record in self.records if record.id <= kept), (*self.superseded, *lost))


def fold(entries: Iterable[Entry]) -> ChangeHistory:
    """The history that a journal tells. Raises StoreCorrupt naming the first entry that cannot follow."""
    return reduce(ChangeHistory.advance, entries, ChangeHistory())


def _id(record: ChangeRecord) -> int:
    return record.id


def _proposed(payload: Mapping[str, Any]) -> ChangeRecord:
    op: Op = _OPS[payload["op"]["kind"]](float(payload["op"]["value"]))
    return ChangeRecord(
        id=int(payload["id"]),
        batch=int(payload.get("batch", payload["id"])),  # journals of 0.1.0 held one change to a proposal
        step=int(payload["step"]),
        delta=Delta(payload["parameter"], op, payload["reason"], payload["proposer"]),
        unit=payload["unit"],
        before=float(payload["before"]),
        wanted=float(payload["wanted"]),
        ruling=None,
        phase=Kind.PROPOSED,
        story=((Kind.PROPOSED, payload),),
    )


def _advanced(history: ChangeHistory, kind: Kind, entry: Entry) -> ChangeRecord:
    at = bisect_left(history.records, entry.payload["id"], key=_id)
    record = (
        history.records[at] if at < len(history.records) and _id(history.records[at]) == entry.payload["id"] else None
    )
    if record is None or record.denied or record.phase not in _MAY_FOLLOW[kind]:
        before = "no proposal" if record is None else "a denial" if record.denied else repr(record.phase.value)
        raise StoreCorrupt(
            f"change journal, entry {entry.sequence}: {kind.value!r} cannot follow {before} of change "
            f"{entry.payload['id']}; the journal was altered: run `seedbed runs fsck`"
        )
    told = replace(record, phase=kind, story=(*record.story, (kind, entry.payload)))
    if kind is Kind.GUARDED:
        return replace(told, ruling=_ruling(entry.payload))
    if kind is Kind.RETRIED:
        fresh = {name: float(entry.payload[name]) for name in ("before", "wanted")}
        return replace(told, before=fresh["before"], wanted=fresh["wanted"], ruling=None)
    return told


def _ruling(payload: Mapping[str, Any]) -> Ruling:
    return Ruling(Decision(payload["decision"]), payload["guard"], float(payload["after"]), payload["reason"])
