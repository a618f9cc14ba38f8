"""The process and its machine: tuning before training, and facts for the ledger."""

import ctypes
import os
import platform
from pathlib import Path

import torch

from seedbed.errors import InvalidInput

__all__ = ["device_name", "host_memory_bytes", "peak_memory_bytes", "tune_host", "usable_device"]

# From glibc's <malloc.h>. Freed memory stays in the heap, so that no step has to map pages for its tensors again.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEEP_FREED_HEAP = {
    "M_MMAP_THRESHOLD": (_M_MMAP_THRESHOLD, 1 << 30),
    "M_TRIM_THRESHOLD": (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    "M_TOP_PAD": (_M_TOP_PAD, 64 << 20),
}


def tune_host(threads: int | None = None) -> dict[str, int]:
    """Keep freed memory in the heap and set torch's threads (None leaves them); returns what was set, sizes in bytes.

    Without glibc nothing is set for memory. The tuning is for the whole process and cannot be undone.
    """
    done = {name: value for name, (option, value) in _KEEP_FREED_HEAP.items() if _mallopt(option, value)}
    if threads is not None:
        torch.set_num_threads(threads)
        done["threads"] = torch.get_num_threads()
    return done


def _mallopt(option: int, value: int) -> bool:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and mallopt(option, value) == 1


def usable_device(device: torch.device | str) -> torch.device:
    """Make a tensor on the device, and return the device. Raises InvalidInput when that fails."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # which one torch raises depends on how it was built
        first = str(error).partition("\n")[0]
        raise InvalidInput(
            f"Device {str(device)!r} cannot be used here: {first}. Use 'cpu' or fix the driver."
        ) from None


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory this process has held: resident host memory, plus what torch allocated on a CUDA device."""
    host = _proc_kib("/proc/self/status", "VmHWM") * 1024
    return host + (torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0)


def host_memory_bytes() -> int:
    """The machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _proc_kib(path: str, name: str) -> int:
    lines = Path(path).read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def device_name(device: torch.device) -> str:
    """The name of the processor or of the CUDA device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
