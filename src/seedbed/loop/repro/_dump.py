"""All tensors of one step in a file, and how far apart two such files are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

__all__ = ["Distance", "distance", "write_dump"]


@final
@dataclass(frozen=True)
class Distance:
    """How far apart two tensors are: both norms, the largest absolute difference, and how many elements differ."""

    first_norm: float
    second_norm: float
    largest: float
    num_different: int
    num: int


def write_dump(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name at `path`."""
    dense = {name: each.detach().to_dense() if each.is_sparse else each.detach() for name, each in tensors.items()}
    save_file({name: each.to("cpu", copy=True).contiguous() for name, each in dense.items()}, path)


def distance(first: Path, second: Path, name: str) -> Distance | None:
    """How far apart the two tensors of this name are; None where one is missing or the shapes differ."""
    if not first.exists() or not second.exists():
        return None
    one, other = load_file(first).get(name), load_file(second).get(name)
    if one is None or other is None or one.shape != other.shape:
        return None
    wide = torch.complex128 if one.is_complex() else torch.float64
    here, there = one.to(wide), other.to(wide)
    apart = (here - there).abs()
    return Distance(float(here.norm()), float(there.norm()), float(apart.max()), int((apart != 0).sum()), one.numel())
