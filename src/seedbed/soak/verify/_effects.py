"""The record that the change journal must hold for each change, by what a measurement showed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedbed.change import ChangeRecord, Kind, Registry
from seedbed.errors import InvalidInput
from seedbed.records import Entry, canonical_json
from seedbed.soak._evidence import MeasurementRecord

__all__ = ["ExpectedEntry", "expected_effect", "is_effect", "same", "watch_order_with"]

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExpectedEntry:
    """A record expected in the change journal: its kind, and the payloads allowed, in the engine's words."""

    kind: Kind
    payloads: Sequence[Payload]

    def allows(self, entry: Entry) -> bool:
        """Whether the record has this kind and one of these payloads exactly."""
        return entry.kind == self.kind and any(same(payload, entry.payload) for payload in self.payloads)


def same(expected: object, found: object) -> bool:
    """Whether two values have the same canonical JSON. In Python true equals 1; here it does not."""
    try:
        return canonical_json(expected) == canonical_json(found)
    except InvalidInput:
        return False


def is_effect(entry: Entry) -> bool:
    """Whether a record says what a step used."""
    return entry.kind == Kind.EFFECTIVE or (entry.kind == Kind.FAILED and "step" in entry.payload)


def expected_effect(record: ChangeRecord, measured: MeasurementRecord, registry: Registry) -> ExpectedEntry | None:
    """The record that the journal must hold of a watched change after this measurement; None when nothing is new."""
    used, step = measured.plant.used.get(record.delta.parameter), measured.iteration
    is_effective = record.phase is Kind.EFFECTIVE
    if used == record.after:
        return None if is_effective else ExpectedEntry(Kind.EFFECTIVE, [{"id": record.id, "step": step, "found": used}])
    waited = step - record.step
    if not is_effective and used == record.before and waited < registry[record.delta.parameter].lag_steps:
        return None
    known = {} if used is None else {"found": used}
    payloads = [
        {"id": record.id, "reason": reason, "step": step, **known} for reason in _loss_reasons(record, used, step)
    ]
    return ExpectedEntry(Kind.FAILED, payloads)


def watch_order_with(order: Sequence[int], added: Mapping[int, str], keys: Mapping[int, str]) -> tuple[int, ...]:
    """The order of the watched changes after those in `added`. Each replaces an earlier change of the same key."""
    replaced = set(added.values())
    return (*(each for each in order if keys[each] not in replaced), *added)


def _loss_reasons(record: ChangeRecord, used: float | None, step: int) -> Iterator[str]:
    """The reasons allowed. There may be two: a process that resumed the soak does not know the value before."""
    if used is None:
        yield f"at step {step}: expected {record.after:g}, found nan; the step did not say what it ran with"
        return
    start = f"at step {step}: expected {record.after:g}, found {used:g}; the step ran with {used:g}, "
    yield f"{start}which nobody set here"
    if record.phase is not Kind.EFFECTIVE and used == record.before:
        yield f"{start}still, {step - record.step} steps after"
