"""Counting the batches that the loop really gets; a sampler sees more, since workers fetch ahead."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from seedbed.errors import InvalidInput

__all__ = ["BatchListener", "num_rows", "track_batches"]

Batch = TypeVar("Batch")


class BatchListener(Protocol):
    """Counts the batches that reach the loop."""

    def begin(self) -> None:
        """A pass over the loader begins: batches that are fetched from now on have not reached the loop yet."""

    def delivered(self, num_rows: int) -> None:
        """The loop got the next batch, of `num_rows` rows."""


def num_rows(batch: object) -> int:
    """The number of rows of a batch: the first dimension of its first tensor, also inside tuples, lists and mappings.

    Raises InvalidInput when it finds no tensor.
    """
    if isinstance(batch, Tensor) and batch.ndim:
        return batch.shape[0]
    if isinstance(batch, list | tuple) and batch:  # the usual case first: this is asked at every step
        return num_rows(batch[0])
    if isinstance(batch, Mapping) and batch:
        return num_rows(next(iter(batch.values())))
    if isinstance(batch, Sequence) and not isinstance(batch, str) and batch:
        return num_rows(batch[0])
    raise InvalidInput(
        f"cannot count the rows of a {type(batch).__name__}; pass track_batches(loader, ..., rows=your function)"
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
    for batch in loader:
        num = rows(batch)
        for each in listeners:
            each.delivered(num)
        yield batch
