"""Checks the plant's own log: its form, its order, and whether the states that the changes led to were delivered."""

from collections.abc import Iterator, Sequence

from seedbed.records import MemoryJournal
from seedbed.soak._evidence import DeliveryRecord, EndingRecord, MeasurementRecord, PlanRecord, kind_and_payload
from seedbed.soak._readback import SoakReadback
from seedbed.soak.verify._segment import Segment
from seedbed.soak.verify._verification import Accusation, Flaw

__all__ = ["delivery_flaws", "evidence_flaws"]


def evidence_flaws(readback: SoakReadback) -> Iterator[Accusation]:
    """What is wrong with the log, without regard to the change journal."""
    yield from _form(readback)
    yield from _order(readback)
    yield from _heads(readback)
    registry = readback.assembly.registry
    for number, record in enumerate(readback.evidence_records, start=1):
        if isinstance(record, DeliveryRecord) and record.state_hash != registry.state_hash(record.delivered):
            yield _accused(number, "its hash is not that of the settings that were handed over")


def delivery_flaws(segment: Segment, states: Sequence[str], before: str) -> Iterator[Accusation]:
    """Whether the deliveries after this measurement are states of the settings file, in their order.

    `states` holds the states that the changes led through, `before` the one last delivered before the measurement.
    """
    place, at = f"evidence.log, iteration {segment.iteration}", 0
    if segment.measured.state_hash != before:
        what = f"ran on state {segment.measured.state_hash[:12]}…, the plant was last handed {before[:12]}…"
        yield Accusation(Flaw.EVIDENCE, place, what)
    for delivery in segment.deliveries:
        if delivery.state_hash not in states[at:]:
            what = f"afterwards the plant was handed state {delivery.state_hash[:12]}…, to which no change led then"
            yield Accusation(Flaw.EVIDENCE, place, what)
            return
        at = states.index(delivery.state_hash, at)


def _form(readback: SoakReadback) -> Iterator[Accusation]:
    """Every record, read and written again, must have the same bytes: no more fields, and no other spelling."""
    again = MemoryJournal().append_all([kind_and_payload(record) for record in readback.evidence_records])
    for entry, expected in zip(readback.evidence, again, strict=True):
        if entry.digest != expected.digest:
            yield _accused(entry.sequence, "it holds more, or spells otherwise, than what is read from it")
            return


def _order(readback: SoakReadback) -> Iterator[Accusation]:
    iteration, length = 0, readback.plan.iterations
    first = 2 if readback.evidence_records and isinstance(readback.evidence_records[0], PlanRecord) else 1
    for number, record in enumerate(readback.evidence_records, start=1):
        match record:
            case MeasurementRecord():
                iteration += 1
                if record.iteration != iteration:
                    yield _accused(number, f"it tells of iteration {record.iteration}, expected {iteration} here")
            case EndingRecord():
                least = iteration + readback.assembly.profile.ramp_down
                if not least == record.length < length:
                    what = f"it ends the soak after {record.length} iterations, expected {least} when it was asked to"
                    yield _accused(number, what)
                length = record.length
            case DeliveryRecord():
                initial = dict(readback.assembly.plant().initial)
                if number == first and dict(record.delivered) != initial:
                    yield _accused(number, "the plant was not handed the settings that it begins with")
            case PlanRecord() if number > 1:
                yield _accused(number, "it names a plan, which only the first record does")
    begun = readback.evidence_records[first - 1 : first]
    if begun and not isinstance(begun[0], DeliveryRecord):
        yield _accused(first, "the plant was measured before it was handed any settings")
    if iteration > length:
        yield Accusation(Flaw.EVIDENCE, "evidence.log", f"holds {iteration} iterations of {length}")


def _heads(readback: SoakReadback) -> Iterator[Accusation]:
    """Each measurement names the end of the change journal: the first one an empty journal, none an earlier end."""
    heads = [each.measured.changes.sequence for each in readback.iterations]
    if heads[:1] not in ([], [0]):
        yield Accusation(Flaw.EVIDENCE, "evidence.log, iteration 1", "was measured after a change, expected none yet")
    for at in range(1, len(heads)):
        if heads[at] < heads[at - 1]:
            what = f"the change journal stood at {heads[at]}, before it at {heads[at - 1]}"
            yield Accusation(Flaw.EVIDENCE, f"evidence.log, iteration {at + 1}", what)


def _accused(number: int, what: str) -> Accusation:
    return Accusation(Flaw.EVIDENCE, f"evidence.log, record {number}", what)
