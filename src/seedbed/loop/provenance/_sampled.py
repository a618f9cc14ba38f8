"""The digest of a dataset by its length and some of its items, at fixed places; the generators stay as they were."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from seedbed.loop.provenance._items import NoDigest, item_bytes
from seedbed.loop.provenance._slow import Slow

__all__ = ["Sized", "sampled"]

_MOST_ITEMS = 64
_READ_TWICE = 2


@runtime_checkable
class Sized(Protocol):
    """Anything with a length and items by number, such as a list or a `torch.utils.data.Dataset`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> object: ...


def sampled(items: Sized, slow: Slow) -> tuple[str, str, int]:
    """The digest, what it was computed from in words, and the number of items.

    Each item is read under the same seeds, so one that is transformed at random is the same in every run. Raises
    NoDigest where an item is another one each time it is read, or cannot be read.
    """
    num_items = _length(items)
    places = _places(num_items)
    sha256 = hashlib.sha256(f"{num_items} items at {places}".encode())
    with _generators_kept():
        for number, place in enumerate(places):
            found = _item(items, place)
            if number < _READ_TWICE and found != _item(items, place):
                raise NoDigest("an item is another one each time it is read")
            sha256.update(found)
            slow.read(0)
    which = f"all {num_items} items" if len(places) == num_items else f"sampled {len(places)} of {num_items} items"
    return sha256.hexdigest(), f"{which}, and how many there are", num_items


def _length(items: Sized) -> int:
    try:
        return len(items)
    except Exception as problem:  # whatever a user's class raises: the run does not fail for it
        raise NoDigest(f"{type(items).__name__} has no length ({type(problem).__name__})") from problem


def _places(num_items: int) -> list[int]:
    """At most 64 places at equal distances, the first and the last among them."""
    if num_items <= _MOST_ITEMS:
        return list(range(num_items))
    return [number * (num_items - 1) // (_MOST_ITEMS - 1) for number in range(_MOST_ITEMS)]


def _item(items: Sized, place: int) -> bytes:
    random.seed(place)
    np.random.seed(place)  # noqa: NPY002  the generator that transforms draw from
    torch.default_generator.manual_seed(place)
    sha256 = hashlib.sha256()
    try:
        for part in item_bytes(items[place]):
            sha256.update(part)
    except NoDigest:
        raise
    except Exception as problem:  # whatever a user's class raises: the run does not fail for it
        raise NoDigest(f"item {place} cannot be read ({type(problem).__name__})") from problem
    return sha256.digest()


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Leave the process-wide generators on the host as they were found."""
    python, numpy, host = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(host)
