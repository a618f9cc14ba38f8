"""The plan of a proposal, made before anything is written: each delta resolved and judged by the guards. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seedbed.change._history import ChangeHistory
from seedbed.change._record import Kind
from seedbed.change.guards._guards import GUARDS, judge_proposal
from seedbed.change.guards._proposal import Conditions, Decision, Guard, GuardResult, Move, ProposedChange
from seedbed.change.parameters._delta import Delta, Operation, Set
from seedbed.change.parameters._operations import kind_of
from seedbed.change.parameters._registry import Registry
from seedbed.change.phases._ledger import Note

__all__ = ["Planned", "Rules", "judged_notes", "plan", "proposed_notes", "retried_notes"]

_TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges proposals: the parameters' limits, the guards in their order, and the present conditions.

    With `all_or_nothing` a proposal is applied exactly as asked, or not at all; without it, it may be applied in part.
    """

    registry: Registry
    guards: Sequence[Guard] = GUARDS
    conditions: Conditions = field(default_factory=Conditions)
    all_or_nothing: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """One delta of a proposal, resolved against the live values, with the guards' result. `id` is its change's id."""

    id: int
    delta: Delta
    move: Move
    guard_result: GuardResult

    @property
    def denied(self) -> bool:
        """Whether a guard stopped it."""
        return self.guard_result.decision is Decision.DENY


def plan(
    deltas: Iterable[tuple[int, Delta]], step: int, values: Mapping[str, float], history: ChangeHistory, rules: Rules
) -> tuple[Planned, ...]:
    """Resolve each delta against the live `values` (by key) and judge it by its own parameter's history alone.

    `deltas` come with the ids of their changes. Raises InvalidInput when an operation overflows.
    """
    planned = tuple(_planned(change_id, delta, step, values, history, rules) for change_id, delta in deltas)
    obstacle = next((each for each in planned if each.guard_result.decision is not Decision.ALLOW), None)
    if not rules.all_or_nothing or obstacle is None:
        return planned
    return tuple(each if each.denied else _denied_with(each, obstacle) for each in planned)


def proposed_notes(planned: Sequence[Planned], registry: Registry, state: str) -> list[Note]:
    """The journal notes of a proposal; `state` is the hash of the values that it was made on."""
    return [
        (
            Kind.PROPOSED,
            {
                "id": each.id,
                "batch": planned[0].id,
                "step": each.move.step,
                "parameter": each.delta.parameter,
                "unit": registry[each.delta.parameter].unit,
                "op": _op(each.delta.op),
                "reason": each.delta.reason,
                "proposer": each.delta.proposer,
                "before": each.move.before,
                "wanted": each.move.after,
                "state": state,
                **({"request": each.delta.request} if each.delta.request else {}),
            },
        )
        for each in planned
    ]


def _op(op: Operation) -> dict[str, Any]:
    """The operation as the journal keeps it."""
    repeats = {"relative": True} if isinstance(op, Set) and op.is_relative else {}
    return {"kind": kind_of(op), "value": op.value, **repeats}


def retried_notes(planned: Sequence[Planned]) -> list[Note]:
    """The journal notes when another writer changed the state before the intent could be applied."""
    reason = "another writer moved the state first; resolved anew on the values found"
    return [
        (Kind.RETRIED, {"id": each.id, "before": each.move.before, "wanted": each.move.after, "reason": reason})
        for each in planned
    ]


def judged_notes(planned: Sequence[Planned], registry: Registry, values: Mapping[str, float], state: str) -> list[Note]:
    """The journal notes of the guards' results, and of an intent for each change let through.

    An intent leads from `state`, the hash of `values`, to the hash of the values after it."""
    results: list[Note] = [
        (
            Kind.GUARDED,
            {
                "id": each.id,
                "decision": each.guard_result.decision.value,
                "guard": each.guard_result.guard,
                "after": each.guard_result.after,
                "reason": each.guard_result.reason,
            },
        )
        for each in planned
    ]
    allowed = [each for each in planned if not each.denied]
    if not allowed:
        return results
    after = registry.state_hash({**values, **{each.delta.parameter: each.guard_result.after for each in allowed}})
    intents: list[Note] = [
        (
            Kind.INTENT,
            {
                "id": each.id,
                "before": each.move.before,
                "after": each.guard_result.after,
                "state": state,
                "state_after": after,
            },
        )
        for each in allowed
    ]
    return [*results, *intents]


def _planned(
    change_id: int, delta: Delta, step: int, values: Mapping[str, float], history: ChangeHistory, rules: Rules
) -> Planned:
    before = values[delta.parameter]
    move = Move(step, before, delta.resolve(before))
    proposed = ProposedChange(rules.registry[delta.parameter], move, history.moves(delta.parameter), rules.conditions)
    return Planned(change_id, delta, move, judge_proposal(rules.guards, proposed))


def _denied_with(planned: Planned, obstacle: Planned) -> Planned:
    by = f"{obstacle.guard_result.decision.value} by {obstacle.guard_result.guard}"
    reason = f"{obstacle.delta.parameter} of the same proposal: {by}, {obstacle.guard_result.reason}"
    return replace(planned, guard_result=GuardResult(Decision.DENY, _TOGETHER, planned.move.before, reason))
