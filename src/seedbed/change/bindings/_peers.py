"""Other engines that make the same changes, such as those of the other processes of one training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from seedbed.change.bindings._binding import Use

__all__ = ["Peers", "Sighting", "joined_sightings"]


class Peers(Protocol):
    """The other engines that make each change together with this one, or not at all."""

    def agreed(self, wrong: str) -> str:
        """Whether a change is made and read back everywhere: "" then, else why each engine must undo it.

        `wrong` says why it is wrong here. Each engine calls it once for each proposal that its guards let through.
        """


@final
@dataclass(frozen=True)
class Sighting:
    """What one engine saw of a change: used or lost at `step`, or, while it is open, what stands in the way."""

    use: Use
    step: int = 0
    why: str = ""


def joined_sightings(seen: Sequence[Mapping[int, Sighting]]) -> dict[int, Sighting]:
    """What all engines together saw of each change, by id; `seen` are those of each engine, by its rank.

    It is in use when every engine used it, at the last of their steps; it is lost when one of them lost it.
    """
    changes = sorted({change_id for each in seen for change_id in each})
    return {change_id: _joined([each.get(change_id) for each in seen]) for change_id in changes}


def _joined(seen: Sequence[Sighting | None]) -> Sighting:
    for rank, each in enumerate(seen):
        if each is not None and each.use is Use.LOST:
            return Sighting(Use.LOST, each.step, f"rank {rank}: {each.why}")
    used = [each.step for each in seen if each is not None and each.use is Use.USED]
    if len(used) == len(seen):
        return Sighting(Use.USED, max(used))
    behind = [rank for rank, each in enumerate(seen) if each is None or each.use is Use.OPEN]
    reasons = "; ".join(f"rank {rank}: {_reason(seen[rank])}" for rank in behind)
    return Sighting(Use.OPEN, 0, reasons)


def _reason(seen: Sighting | None) -> str:
    return seen.why if seen is not None and seen.why else "no step was seen to use it"
