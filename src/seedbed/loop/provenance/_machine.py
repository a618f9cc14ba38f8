"""Facts about the machine and about the states of the generators of random numbers; nothing that names anybody."""

import hashlib
import os
import random
from collections.abc import Mapping

import numpy as np
import torch

from seedbed.records import Json
from seedbed.runtime._host import device_name, host_memory_bytes

__all__ = ["device", "generator_digests", "hardware_facts", "idle_generators", "seed"]

_GIB = 1 << 30
_LARGEST_EXACT = 1 << 53
_LENGTH = 624  # of the state of a Mersenne Twister, whose words are made anew where they are used up


def hardware_facts() -> dict[str, Json]:
    """The processor, the cores that this process may use, the memory in GiB, and the CUDA devices if it uses any."""
    return {
        "cpu": device_name(torch.device("cpu")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(host_memory_bytes() / _GIB),
        "gpus": [torch.cuda.get_device_name(each) for each in _cuda_devices()],
    }


def device() -> str:
    """The name of the CUDA device that this process uses, or else of the processor."""
    return device_name(torch.device("cuda" if _cuda_devices() else "cpu"))


def seed() -> Json:
    """The seed that torch was given last, or drew by itself; a text where it is too large for JSON."""
    given = torch.initial_seed()
    return given if abs(given) <= _LARGEST_EXACT else str(given)


def generator_digests() -> Mapping[str, str]:
    """The SHA-256 of the state of each process-wide generator: Python's, NumPy's legacy one, torch's, CUDA's."""
    kind, key, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002  the state that is there
    states = {
        "python": repr(random.getstate()).encode(),
        "numpy": f"{kind} {position} {has_gauss} {gauss!r} ".encode() + np.asarray(key).tobytes(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    states |= {f"cuda:{each}": torch.cuda.get_rng_state(each).numpy().tobytes() for each in _cuda_devices()}
    return {name: hashlib.sha256(state).hexdigest() for name, state in states.items()}


def idle_generators(begun: Mapping[str, str]) -> tuple[str, ...]:
    """Of Python's generator and NumPy's legacy one those from which nobody drew since they were seeded.

    `begun` are the digests at the start of the run. One that was drawn from before stands elsewhere than at the begin
    of its words: this is wrong once in some 300 scripts that draw before the start alone.
    """
    now, (_, _, position, has_gauss, _) = generator_digests(), np.random.get_state()  # noqa: NPY002  as above
    _, words, gauss = random.getstate()
    fresh = {
        "numpy": not has_gauss and int(position) in (_LENGTH - 1, _LENGTH),  # seeded by itself, or by somebody
        "python": gauss is None and words[-1] == _LENGTH,
    }
    return tuple(name for name, is_fresh in fresh.items() if is_fresh and now[name] == begun.get(name))


def _cuda_devices() -> range:
    """The CUDA devices, if the process has begun to use them: to ask for them would begin it."""
    return range(torch.cuda.device_count()) if _uses_cuda() else range(0)


def _uses_cuda() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
