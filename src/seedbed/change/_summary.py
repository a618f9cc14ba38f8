"""The history of changes as a run's record keeps it."""

from collections.abc import Mapping
from typing import Any

from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord, Kind
from seedbed.change.parameters._parameter import exactly, in_unit
from seedbed.contracts import ChangeReport, ChangeSummary

__all__ = ["report_of", "summary"]

_PINNED = ("factor", 0.0)  # of a rate that stands still whatever its schedule writes, which is no rate of 0


def summary(history: ChangeHistory) -> ChangeSummary:
    """Every change with its outcome and story, and how many changes ended in each outcome."""
    return ChangeSummary(
        requested=len(history.records),
        superseded=len(history.superseded),
        proposers={name: dict(settings) for name, settings in history.proposers.items()},
        changes=tuple(report_of(record) for record in history.records),
        **{outcome.value.lower(): count for outcome, count in history.counts().items()},
    )


def report_of(record: ChangeRecord) -> ChangeReport:
    """One change with its outcome and story, as far as it is known."""
    return ChangeReport(
        id=record.id,
        step=record.step,
        parameter=record.delta.parameter,
        unit=record.unit,
        before=record.before,
        wanted=record.wanted,
        after=record.after,
        reason=record.delta.reason,
        proposer=record.delta.proposer,
        outcome=record.outcome,
        guard=None if record.guard_result is None else record.guard_result.guard,
        story=tuple(_sentence(record, kind, payload) for kind, payload in record.story),
    )


def _sentence(record: ChangeRecord, kind: Kind, facts: Mapping[str, Any]) -> str:
    delta = record.delta
    match kind:
        case Kind.PROPOSED:
            move = in_unit(f"{record.before:g} -> {record.wanted:g}", record.unit)
            return f"step {record.step}: {delta.proposer} proposed {delta.parameter} {move}: {delta.reason}"
        case Kind.GUARDED:
            by = "" if facts["guard"] is None else f" by {facts['guard']}"
            return f"guards: {facts['decision']}{by}, {facts['reason']}"
        case Kind.INTENT:
            return f"intent journalled: {facts['before']:g} -> {facts['after']:g}"
        case Kind.APPLIED:
            others = {name: value for name, value in facts.get("coupled", {}).items() if (name, value) != _PINNED}
            coupled = "".join(f", with {name} {exactly(value)}" for name, value in others.items())
            way = f", {facts['way']}" if facts.get("way") else ""
            return f"applied: {facts['found']:g} read back{way}{coupled}"
        case Kind.EFFECTIVE:
            return f"effective: step {facts['step']} used {facts['found']:g}"
        case _:
            return f"{kind.value.replace('_', ' ')}: {facts['reason']}"
