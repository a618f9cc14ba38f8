"""The batches that a loop really gets, as samplers of ours need to know them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from seedbed.errors import InvalidInput

__all__ = ["Handed", "handed", "num_rows"]

Batch = TypeVar("Batch")


class Handed(Protocol):
    """What is told of each batch that reaches the loop."""

    def begin(self) -> None:
        """A pass over the loader begins: nothing that is fetched from now on was handed over before."""

    def hand(self, num_rows: int) -> None:
        """The loop got the next batch, of so many rows."""


def num_rows(batch: object) -> int:
    """The rows of a batch: the first size of its first tensor, within tuples, lists and mappings.

    Raises InvalidInput when it finds no tensor.
    """
    if isinstance(batch, Tensor) and batch.ndim:
        return batch.shape[0]
    if isinstance(batch, Mapping) and batch:
        return num_rows(next(iter(batch.values())))
    if isinstance(batch, Sequence) and not isinstance(batch, str) and batch:
        return num_rows(batch[0])
    raise InvalidInput(
        f"cannot tell how many rows a {type(batch).__name__} has; pass handed(loader, ..., rows=your function)"
    )


def handed(loader: Iterable[Batch], *told: Handed, rows: Callable[[Batch], int] = num_rows) -> Iterator[Batch]:
    """The loader's batches, each told to the samplers in `told` as the loop gets it: `for batch in handed(loader, s)`.

    Workers fetch ahead, so that a sampler alone knows what was asked for and not what arrived. The loader must keep
    the order of its sampler, as DataLoader does unless in_order=False.
    """
    for each in told:
        each.begin()
    for batch in loader:
        num = rows(batch)
        for each in told:
            each.hand(num)
        yield batch
