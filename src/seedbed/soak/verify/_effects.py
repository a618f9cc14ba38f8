"""What a measurement must have shown of each change that the plant was to use, and what the journal then says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedbed.change import ChangeRecord, Kind, Registry
from seedbed.errors import InvalidInput
from seedbed.records import Entry, canonical_json
from seedbed.soak._evidence import Measured

__all__ = ["Due", "effect_of", "is_effect", "later_use", "same"]

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """A record that should stand in the change journal: its kind, and what it may say, in the words of the engine."""

    kind: Kind
    payloads: Sequence[Payload]

    def fits(self, entry: Entry) -> bool:
        """Whether the record says one of these things, exactly."""
        return entry.kind == self.kind and any(same(payload, entry.payload) for payload in self.payloads)


def same(expected: object, found: object) -> bool:
    """Whether two JSON values are written alike: true is not 1 here, as it would be in Python."""
    try:
        return canonical_json(expected) == canonical_json(found)
    except InvalidInput:
        return False


def is_effect(entry: Entry) -> bool:
    """Whether a record tells what a step used."""
    return entry.kind == Kind.EFFECTIVE or (entry.kind == Kind.FAILED and "step" in entry.payload)


def effect_of(record: ChangeRecord, measured: Measured, registry: Registry) -> Due | None:
    """What the journal must note of a watched change after this measurement; None when there is nothing new."""
    used, step = measured.plant.used.get(record.delta.parameter), measured.iteration
    is_proven = record.phase is Kind.EFFECTIVE
    if used == record.after:
        return None if is_proven else Due(Kind.EFFECTIVE, [{"id": record.id, "step": step, "found": used}])
    waited = step - record.step
    if not is_proven and used == record.before and waited < registry[record.delta.parameter].lag_steps:
        return None
    known = {} if used is None else {"found": used}
    payloads = [{"id": record.id, "reason": reason, "step": step, **known} for reason in _lost(record, used, step)]
    return Due(Kind.FAILED, payloads)


def later_use(order: Sequence[int], added: Mapping[int, str], keys: Mapping[int, str]) -> tuple[int, ...]:
    """The order in which changes are watched once those `added` are: each takes the place of one of the same key."""
    replaced = set(added.values())
    return (*(each for each in order if keys[each] not in replaced), *added)


def _lost(record: ChangeRecord, used: float | None, step: int) -> Iterator[str]:
    """The reasons that may be told: a process that was begun anew no longer knows which value came before."""
    if used is None:
        yield f"at step {step}: expected {record.after:g}, found nan; the step did not say what it ran with"
        return
    told = f"at step {step}: expected {record.after:g}, found {used:g}; the step ran with {used:g}, "
    yield f"{told}which nobody set here"
    if record.phase is not Kind.EFFECTIVE and used == record.before:
        yield f"{told}still, {step - record.step} steps after"
