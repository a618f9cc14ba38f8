"""The two logs of a soak read together: per iteration what was measured, decided, proposed, and what came of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.change import ChangeHistory, ChangeRecord, Kind
from seedbed.errors import StoreCorrupt
from seedbed.records import Entry
from seedbed.soak._controller import Controller, IterationDecision
from seedbed.soak._evidence import Ending, Head, Measured, parse_evidence

__all__ = ["DecidedIteration", "IterationRecord", "decided_iterations", "episodes"]


@dataclass(frozen=True, slots=True)
class DecidedIteration:
    """One measured iteration and the decision that followed; `evidence` is where its log then stood."""

    measured: Measured
    evidence: Head
    decision: IterationDecision


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """A reading and the changes proposed on it, as they stand in the end; `new_hash` is the state that they led to."""

    measured: Measured
    evidence: Head
    decision: IterationDecision
    records: tuple[ChangeRecord, ...]
    new_hash: str


def decided_iterations(
    course: Controller, evidence: Sequence[Entry], changes: Sequence[Entry]
) -> list[DecidedIteration]:
    """Every measured iteration, decided anew. Raises StoreCorrupt where the two logs contradict each other."""
    history, taken, found = ChangeHistory(), 0, []
    for entry, record in parse_evidence(evidence):
        if isinstance(record, Ending):
            course.end_after(record.length)
        elif isinstance(record, Measured):
            taken = _advance(history, changes, taken, _position(record, changes))
            taken = _advance(history, changes, taken, _effects_end(changes, taken))
            head = Head(entry.sequence, entry.digest)
            found.append(DecidedIteration(record, head, course.observe(record, history)))
    return found


def episodes(
    found: Sequence[DecidedIteration], history: ChangeHistory, last_hash: str, *, first: int = 0
) -> Iterator[IterationRecord]:
    """Each reading, from the one at place `first` on, with what became of it.

    `last_hash` is the state that the settings file holds in the end.
    """
    for number, reading in enumerate(found[first:], start=first):
        is_last = number + 1 == len(found)
        new_hash = last_hash if is_last else found[number + 1].measured.state_hash
        records = history.at_step(reading.measured.iteration)
        yield IterationRecord(reading.measured, reading.evidence, reading.decision, records, new_hash)


def _position(measured: Measured, changes: Sequence[Entry]) -> int:
    """How many records the change journal held when the iteration was measured."""
    head = measured.changes
    known = head.sequence == 0 or (head.sequence <= len(changes) and changes[head.sequence - 1].digest == head.digest)
    if not known:
        raise StoreCorrupt(
            f"iteration {measured.iteration} was measured when the change journal ended in record {head.sequence}, "
            f"{head.digest[:12]}…, which it does not hold: the journal was altered or is another's"
        )
    return head.sequence


def _effects_end(changes: Sequence[Entry], taken: int) -> int:
    """Where the effects that a measurement showed end: they are noted before anything else is proposed."""
    while taken < len(changes) and changes[taken].kind in {Kind.EFFECTIVE, Kind.FAILED}:
        taken += 1
    return taken


def _advance(history: ChangeHistory, changes: Sequence[Entry], taken: int, until: int) -> int:
    for entry in changes[taken:until]:
        history.advance(entry)
    return max(taken, until)
