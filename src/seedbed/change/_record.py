"""One change: what was asked, what became of it, and which entry of the journal may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from seedbed.change.guards._proposal import Decision, GuardResult
from seedbed.change.parameters._delta import Delta, Operation, Set
from seedbed.change.parameters._operations import OPERATIONS
from seedbed.contracts import Outcome
from seedbed.errors import StoreCorrupt
from seedbed.records import Entry

__all__ = ["OPEN", "ChangeRecord", "Kind", "advanced", "as_before", "proposed"]


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
OPEN = frozenset({Kind.PROPOSED, Kind.GUARDED, Kind.INTENT, Kind.RETRIED})
"""The phases of a change that is not yet applied or ended."""


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
        return self.phase in OPEN and not self.denied

    @property
    def reached(self) -> bool:
        """Whether the live object took it, or may have, and it is not known to be undone or overwritten."""
        return self.phase in {Kind.APPLIED, Kind.EFFECTIVE, Kind.UNKNOWN}

    @property
    def touched(self) -> bool:
        """Whether the live object took it at any time, or may have."""
        return any(kind in {Kind.APPLIED, Kind.UNKNOWN} for kind, _ in self.story)


def proposed(payload: Mapping[str, Any]) -> ChangeRecord:
    """The change that an entry of a proposal begins."""
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


def advanced(record: ChangeRecord | None, entry: Entry) -> ChangeRecord:
    """The change after one more entry of its own. Raises StoreCorrupt for an entry that cannot follow."""
    kind = Kind(entry.kind)
    if record is None or record.denied or record.phase not in _MAY_FOLLOW[kind]:
        before = "no proposal" if record is None else "a denial" if record.denied else repr(record.phase.value)
        raise StoreCorrupt(
            f"change journal, entry {entry.sequence}: {kind.value!r} cannot follow {before} of change "
            f"{entry.payload['id']}; the journal was altered: run `seedbed runs fsck`"
        )
    after = replace(record, phase=kind, story=(*record.story, (kind, entry.payload)))
    if kind is Kind.GUARDED:
        return replace(after, guard_result=_guard_result(entry.payload))
    if kind is Kind.RETRIED:
        fresh = {name: float(entry.payload[name]) for name in ("before", "wanted")}
        return replace(after, before=fresh["before"], wanted=fresh["wanted"], guard_result=None)
    return after


def as_before(record: ChangeRecord, kept: int) -> ChangeRecord:
    """The change without its taking back, if that was made by a change that is discarded."""
    if record.phase is Kind.ROLLED_BACK and int(record.story[-1][1].get("by", 0)) > kept:
        return replace(record, phase=record.story[-2][0], story=record.story[:-1])
    return record


def _guard_result(payload: Mapping[str, Any]) -> GuardResult:
    return GuardResult(Decision(payload["decision"]), payload["guard"], float(payload["after"]), payload["reason"])
