"""The states of the random generators that a loop draws from, as a checkpoint keeps them."""

import random
import sys
from typing import Any

import torch

__all__ = ["generator_of", "generator_states", "restore_generators"]


def generator_states() -> dict[str, Any]:
    """The states of the global generators of Python, NumPy and torch, as tensors and plain values."""
    version, numbers, gauss = random.getstate()
    states: dict[str, Any] = {
        "python": [version, torch.tensor(numbers, dtype=torch.int64), gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state_all()
    if numpy := sys.modules.get("numpy"):
        name, keys, at, has_gauss, cached = numpy.random.get_state()
        states["numpy"] = [name, torch.from_numpy(keys.astype("int64")), at, has_gauss, cached]
    return states


def restore_generators(states: dict[str, Any]) -> None:
    """Set the generators to what `generator_states` returned; one that it does not name is left alone."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state_all(states["cuda"])
    if "numpy" in states:
        import numpy as np

        name, keys, *rest = states["numpy"]
        np.random.set_state((name, keys.numpy().astype("uint32"), *rest))  # noqa: NPY002  the loop's own generator


def generator_of(loader: object) -> list[torch.Generator]:
    """The generators that a DataLoader and its samplers were given, from the outside to the inside."""
    samplers = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    inner = getattr(samplers[2], "sampler", None)
    found = [getattr(each, "generator", None) for each in (*samplers, inner)]
    return list({id(each): each for each in found if isinstance(each, torch.Generator)}.values())
