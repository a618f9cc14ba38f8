"""A soak's logs cut into iterations: what each log holds from one measurement to the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.records import Entry
from seedbed.soak._controller import IterationDecision
from seedbed.soak._evidence import Held, Measured
from seedbed.soak._readback import SoakReadback

__all__ = ["Segment", "segments"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One iteration: its measurement, the decision that followed, and what both logs hold until the next one.

    `helds` are what the plant was handed meanwhile. `may_break_off` is true of the last of a soak that goes on: there a
    process may have ended anywhere.
    """

    measured: Measured
    decision: IterationDecision
    changes: Sequence[Entry]
    helds: Sequence[Held]
    may_break_off: bool

    @property
    def iteration(self) -> int:
        """Its number, counted from 1."""
        return self.measured.iteration


def segments(found: SoakReadback, *, ended: bool) -> Iterator[Segment]:
    """Every iteration, in order. `ended` says that no process will go on."""
    starts = [episode.measured.changes.sequence for episode in found.told]
    helds = _helds(found)
    for at, episode in enumerate(found.told):
        is_last = at + 1 == len(found.told)
        until = len(found.changes) if is_last else starts[at + 1]
        changes = found.changes[starts[at] : until]
        yield Segment(episode.measured, episode.decision, changes, helds[at], is_last and not ended)


def _helds(found: SoakReadback) -> list[list[Held]]:
    by_iteration: list[list[Held]] = []
    for record in found.records:
        if isinstance(record, Measured):
            by_iteration.append([])
        elif isinstance(record, Held) and by_iteration:
            by_iteration[-1].append(record)
    return by_iteration
