"""Whether a pass over a loader is the same in a process that has begun anew, and what must be looked at to know it."""

from itertools import islice
from typing import Any

from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
)

from seedbed.change import ResizableBatchSampler
from seedbed.loop.data._batch_digest import batch_digest
from seedbed.loop.data._generators import generator_states, restore_generators
from seedbed.loop.data._loaders import set_states, states

__all__ = ["BATCHERS", "content_digest", "why_unlike", "why_unlike_drawn"]

BATCHERS = (BatchSampler, ResizableBatchSampler)
_PLAIN = (list, tuple, range, Tensor)
_SAMPLERS = (SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler, DistributedSampler)
_GENERATORS = {"Generator", "RandomState", "Random"}  # of torch, NumPy and Python
_COLLATES = (default_collate, default_convert)
_MOST_ROWS = 32  # that are drawn twice
_MOST_ITEMS = 64  # of a list that are looked at, evenly spaced
_OWN = "may draw from a generator of its own"


def why_unlike(loader: object) -> str:
    """Why the next pass over it may be another one in a process that has begun anew; empty where nothing tells so."""
    if isinstance(loader, _PLAIN):
        return ""
    if not isinstance(loader, DataLoader):
        return f"a {type(loader).__qualname__} {_OWN}"
    if isinstance(loader.dataset, IterableDataset) or (_stays(loader) and _keeps_generator(loader.dataset)):
        return f"a {type(loader.dataset).__qualname__} {_OWN}"
    batches: object = loader.batch_sampler
    rows = _row_sampler(loader)
    if (batches is not None and type(batches) not in BATCHERS) or type(rows) not in _SAMPLERS:
        unlike = batches if batches is not None and type(batches) not in BATCHERS else rows
        return f"a {type(unlike).__qualname__} {_OWN}"
    return ""


def why_unlike_drawn(loader: object) -> str:
    """As `why_unlike`, by drawing some rows twice: what a dataset or a `collate_fn` keeps from one pass to the next.

    The generators are left as they were. Workers that end with each pass keep nothing; in those that stay, the global
    generators go on too, so that the second rows are drawn from other ones.
    """
    if why := why_unlike(loader):
        return why
    if not isinstance(loader, DataLoader) or not _stays(loader) or _draws_nothing(loader):
        return ""
    indices, now = _indices(loader), generator_states()
    try:
        first = batch_digest(_rows(loader, indices))
        if not loader.num_workers:
            restore_generators(now)
        second = batch_digest(_rows(loader, indices))
    finally:
        restore_generators(now)
    data = type(loader.dataset).__qualname__
    if not first:
        return f"the rows of a {data} hold nothing that could be compared"
    if first != second and loader.num_workers:
        return "workers that stay between passes have random generators of their own"
    return f"a {data}, or the collate_fn over it, {_OWN}" if first != second else ""


def content_digest(loader: object) -> str:
    """A digest of data that the loop holds itself and may alter, as a list that it shuffles; empty of any other data.

    Of a list 64 items count.
    """
    data = _content(loader if isinstance(loader, _PLAIN) else getattr(loader, "dataset", None))
    return "" if data is None else batch_digest(data)


def _content(data: object) -> Any:
    """What can be looked at of plain data; None of any other."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, list | tuple | range):
        return [len(data), *data[:: -(-len(data) // _MOST_ITEMS) or 1]]
    if type(data) is TensorDataset:
        return data.tensors
    if type(data) is Subset:
        inner = _content(data.dataset)
        return None if inner is None else [inner, _content(data.indices)]
    if type(data) is ConcatDataset:
        parts = [_content(each) for each in data.datasets]
        return None if any(each is None for each in parts) else parts
    return None


def _draws_nothing(loader: DataLoader[Any]) -> bool:
    return loader.collate_fn in _COLLATES and _content(loader.dataset) is not None


def _stays(loader: DataLoader[Any]) -> bool:
    """Whether its dataset is used by one process from one pass to the next: this one, or a worker that stays."""
    return not loader.num_workers or bool(loader.persistent_workers)


def _row_sampler(loader: DataLoader[Any]) -> Any:
    batches: object = loader.batch_sampler
    return getattr(batches, "sampler", None) if type(batches) in BATCHERS else loader.sampler


def _indices(loader: DataLoader[Any]) -> list[Any]:
    now = states(loader)
    size = getattr(loader.batch_sampler, "batch_size", 1)
    found = list(islice(iter(_row_sampler(loader)), min(size, _MOST_ROWS)))
    set_states(loader, now)
    return found


def _rows(loader: DataLoader[Any], indices: list[Any]) -> Any:
    """These rows, as they come to the loop."""
    data, collate = loader.dataset, loader.collate_fn
    if loader.batch_sampler is None:
        return [collate(data[each]) for each in indices]
    whole = getattr(data, "__getitems__", None)  # datasets share no class, and torch asks them for this one first
    return collate(whole(indices) if callable(whole) else [data[each] for each in indices])


def _keeps_generator(data: object, depth: int = 3) -> bool:
    """Whether a dataset, or one inside it, has a random generator among its attributes."""
    values = [*getattr(data, "__dict__", {}).values()]  # datasets share no class
    if any(type(each).__name__ in _GENERATORS for each in values):
        return True
    return depth > 0 and any(_keeps_generator(each, depth - 1) for each in values if isinstance(each, Dataset))
