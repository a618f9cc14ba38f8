"""The fingerprint of the data that a run learns from: of files, arrays, tensors, frames, datasets, by name.

A fingerprint that cannot be computed is UNKNOWN, with the reason: a run never fails for it. What is no data at all, or
a path that is not there, is refused where it is said.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from seedbed.errors import InvalidInput, NotFound
from seedbed.loop.provenance._arrays import array_digest, tensor_digest
from seedbed.loop.provenance._frames import frame_digest, frame_kind
from seedbed.loop.provenance._items import NoDigest
from seedbed.loop.provenance._paths import PathDigests
from seedbed.loop.provenance._sampled import Sized, sampled
from seedbed.loop.provenance._slow import Slow
from seedbed.loop.provenance._told import DataFingerprint
from seedbed.records import UNKNOWN, Json, digest

__all__ = ["fingerprint_data"]

_KINDS = (
    "paths of files or folders, arrays, tensors, data frames, datasets with a length, sequences, "
    "or a mapping of names to them"
)


@runtime_checkable
class _Fingerprinted(Protocol):
    """A Hugging Face dataset: it keeps a hash of its files and of all that was done to them."""

    _fingerprint: str


def fingerprint_data(
    data: object, *, cache: Path | None = None, say: Callable[[str], None] | None = None
) -> DataFingerprint:
    """The fingerprint of `data`: a path, array, tensor, frame, dataset, sequence, or a mapping of names to these.

    Files are read as a whole, and not again while their size and times stay what they were: `cache` is the file that
    remembers it, by default in the user's cache folder. Of a dataset a sample is read, and `source` says so. `say` is
    told about every two seconds how far a slow reading is; by default it is written to stderr. Raises InvalidInput for
    data of another kind, NotFound for a path that is not there.
    """
    return _fingerprint(data, PathDigests(cache), Slow(say), "data")


def _fingerprint(data: object, paths: PathDigests, slow: Slow, name: str) -> DataFingerprint:
    if isinstance(data, Mapping):
        return _of_mapping(data, paths, slow, name)
    try:
        return _one(data, paths, slow, name)
    except NoDigest as problem:
        return DataFingerprint(UNKNOWN, f"{problem}, so its content is not known")
    except OSError as problem:
        return DataFingerprint(UNKNOWN, f"a file could not be read ({type(problem).__name__})")


def _of_mapping(data: Mapping[object, object], paths: PathDigests, slow: Slow, name: str) -> DataFingerprint:
    for key in data:
        if not isinstance(key, str):
            raise InvalidInput(f"{name} has the key {key!r}, expected names, such as 'train'")
    if not data:
        raise InvalidInput(f"{name} is an empty mapping, expected names of data; leave it out if none is to be told")
    found = {str(key): _fingerprint(each, paths, slow, f"{name}[{key!r}]") for key, each in data.items()}
    facts: dict[str, Json] = {key: dict(each.facts) for key, each in found.items()}
    unknown = [f"{key}: {each.source}" for key, each in found.items() if each.digest == UNKNOWN]
    if unknown:
        return DataFingerprint(UNKNOWN, "; ".join(unknown), facts)
    source = "; ".join(f"{key}: {each.source}" for key, each in found.items())
    return DataFingerprint(digest({key: each.digest for key, each in found.items()}), source, facts)


def _one(data: object, paths: PathDigests, slow: Slow, name: str) -> DataFingerprint:
    if isinstance(data, str | Path):
        path = Path(data)
        if not path.exists():
            raise NotFound(f"{name} names {str(data)!r}, and there is no such file or folder; give {_KINDS}")
        return paths.of(path, slow)
    if isinstance(data, list | tuple) and data and all(isinstance(each, Path) for each in data):
        return _fingerprint({str(number): each for number, each in enumerate(data)}, paths, slow, name)
    if isinstance(data, np.ndarray):
        facts: dict[str, Json] = {"dtype": str(data.dtype), "shape": list(data.shape)}
        return DataFingerprint(array_digest(data, slow), "dtype, shape and bytes of the array", facts)
    if isinstance(data, torch.Tensor):
        facts = {"dtype": str(data.dtype).removeprefix("torch."), "shape": list(data.shape)}
        return DataFingerprint(tensor_digest(data, slow), "dtype, shape and bytes of the tensor", facts)
    if kind := frame_kind(data):
        return DataFingerprint(frame_digest(data, slow), f"columns and values of the {kind} frame")
    return _of_items(data, paths, slow, name)


def _of_items(data: object, paths: PathDigests, slow: Slow, name: str) -> DataFingerprint:
    if isinstance(data, DataLoader):
        return _fingerprint(data.dataset, paths, slow, name)
    if isinstance(data, TensorDataset):
        tensors = {str(number): tensor for number, tensor in enumerate(data.tensors)}
        return _fingerprint(tensors, paths, slow, name)
    if _is_of_hugging_face(data) and isinstance(data, _Fingerprinted):
        return DataFingerprint(digest(data._fingerprint), "the fingerprint that the Hugging Face dataset has of itself")
    if isinstance(data, IterableDataset):
        raise NoDigest("a dataset without a length cannot be read without using it up; give its files")
    if isinstance(data, Sized) and not isinstance(data, bytes):
        found, source, num_items = sampled(data, slow)
        return DataFingerprint(found, source, {"items": num_items})
    if isinstance(data, Dataset):
        raise NoDigest(f"{type(data).__name__} has no length")
    raise InvalidInput(f"{name} is a {type(data).__name__}; expected {_KINDS}")


def _is_of_hugging_face(data: object) -> bool:
    return "datasets" in sys.modules and type(data).__module__.partition(".")[0] == "datasets"
