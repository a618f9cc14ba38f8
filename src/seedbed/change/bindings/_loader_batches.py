"""The batches of a plain DataLoader, whose size may change between two of them."""

from typing import final

from torch.utils.data import BatchSampler

from seedbed.change.bindings._use_watch import Uses
from seedbed.errors import InvalidInput

__all__ = ["LoaderBatches"]


@final
class LoaderBatches:
    """The batches that PyTorch's own BatchSampler gathers, as in `DataLoader(data, batch_size=8)`.

    `BatchSize(LoaderBatches(loader.batch_sampler), optimizer)` binds their size. The sampler reads its size at each
    batch; with drop_last it reads it once, when a pass begins, so that a change is seen in use in the next pass.
    `loader.batch_size` goes on showing the first size; `len(loader)` follows. The loop must read its batches through
    `track_batches(loader, batches)`. Raises InvalidInput for another class, whose reading of its size is not known.
    """

    def __init__(self, sampler: object) -> None:
        if type(sampler) is not BatchSampler:
            raise InvalidInput(
                f"the batch size of a {type(sampler).__module__}.{type(sampler).__qualname__} cannot be changed: how "
                "it reads its size is not known; use seedbed.change.ResizableBatchSampler as batch_sampler"
            )
        self._sampler: BatchSampler = sampler
        self._uses = Uses()
        self.is_asked = False  # until somebody asks for what was used

    @property
    def batch_size(self) -> int:
        """The size of the next batch that is sampled. Workers may still fetch batches of the size before."""
        return self._sampler.batch_size

    def resize(self, batch_size: int) -> None:
        """Sample batches of this size. Raises InvalidInput unless it is a whole number of 1 or more."""
        if not (float(batch_size).is_integer() and batch_size >= 1):
            raise InvalidInput(f"batch size {batch_size!r}: expected a whole number of 1 or more")
        self._sampler.batch_size = int(batch_size)

    def begin(self) -> None:
        """A pass begins; called by `track_batches`."""

    def delivered(self, num_rows: int) -> None:
        """The loop got a batch; called by `track_batches`."""
        self._uses.note(num_rows)

    def used(self) -> set[float]:
        """The sizes of the batches that the loop got since the last call; at the first call, maybe not all of them."""
        self.is_asked = True
        return self._uses.take()
