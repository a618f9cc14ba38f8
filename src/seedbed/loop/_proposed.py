"""What became of a proposal: the changes that it made, one for each setting that it was of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from seedbed.change import ChangeRecord, Kind
from seedbed.change._summary import report_of
from seedbed.contracts import Outcome
from seedbed.contracts._move import move_words
from seedbed.loop.steering._outcome import worst_of
from seedbed.render.html._fragments import change_html

__all__ = ["Proposed"]


@final
@dataclass(frozen=True, slots=True)
class Proposed:
    """The changes of one proposal, as they were when it returned: several settings are changed all or none.

    What it says of itself is said of the change that went worst; where there is one, of that one.
    """

    records: tuple[ChangeRecord, ...]

    def __iter__(self) -> Iterator[ChangeRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"<seedbed.Proposed {'; '.join(str(self).splitlines())}>"

    def __str__(self) -> str:
        return "\n".join(f"{each.outcome.value} {each.delta.parameter} {move_words(each)}" for each in self.records)

    def _repr_html_(self) -> str:
        """What a notebook shows: each change with its story."""
        return "".join(change_html(report_of(each)) for each in self.records)

    @property
    def outcome(self) -> Outcome:
        """How it ended; UNKNOWN until a step was seen to use it."""
        return self.worst.outcome

    @property
    def phase(self) -> Kind:
        """How far it came: APPLIED where every setting reads back as it was meant to."""
        return self.worst.phase

    @property
    def reason(self) -> str:
        """Why it went so."""
        return self.worst.reason

    @property
    def before(self) -> float:
        """The value before it, in the unit of the setting; of several, the first one's."""
        return self.records[0].before

    @property
    def after(self) -> float:
        """The value that the guards let through; of several, the first one's."""
        return self.records[0].after

    @property
    def worst(self) -> ChangeRecord:
        """The change that went worst; the first of those that went alike."""
        return worst_of(self.records)
