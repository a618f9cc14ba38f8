"""What a proposal comes to, before anything is touched: each delta resolved, and judged by the guards. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from seedbed.change._history import ChangeHistory, Kind
from seedbed.change._ledger import Note
from seedbed.change.guards._guards import GUARDS, judge_proposal
from seedbed.change.guards._proposal import Conditions, Decision, Guard, GuardResult, Move, ProposedChange
from seedbed.change.parameters._delta import Delta
from seedbed.change.parameters._registry import Registry

__all__ = ["Planned", "Rules", "judged_notes", "plan", "proposed_notes", "retried_notes"]

_TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class Rules:
    """What proposals are judged by: the parameters' limits, the guards in their order, and what holds now.

    `whole` asks for all of a proposal as it is, or nothing of it; otherwise it may be applied in part.
    """

    registry: Registry
    guards: Sequence[Guard] = GUARDS
    conditions: Conditions = field(default_factory=Conditions)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """One delta of a proposal, resolved against the live values, and its ruling. `id` is that of its change."""

    id: int
    delta: Delta
    move: Move
    ruling: GuardResult

    @property
    def denied(self) -> bool:
        """Whether a guard stopped it."""
        return self.ruling.decision is Decision.DENY


def plan(
    deltas: Iterable[tuple[int, Delta]], step: int, values: Mapping[str, float], history: ChangeHistory, rules: Rules
) -> tuple[Planned, ...]:
    """Each delta, by its change's id, on the live `values` (by key), judged by its own parameter's history alone.

    Raises InvalidInput when an operation overflows.
    """
    planned = tuple(_planned(change_id, delta, step, values, history, rules) for change_id, delta in deltas)
    hurdle = next((each for each in planned if each.ruling.decision is not Decision.ALLOW), None)
    if not rules.whole or hurdle is None:
        return planned
    return tuple(each if each.denied else _denied_with(each, hurdle) for each in planned)


def proposed_notes(planned: Sequence[Planned], registry: Registry, state: str) -> list[Note]:
    """What the journal is told of a proposal made on the state of that hash."""
    return [
        (
            Kind.PROPOSED,
            {
                "id": each.id,
                "batch": planned[0].id,
                "step": each.move.step,
                "parameter": each.delta.parameter,
                "unit": registry[each.delta.parameter].unit,
                "op": {"kind": type(each.delta.op).__name__.upper(), "value": each.delta.op.value},
                "reason": each.delta.reason,
                "proposer": each.delta.proposer,
                "before": each.move.before,
                "wanted": each.move.after,
                "state": state,
            },
        )
        for each in planned
    ]


def retried_notes(planned: Sequence[Planned]) -> list[Note]:
    """What the journal is told when somebody else moved the state before the intent could be carried out."""
    reason = "another writer moved the state first; resolved anew on the values found"
    return [
        (Kind.RETRIED, {"id": each.id, "before": each.move.before, "wanted": each.move.after, "reason": reason})
        for each in planned
    ]


def judged_notes(planned: Sequence[Planned], registry: Registry, values: Mapping[str, float], state: str) -> list[Note]:
    """The rulings, and an intent for whatever they let through: from `state`, the hash of `values`, to the next one."""
    rulings: list[Note] = [
        (
            Kind.GUARDED,
            {
                "id": each.id,
                "decision": each.ruling.decision.value,
                "guard": each.ruling.guard,
                "after": each.ruling.after,
                "reason": each.ruling.reason,
            },
        )
        for each in planned
    ]
    allowed = [each for each in planned if not each.denied]
    if not allowed:
        return rulings
    after = registry.state_hash({**values, **{each.delta.parameter: each.ruling.after for each in allowed}})
    intents: list[Note] = [
        (
            Kind.INTENT,
            {
                "id": each.id,
                "before": each.move.before,
                "after": each.ruling.after,
                "state": state,
                "state_after": after,
            },
        )
        for each in allowed
    ]
    return [*rulings, *intents]


def _planned(
    change_id: int, delta: Delta, step: int, values: Mapping[str, float], history: ChangeHistory, rules: Rules
) -> Planned:
    before = values[delta.parameter]
    move = Move(step, before, delta.resolve(before))
    case = ProposedChange(rules.registry[delta.parameter], move, history.moves(delta.parameter), rules.conditions)
    return Planned(change_id, delta, move, judge_proposal(rules.guards, case))


def _denied_with(planned: Planned, hurdle: Planned) -> Planned:
    by = f"{hurdle.ruling.decision.value} by {hurdle.ruling.guard}"
    reason = f"{hurdle.delta.parameter} of the same proposal: {by}, {hurdle.ruling.reason}"
    return replace(planned, ruling=GuardResult(Decision.DENY, _TOGETHER, planned.move.before, reason))
