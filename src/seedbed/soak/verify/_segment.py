"""The logs of a soak, divided into iterations: the records of both logs from one measurement to the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.records import Entry
from seedbed.soak._controller import IterationDecision
from seedbed.soak._evidence import DeliveryRecord, MeasurementRecord
from seedbed.soak._readback import SoakReadback

__all__ = ["Segment", "segments"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One iteration: its measurement, the decision after it, and the records of both logs until the next measurement.

    `may_be_cut` is true for the last iteration of a soak that has not ended: a process may have ended anywhere in it.
    """

    measured: MeasurementRecord
    decision: IterationDecision
    changes: Sequence[Entry]
    deliveries: Sequence[DeliveryRecord]
    may_be_cut: bool

    @property
    def iteration(self) -> int:
        """Its number, counted from 1."""
        return self.measured.iteration


def segments(readback: SoakReadback, *, ended: bool) -> Iterator[Segment]:
    """Every iteration, in order. `ended` says whether the soak has ended."""
    starts = [each.measured.changes.sequence for each in readback.iterations]
    deliveries = _deliveries(readback)
    for at, each in enumerate(readback.iterations):
        is_last = at + 1 == len(readback.iterations)
        until = len(readback.changes) if is_last else starts[at + 1]
        changes = readback.changes[starts[at] : until]
        yield Segment(each.measured, each.decision, changes, deliveries[at], is_last and not ended)


def _deliveries(readback: SoakReadback) -> list[list[DeliveryRecord]]:
    by_iteration: list[list[DeliveryRecord]] = []
    for record in readback.evidence_records:
        if isinstance(record, MeasurementRecord):
            by_iteration.append([])
        elif isinstance(record, DeliveryRecord) and by_iteration:
            by_iteration[-1].append(record)
    return by_iteration
