"""A soak counted: what its proposals came to in the end, what held them back, and what its consumer got wrong."""

from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from seedbed.change import Kind, Registry, skip_reason
from seedbed.change._rollback import ROLLBACK
from seedbed.contracts import Message, Outcome
from seedbed.soak._evidence import Held, Measured, Record
from seedbed.soak._iteration_summary import ApplyVerdict, verdict_of
from seedbed.soak._iterations import IterationRecord

__all__ = ["SoakTally", "tally"]


class SoakTally(Message):
    """Proposals are an iteration's deltas together; `outcomes` and `guards` count deltas. Rollbacks are apart.

    `skipped` proposals were held back whole, each delta with a reason: they are in no other count. `ratio` is full of
    full + partial + failed, None without any. `stuck` iterations ran with the values of the one before although a
    change had been applied. In `breaks` the consumer ran with other values than it had said it holds.
    """

    iterations: int = Field(ge=0)
    full: int = Field(ge=0)
    partial: int = Field(ge=0)
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0)
    ratio: float | None
    stuck: tuple[int, ...]
    outcomes: dict[str, int]
    guards: dict[str, int]
    skip_reasons: dict[str, int]
    skip_coverage: float | None = Field(description="share of held-back deltas that say why; None without any")
    rollbacks: int = Field(ge=0)
    breaks: tuple[int, ...]


def tally(told: Sequence[IterationRecord], evidence: Sequence[Record], registry: Registry) -> SoakTally:
    """Count a soak's episodes, by how their changes ended in the end."""
    proposals = [[each for each in episode.records if each.delta.proposer != ROLLBACK] for episode in told]
    verdicts = Counter(verdict_of([each.outcome for each in proposal]) for proposal in proposals)
    deltas = [each for proposal in proposals for each in proposal]
    denied = [each for each in deltas if each.denied]
    reasons = [skip_reason(each.guard_result) for each in denied if each.guard_result is not None]
    guards = Counter(result.guard for each in deltas if (result := each.guard_result) and result.guard)
    flags = Counter(name for reason in reasons if reason for name, on in reason.model_dump().items() if on is True)
    counted = sum(verdicts[each] for each in (ApplyVerdict.FULL, ApplyVerdict.PARTIAL, ApplyVerdict.FAILED))
    told_why = sum(reason is not None and bool(reason.note) for reason in reasons)
    return SoakTally(
        iterations=len(told),
        full=verdicts[ApplyVerdict.FULL],
        partial=verdicts[ApplyVerdict.PARTIAL],
        failed=verdicts[ApplyVerdict.FAILED],
        skipped=verdicts[ApplyVerdict.SKIPPED],
        ratio=verdicts[ApplyVerdict.FULL] / counted if counted else None,
        stuck=_stuck(told, registry),
        outcomes={outcome.value: sum(each.outcome is outcome for each in deltas) for outcome in Outcome},
        guards=dict(sorted(guards.items())),
        skip_reasons=dict(sorted(flags.items())),
        skip_coverage=told_why / len(denied) if denied else None,
        rollbacks=sum(each.delta.proposer == ROLLBACK for episode in told for each in episode.records),
        breaks=_breaks(evidence),
    )


def _stuck(told: Sequence[IterationRecord], registry: Registry) -> tuple[int, ...]:
    used = [registry.state_hash(episode.measured.plant.used) for episode in told]
    return tuple(
        told[at + 1].measured.iteration
        for at in range(len(told) - 1)
        if any(kind is Kind.APPLIED for record in told[at].records for kind, _ in record.story)
        and used[at + 1] == used[at]
    )


def _breaks(evidence: Sequence[Record]) -> tuple[int, ...]:
    said, broken = None, []
    for record in evidence:
        if isinstance(record, Held):
            said = record.values
        elif isinstance(record, Measured) and said is not None and record.plant.used != said:
            broken.append(record.iteration)
    return tuple(broken)
