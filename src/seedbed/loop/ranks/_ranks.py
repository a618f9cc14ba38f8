"""The processes of one training, and how they tell each other something, all at the same place of their loops."""

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final
from weakref import ReferenceType, WeakKeyDictionary, ref

import torch
import torch.distributed as dist

from seedbed.errors import Conflict, ContractBroken, SeedbedError

__all__ = ["Place", "Ranks", "Said"]


@final
class Place(enum.Enum):
    """Where a process is when it tells the others something; it is part of every message, so that none is mistaken."""

    BEGIN = "begins its run"
    BETWEEN = "is between two steps"
    PROPOSE = "is in run.propose"
    VOTE = "has tried a change"
    RESTORE = "is in run.restore"
    CHECKPOINT = "is in run.checkpoint"
    SAVED = "has taken its part of a checkpoint"
    FINISH = "finishes its run"
    AUDIT = "closes its ledger"
    COMMIT = "is at the end of its run"


_PLACES = list(Place)


@final
@dataclass(frozen=True)
class Said:
    """What one process told the others: two numbers, whose meaning depends on the place, and a text."""

    first: int
    second: int
    text: str


@final
class Ranks:
    """The processes of one training, of which this is number `rank` of `size`. Rank 0 leads.

    They talk through a group of their own on the CPU (gloo), beside what the training sends. Only numbers and text are
    sent, nothing that is unpickled. After an error of the group `is_broken` is true, and nothing more can be said.
    """

    def __init__(self, group: Any) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.is_broken = False
        self._group = group

    @classmethod
    def found(cls) -> "Ranks | None":
        """The processes of this training; None for a single one. Each of them calls it at the same place."""
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return None
        return cls(_group_of(dist.group.WORLD))

    @staticmethod
    def may_come() -> bool:
        """Whether this process was launched as one of several that have not met yet, such as by torchrun."""
        return not (dist.is_available() and dist.is_initialized()) and os.environ.get("WORLD_SIZE", "1") != "1"

    @property
    def leads(self) -> bool:
        """Whether this process keeps the record, takes requests and prints."""
        return self.rank == 0

    def place(self) -> dict[str, int]:
        """Which process this is, as a checkpoint keeps it."""
        return {"rank": self.rank, "size": self.size}

    def leave(self) -> None:
        """The run has ended, and says nothing more."""
        self._group, self.is_broken = None, True

    def exchange(self, place: Place, first: int = 0, second: int = 0, text: str = "") -> list[Said]:
        """Tell all, and hear all, by rank: one small collective, and a second one where any has a text.

        Raises ContractBroken where a process is at another place, and Conflict where one has ended.
        """
        try:
            return self._exchange(place, first, second, text.encode())
        except BaseException as problem:
            self.is_broken = True
            if isinstance(problem, RuntimeError) and not isinstance(problem, SeedbedError):
                raise Conflict(
                    f"rank {self.rank} {place.value} and waited for the others, of which one has ended or is not "
                    f"reached: start all of them again from the last checkpoint ({problem})"
                ) from problem
            raise

    def led(self, place: Place, do: Callable[[], str]) -> str:
        """What `do` returns on rank 0, where alone it is called. Raises its error there, and Conflict elsewhere."""
        if not self.leads:
            said = self.exchange(place)[0]
            if said.first:
                raise Conflict(f"rank 0: {said.text}")
            return said.text
        try:
            text = do()
        except BaseException as problem:
            self.exchange(place, first=1, text=f"{type(problem).__name__}: {problem}")
            raise
        self.exchange(place, text=text)
        return text

    def _exchange(self, place: Place, first: int, second: int, data: bytes) -> list[Said]:
        heads = self._gathered(torch.tensor([_PLACES.index(place), first, second, len(data)], dtype=torch.int64))
        read = [head.tolist() for head in heads]
        if any(each[0] != read[self.rank][0] for each in read):
            where = "; ".join(f"rank {rank} {_PLACES[each[0]].value}" for rank, each in enumerate(read))
            raise ContractBroken(
                f"the processes of the run are at different places: {where}; each of them must call the same methods "
                "of the run in the same order"
            )
        longest = max(each[3] for each in read)
        texts = [b""] * self.size
        if longest:
            padded = torch.frombuffer(bytearray(data.ljust(longest, b"\0")), dtype=torch.uint8)
            texts = [bytes(part.numpy()) for part in self._gathered(padded)]
        return [Said(each[1], each[2], text[: each[3]].decode()) for each, text in zip(read, texts, strict=True)]

    def _gathered(self, mine: torch.Tensor) -> list[torch.Tensor]:
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(parts, mine, group=self._group)
        return parts


# The group of each world that was initialised, for all runs of the process. PyTorch owns it until it is destroyed with
# its world; kept longer, it would end the process with an abort at its exit.
_groups: WeakKeyDictionary[Any, ReferenceType[Any]] = WeakKeyDictionary()


def _group_of(world: Any) -> Any:
    known = _groups.get(world)
    group = None if known is None else known()
    if group is None:
        group = dist.new_group(backend="gloo")
        _groups[world] = ref(group)
    return group
