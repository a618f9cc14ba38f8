"""One iteration as its artifact tells it: `ITER_SUMMARY_<n>.json`, rebuilt from the logs whenever it is needed."""

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
    "settled",
    "summarise",
    "verdict_of",
]

_SKIPPED = frozenset({Outcome.BLOCKED, Outcome.NO_OP})
_USED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
_FLAGS = tuple(name for name in SkipReason.model_fields if name != "note")


class ApplyVerdict(StrEnum):
    """What a proposal came to, of what the guards let through: all of it was seen in use, some of it, or nothing.

    SKIPPED: the guards let nothing through, with a reason for each. NONE: nothing was proposed.
    """

    NONE = "NONE"
    SKIPPED = "SKIPPED"
    FULL = "FULL"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class KeyOutcome(Message):
    """One key of a proposal: `wanted` was asked for, `after` let through; the outcome is the first that was settled."""

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
    """What was proposed in an iteration and what became of it; hashes are state hashes of all settings.

    `skip_reason` says what was denied, over all keys; None when nothing was.
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
    """What an iteration measured: `state_hash` is that of the settings it ran with, `used_hash` of what was used."""

    phase: Phase
    state_hash: str
    used_hash: str
    used: dict[str, float]
    kpis: dict[str, float]
    control: dict[str, float]
    frozen: dict[str, str]
    unhealthy: dict[str, str]
    drifted: dict[str, str]
    lost: tuple[int, ...] = Field(description="the changes that this iteration was seen not to use, by id")


class IterationSummary(Message):
    """`heads`: where the two logs stood when it was measured; `previous`: the digest of the summary before."""

    schema_version: Literal[1] = 1
    soak_id: str
    iteration: int = Field(ge=1)
    previous: str
    heads: dict[str, dict[str, int | str]]
    summary: SummaryPart
    tuning: TuningPart

    def digest(self) -> str:
        """What seals it: the SHA-256 of its canonical JSON."""
        return digest(self.model_dump(mode="json"))


def settled(record: ChangeRecord) -> Outcome:
    """How a change first ended; a later loss is told where it was seen."""
    for kind, _ in record.story:
        if kind is Kind.EFFECTIVE:
            return Outcome.CLAMPED if record.shrunk else Outcome.EFFECTIVE
        if kind is Kind.FAILED:
            return Outcome.FAILED
    return record.outcome


def summarise(soak_id: str, episode: IterationRecord, registry: Registry, previous: str) -> IterationSummary:
    """The artifact of one iteration; `previous` is the digest of the one before."""
    decision, measured = episode.decision, episode.measured
    conditions = decision.rules.conditions
    return IterationSummary(
        soak_id=soak_id,
        iteration=decision.iteration,
        previous=previous,
        heads={"changes": measured.changes.as_json(), "evidence": episode.evidence.as_json()},
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
        tuning=_tuning(episode.records, measured.state_hash, episode.new_hash),
    )


def verdict_of(outcomes: Collection[Outcome]) -> ApplyVerdict:
    """What a proposal with these outcomes came to."""
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
        skip_reason=_skips(proposed),
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
        outcome=settled(record),
        guard=None if record.guard_result is None else record.guard_result.guard,
        skip_reason=None if record.guard_result is None else skip_reason(record.guard_result),
        proposer=record.delta.proposer,
        reason=record.delta.reason,
    )


def _skips(outcomes: Mapping[str, KeyOutcome]) -> dict[str, bool | str] | None:
    """All denials of a proposal in one: a flag is true when any guard of that name denied, the note tells each."""
    denied = {key: each.skip_reason for key, each in outcomes.items() if each.skip_reason is not None}
    if not denied:
        return None
    flags = {name: any(getattr(each, name) for each in denied.values()) for name in _FLAGS}
    return {**flags, "note": "; ".join(f"{key}: {each.note}" for key, each in denied.items())}
