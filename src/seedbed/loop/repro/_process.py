"""What else bears on the numbers of a run: states of generators, threads, settings of torch."""

import os
import random
import sys
from typing import Any

import torch
from torch import distributed

from seedbed.loop.repro._digest import bytes_digest

__all__ = ["generators", "process_facts"]


def generators() -> dict[str, str]:
    """Digests of the states of the global generators of Python, NumPy and torch."""
    found = {
        "python": _python_state(),
        "torch": bytes_digest(torch.get_rng_state().numpy().data),
    }
    if numpy := sys.modules.get("numpy"):
        name, keys, at, has_gauss, cached = numpy.random.get_state()
        found["numpy"] = bytes_digest(keys.tobytes() + repr((name, at, has_gauss, cached)).encode())
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states = torch.cuda.get_rng_state_all()
        found["cuda"] = bytes_digest(b"".join(state.numpy().tobytes() for state in states))
    return found


def _num_processes() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def _python_state() -> str:
    version, words, gauss = random.getstate()
    return bytes_digest(f"{version} {hash(words)} {gauss!r}".encode())  # Python's hash of whole numbers has no seed


def process_facts() -> dict[str, Any]:
    """The settings of this process."""
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "hash_seed": os.environ.get("PYTHONHASHSEED", ""),
        "cuda": torch.cuda.is_available(),
        "processes": _num_processes(),
    }
