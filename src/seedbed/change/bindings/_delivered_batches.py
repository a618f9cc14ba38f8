"""Counting the batches that the loop really gets; a sampler sees more, since workers fetch ahead."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from seedbed.errors import InvalidInput

__all__ = ["BatchListener", "num_rows", "track_batches"]

Batch = TypeVar("Batch")


class BatchListener(Protocol):
    """Counts the batches that reach the loop.

    While it `is_asked` nothing, because nobody waits for a change of its batches to be used, it is told of the first
    batch of a pass alone: to count the rows of each takes longer than most of what a step needs besides.
    """

    @property
    def is_asked(self) -> bool:
        """Whether it must see every batch."""

    def begin(self) -> None:
        """A pass over the loader begins: batches that are fetched from now on have not reached the loop yet."""

    def delivered(self, num_rows: int) -> None:
        """The loop got the next batch, of `num_rows` rows."""


def num_rows(batch: object) -> int:
    """The number of rows of a batch: the first dimension of its first tensor, also inside tuples, lists and mappings.

    Raises InvalidInput when it finds no tensor.
    """
    part = batch
    while not isinstance(part, Tensor):  # a loop, since this is asked at every step
        if isinstance(part, list | tuple) and part:
            part = part[0]
        elif isinstance(part, Mapping) and part:
            part = next(iter(part.values()))
        elif isinstance(part, Sequence) and not isinstance(part, str) and part:
            part = part[0]
        else:
            raise _uncounted(part)
    if not part.ndim:
        raise _uncounted(part)
    return part.shape[0]


def _uncounted(part: object) -> InvalidInput:
    return InvalidInput(
        f"cannot count the rows of a {type(part).__name__}; pass track_batches(loader, ..., rows=your function)"
    )


def track_batches(
    loader: Iterable[Batch], *listeners: BatchListener, rows: Callable[[Batch], int] = num_rows
) -> Iterator[Batch]:
    """The loader's batches; each sampler in `listeners` counts a batch when the loop gets it.

    Use it as `for batch in track_batches(loader, sampler)`. Workers fetch ahead, so a sampler alone knows what was
    requested and not what arrived. The loader must keep the order of its sampler, as DataLoader does unless
    in_order=False.
    """
    for each in listeners:
        each.begin()
    is_first = True
    for batch in loader:
        for each in listeners:
            if is_first or each.is_asked:
                each.delivered(rows(batch))
        is_first = False
        yield batch
