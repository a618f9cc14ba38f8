"""The iterations of a soak, read from both logs: what was measured, decided and proposed, and how each change ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.change import ChangeHistory, ChangeRecord, Kind
from seedbed.errors import StoreCorrupt
from seedbed.records import Entry
from seedbed.soak._controller import Controller, IterationDecision
from seedbed.soak._evidence import EndingRecord, Head, MeasurementRecord, parse_evidence

__all__ = ["IterationRecord", "MeasuredIteration", "decided_iterations", "iteration_records"]


@dataclass(frozen=True, slots=True)
class MeasuredIteration:
    """One measured iteration and the decision after it. `evidence` is its own place in the plant's log."""

    measured: MeasurementRecord
    evidence: Head
    decision: IterationDecision


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """One iteration with its decision and its proposed changes, as they ended. They led to state `new_hash`."""

    measured: MeasurementRecord
    evidence: Head
    decision: IterationDecision
    changes: tuple[ChangeRecord, ...]
    new_hash: str


def decided_iterations(
    controller: Controller, evidence: Sequence[Entry], changes: Sequence[Entry]
) -> list[MeasuredIteration]:
    """Decide every measured iteration again. Raises StoreCorrupt where the two logs contradict each other."""
    history, num_read, found = ChangeHistory(), 0, []
    for entry, record in parse_evidence(evidence):
        if isinstance(record, EndingRecord):
            controller.end_after(record.length)
        elif isinstance(record, MeasurementRecord):
            num_read = _advance(history, changes, num_read, _position(record, changes))
            num_read = _advance(history, changes, num_read, _effects_end(changes, num_read))
            head = Head(entry.sequence, entry.digest)
            found.append(MeasuredIteration(record, head, controller.observe(record, history)))
    return found


def iteration_records(
    decided: Sequence[MeasuredIteration], history: ChangeHistory, last_hash: str, *, first: int = 0
) -> Iterator[IterationRecord]:
    """Each iteration from index `first` on, with its changes. `last_hash` is the final state of the settings file."""
    for index, each in enumerate(decided[first:], start=first):
        is_last = index + 1 == len(decided)
        new_hash = last_hash if is_last else decided[index + 1].measured.state_hash
        changes = history.at_step(each.measured.iteration)
        yield IterationRecord(each.measured, each.evidence, each.decision, changes, new_hash)


def _position(measured: MeasurementRecord, changes: Sequence[Entry]) -> int:
    """How many records the change journal held when the iteration was measured."""
    head = measured.changes
    known = head.sequence == 0 or (head.sequence <= len(changes) and changes[head.sequence - 1].digest == head.digest)
    if not known:
        raise StoreCorrupt(
            f"iteration {measured.iteration} was measured when the change journal ended in record {head.sequence}, "
            f"{head.digest[:12]}…, which it does not hold: the journal was altered or is another's"
        )
    return head.sequence


def _effects_end(changes: Sequence[Entry], num_read: int) -> int:
    """The index after the effects that a measurement showed. They are recorded before the next proposal."""
    while num_read < len(changes) and changes[num_read].kind in {Kind.EFFECTIVE, Kind.FAILED}:
        num_read += 1
    return num_read


def _advance(history: ChangeHistory, changes: Sequence[Entry], num_read: int, until: int) -> int:
    for entry in changes[num_read:until]:
        history.advance(entry)
    return max(num_read, until)
