"""The counts of a soak: how its proposals ended, what blocked them, and when the plant broke its word."""

from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from seedbed.change import Kind, Registry, skip_reason
from seedbed.change._rollback import ROLLBACK
from seedbed.contracts import Message, Outcome
from seedbed.soak._evidence import DeliveryRecord, EvidenceRecord, MeasurementRecord
from seedbed.soak._iteration_summary import ApplyVerdict, verdict_of
from seedbed.soak._iterations import IterationRecord

__all__ = ["SoakTally", "tally"]


class SoakTally(Message):
    """The counts of a soak. A proposal is all deltas of one iteration; rollbacks are counted on their own.

    Of `skipped` proposals the guards denied every delta; they are in no other count. `ratio` is full / (full + partial
    + failed), None without any. `outcomes` and `guards` count deltas. `stuck` iterations ran with the values of the one
    before although a change had been applied. In the iterations of `breaks` the plant ran with other values than those
    that it said it held.
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
    skip_coverage: float | None = Field(description="share of denied deltas with a reason; None without any")
    rollbacks: int = Field(ge=0)
    breaks: tuple[int, ...]


def tally(iterations: Sequence[IterationRecord], evidence: Sequence[EvidenceRecord], registry: Registry) -> SoakTally:
    """Count a soak's iterations, by how their changes ended."""
    proposals = [[each for each in iteration.changes if each.delta.proposer != ROLLBACK] for iteration in iterations]
    verdicts = Counter(verdict_of([each.outcome for each in proposal]) for proposal in proposals)
    deltas = [each for proposal in proposals for each in proposal]
    denied = [each for each in deltas if each.denied]
    reasons = [skip_reason(each.guard_result) for each in denied if each.guard_result is not None]
    guards = Counter(result.guard for each in deltas if (result := each.guard_result) and result.guard)
    flags = Counter(name for reason in reasons if reason for name, on in reason.model_dump().items() if on is True)
    counted = sum(verdicts[each] for each in (ApplyVerdict.FULL, ApplyVerdict.PARTIAL, ApplyVerdict.FAILED))
    num_explained = sum(reason is not None and bool(reason.note) for reason in reasons)
    return SoakTally(
        iterations=len(iterations),
        full=verdicts[ApplyVerdict.FULL],
        partial=verdicts[ApplyVerdict.PARTIAL],
        failed=verdicts[ApplyVerdict.FAILED],
        skipped=verdicts[ApplyVerdict.SKIPPED],
        ratio=verdicts[ApplyVerdict.FULL] / counted if counted else None,
        stuck=_stuck(iterations, registry),
        outcomes={outcome.value: sum(each.outcome is outcome for each in deltas) for outcome in Outcome},
        guards=dict(sorted(guards.items())),
        skip_reasons=dict(sorted(flags.items())),
        skip_coverage=num_explained / len(denied) if denied else None,
        rollbacks=sum(each.delta.proposer == ROLLBACK for iteration in iterations for each in iteration.changes),
        breaks=_breaks(evidence),
    )


def _stuck(iterations: Sequence[IterationRecord], registry: Registry) -> tuple[int, ...]:
    used = [registry.state_hash(each.measured.plant.used) for each in iterations]
    return tuple(
        iterations[at + 1].measured.iteration
        for at in range(len(iterations) - 1)
        if any(kind is Kind.APPLIED for change in iterations[at].changes for kind, _ in change.story)
        and used[at + 1] == used[at]
    )


def _breaks(evidence: Sequence[EvidenceRecord]) -> tuple[int, ...]:
    held, broken = None, []
    for record in evidence:
        if isinstance(record, DeliveryRecord):
            held = record.held
        elif isinstance(record, MeasurementRecord) and held is not None and record.plant.used != held:
            broken.append(record.iteration)
    return tuple(broken)
