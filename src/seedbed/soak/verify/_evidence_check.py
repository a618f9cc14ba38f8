"""The plant's own log: its form and order, and whether the plant was handed what the changes led to."""

from collections.abc import Iterator, Sequence

from seedbed.records import MemoryJournal
from seedbed.soak._evidence import Ending, Held, Measured, written
from seedbed.soak._readback import SoakReadback
from seedbed.soak.verify._segment import Segment
from seedbed.soak.verify._verification import Accusation, Flaw

__all__ = ["evidence_flaws", "handed_flaws"]


def evidence_flaws(found: SoakReadback) -> Iterator[Accusation]:
    """What is wrong with the log in itself."""
    yield from _form(found)
    yield from _order(found)
    yield from _heads(found)
    registry = found.assembly.registry
    for number, record in enumerate(found.records, start=1):
        if isinstance(record, Held) and record.state_hash != registry.state_hash(record.handed):
            yield _accused(number, "its hash is not that of the settings that were handed over")


def handed_flaws(segment: Segment, path: Sequence[str], before: str) -> Iterator[Accusation]:
    """Whether what the plant was handed after this measurement are states of the settings file, in their order.

    `path` holds the states that the changes led through, `before` the one last handed over when it was measured.
    """
    place, at = f"evidence.log, iteration {segment.iteration}", 0
    if segment.measured.state_hash != before:
        what = f"ran on state {segment.measured.state_hash[:12]}…, the plant was last handed {before[:12]}…"
        yield Accusation(Flaw.EVIDENCE, place, what)
    for held in segment.helds:
        if held.state_hash not in path[at:]:
            what = f"afterwards the plant was handed state {held.state_hash[:12]}…, to which no change led then"
            yield Accusation(Flaw.EVIDENCE, place, what)
            return
        at = path.index(held.state_hash, at)


def _form(found: SoakReadback) -> Iterator[Accusation]:
    """Every record holds what is read from it, spelled as it is written, and nothing else."""
    again = MemoryJournal().append_all([written(record) for record in found.records])
    for entry, expected in zip(found.evidence, again, strict=True):
        if entry.digest != expected.digest:
            yield _accused(entry.sequence, "it holds more, or spells otherwise, than what is read from it")
            return


def _order(found: SoakReadback) -> Iterator[Accusation]:
    iteration, length = 0, found.plan.iterations
    for number, record in enumerate(found.records, start=1):
        match record:
            case Measured():
                iteration += 1
                if record.iteration != iteration:
                    yield _accused(number, f"it tells of iteration {record.iteration}, expected {iteration} here")
            case Ending():
                least = iteration + found.assembly.profile.ramp_down
                if not least == record.length < length:
                    what = f"it ends the soak after {record.length} iterations, expected {least} when it was asked to"
                    yield _accused(number, what)
                length = record.length
            case Held():
                is_first = number == 1
                initial = dict(found.assembly.plant().initial)
                if is_first and dict(record.handed) != initial:
                    yield _accused(number, "the plant was not handed the settings that it begins with")
    if found.records and not isinstance(found.records[0], Held):
        yield _accused(1, "the plant was measured before it was handed any settings")
    if iteration > length:
        yield Accusation(Flaw.EVIDENCE, "evidence.log", f"holds {iteration} iterations of {length}")


def _heads(found: SoakReadback) -> Iterator[Accusation]:
    """Every measurement names where the change journal stood: first nowhere, and never further back."""
    heads = [episode.measured.changes.sequence for episode in found.told]
    if heads[:1] not in ([], [0]):
        yield Accusation(Flaw.EVIDENCE, "evidence.log, iteration 1", "was measured after a change, expected none yet")
    for at in range(1, len(heads)):
        if heads[at] < heads[at - 1]:
            what = f"the change journal stood at {heads[at]}, before it at {heads[at - 1]}"
            yield Accusation(Flaw.EVIDENCE, f"evidence.log, iteration {at + 1}", what)


def _accused(number: int, what: str) -> Accusation:
    return Accusation(Flaw.EVIDENCE, f"evidence.log, record {number}", what)
