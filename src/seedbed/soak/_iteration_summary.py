"""The artifact of one iteration, `ITER_SUMMARY_<n>.json`. It can be rebuilt from the logs at any time."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field

from seedbed.change import ChangeRecord, Kind, Registry, skip_reason
from seedbed.change._rollback import ROLLBACK
from seedbed.contracts import Message, Outcome, SkipReason
from seedbed.records import digest
from seedbed.soak._iterations import IterationRecord
from seedbed.soak._profile import Phase

__all__ = [
    "ApplyVerdict",
    "IterationSummary",
    "KeyOutcome",
    "SummaryPart",
    "TuningPart",
    "first_outcome",
    "summarise",
    "verdict_of",
]

_SKIPPED = frozenset({Outcome.BLOCKED, Outcome.NO_OP})
_USED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
_FLAGS = tuple(name for name in SkipReason.model_fields if name != "note")


class ApplyVerdict(StrEnum):
    """How much of what the guards let through was seen in use: FULL, PARTIAL or FAILED (nothing).

    SKIPPED: the guards denied everything, with reasons. NONE: nothing was proposed.
    """

    NONE = "NONE"
    SKIPPED = "SKIPPED"
    FULL = "FULL"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class KeyOutcome(Message):
    """One key of a proposal: `wanted` was proposed, `after` was let through. `outcome` is the first one known."""

    id: int
    before: float
    wanted: float
    after: float
    outcome: Outcome
    guard: str | None
    skip_reason: SkipReason | None
    proposer: str
    reason: str


class TuningPart(Message):
    """The proposal of an iteration and how it ended. The hashes are state hashes of all settings.

    `skip_reason` combines the denials of all keys; None without any.
    """

    proposed: dict[str, float]
    applied: bool
    verdict: ApplyVerdict
    skip_reason: dict[str, bool | str] | None
    changed_keys: tuple[str, ...]
    old_hash: str
    new_hash: str
    outcomes: dict[str, KeyOutcome]
    rolled_back: dict[str, KeyOutcome]


class SummaryPart(Message):
    """The measurement of an iteration: `state_hash` is of the settings file, `used_hash` of the values really used."""

    phase: Phase
    state_hash: str
    used_hash: str
    used: dict[str, float]
    kpis: dict[str, float]
    control: dict[str, float]
    frozen: dict[str, str]
    unhealthy: dict[str, str]
    drifted: dict[str, str]
    lost: tuple[int, ...] = Field(description="ids of the changes that this iteration did not use")


class IterationSummary(Message):
    """The whole artifact. `heads` are the ends of both logs when it was measured; `previous` is the digest before."""

    schema_version: Literal[1] = 1
    soak_id: str
    iteration: int = Field(ge=1)
    previous: str
    heads: dict[str, dict[str, int | str]]
    summary: SummaryPart
    tuning: TuningPart

    def digest(self) -> str:
        """The SHA-256 of its canonical JSON, which seals it."""
        return digest(self.model_dump(mode="json"))


def first_outcome(record: ChangeRecord) -> Outcome:
    """The first outcome of a change. If it is lost later, the iteration that showed the loss reports it."""
    for kind, _ in record.story:
        if kind is Kind.EFFECTIVE:
            return Outcome.CLAMPED if record.shrunk else Outcome.EFFECTIVE
        if kind is Kind.FAILED:
            return Outcome.FAILED
    return record.outcome


def summarise(soak_id: str, iteration: IterationRecord, registry: Registry, previous: str) -> IterationSummary:
    """The artifact of one iteration; `previous` is the digest of the one before."""
    decision, measured = iteration.decision, iteration.measured
    conditions = decision.rules.conditions
    return IterationSummary(
        soak_id=soak_id,
        iteration=decision.iteration,
        previous=previous,
        heads={"changes": measured.changes.as_json(), "evidence": iteration.evidence.as_json()},
        summary=SummaryPart(
            phase=decision.phase,
            state_hash=measured.state_hash,
            used_hash=registry.state_hash(measured.plant.used),
            used=dict(measured.plant.used),
            kpis=dict(decision.observation.kpis),
            control=dict(decision.observation.control),
            frozen=dict(conditions.frozen),
            unhealthy=dict(conditions.unhealthy),
            drifted=dict(conditions.drifted),
            lost=decision.lost,
        ),
        tuning=_tuning(iteration.changes, measured.state_hash, iteration.new_hash),
    )


def verdict_of(outcomes: Collection[Outcome]) -> ApplyVerdict:
    """The verdict on a proposal whose changes have these outcomes."""
    let_through = [each for each in outcomes if each not in _SKIPPED]
    used = sum(each in _USED for each in let_through)
    if not outcomes:
        return ApplyVerdict.NONE
    if not let_through:
        return ApplyVerdict.SKIPPED
    if used == len(let_through):
        return ApplyVerdict.FULL
    return ApplyVerdict.PARTIAL if used else ApplyVerdict.FAILED


def _tuning(records: Sequence[ChangeRecord], old_hash: str, new_hash: str) -> TuningPart:
    proposed = {each.delta.parameter: _outcome(each) for each in records if each.delta.proposer != ROLLBACK}
    undone = {each.delta.parameter: _outcome(each) for each in records if each.delta.proposer == ROLLBACK}
    changed = tuple(sorted(key for key, each in proposed.items() if each.outcome in _USED))
    return TuningPart(
        proposed={key: each.wanted for key, each in proposed.items()},
        applied=bool(changed),
        verdict=verdict_of([each.outcome for each in proposed.values()]),
        skip_reason=_combined_skip_reason(proposed),
        changed_keys=changed,
        old_hash=old_hash,
        new_hash=new_hash,
        outcomes=proposed,
        rolled_back=undone,
    )


def _outcome(record: ChangeRecord) -> KeyOutcome:
    return KeyOutcome(
        id=record.id,
        before=record.before,
        wanted=record.wanted,
        after=record.after,
        outcome=first_outcome(record),
        guard=None if record.guard_result is None else record.guard_result.guard,
        skip_reason=None if record.guard_result is None else skip_reason(record.guard_result),
        proposer=record.delta.proposer,
        reason=record.delta.reason,
    )


def _combined_skip_reason(outcomes: Mapping[str, KeyOutcome]) -> dict[str, bool | str] | None:
    """All denials of a proposal in one: a flag is true when a guard of that name denied, the note lists each reason."""
    denied = {key: each.skip_reason for key, each in outcomes.items() if each.skip_reason is not None}
    if not denied:
        return None
    flags = {name: any(getattr(each, name) for each in denied.values()) for name in _FLAGS}
    return {**flags, "note": "; ".join(f"{key}: {each.note}" for key, each in denied.items())}
