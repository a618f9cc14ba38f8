"""Evidence about torch.compile: what prevents it, its counters, and the salt of its on-disk cache."""

import getpass
import importlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from seedbed.runtime._flags import read_flags

__all__ = [
    "CompileCounts",
    "cache_folder",
    "cache_is_salted",
    "compile_obstacle",
    "dynamo_counters",
    "import_inductor",
    "is_compiling_elsewhere",
    "read_counts",
    "salt_cache",
]

_HEADERS = b"#include <Python.h>\n#include <omp.h>\n"
_SALT = "|seedbed:"
_FRAMES = ("total", "ok")
_GRAPHS = ("fxgraph_cache_hit", "fxgraph_cache_miss", "fxgraph_cache_bypass")


class CompileCounts(NamedTuple):
    """Dynamo's and Inductor's counters in this process: frames seen and compiled, graphs from and into the cache."""

    frames: int = 0
    frames_ok: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    cache_bypasses: int = 0

    @property
    def frames_eager(self) -> int:
        """Frames that Dynamo gave up on, which run uncompiled from then on."""
        return self.frames - self.frames_ok

    @property
    def cache_bypassed(self) -> bool:
        """Whether every graph bypassed the cache: none was looked up in it or written to it."""
        return self.cache_bypasses > 0 and self.cache_hits + self.cache_misses == 0

    def since(self, start: "CompileCounts") -> "CompileCounts":
        """What was counted after `start`."""
        return CompileCounts(*(now - then for now, then in zip(self, start, strict=True)))

    def named(self) -> dict[str, int]:
        """The counts that are not zero, as evidence for a ledger."""
        counts = {
            "frames compiled": self.frames_ok,
            "frames left eager": self.frames_eager,
            "fxgraph_cache_hit": self.cache_hits,
            "fxgraph_cache_miss": self.cache_misses,
            "fxgraph_cache_bypass": self.cache_bypasses,
        }
        return {name: count for name, count in counts.items() if count}


def dynamo_counters() -> Mapping[str, Mapping[str, int]] | None:
    """Dynamo's counters, which stay the same object; empty while it has counted nothing.

    None while Dynamo is not imported, which this function does not do, or is being imported by another thread.
    """
    counters: Mapping[str, Mapping[str, int]] | None = getattr(sys.modules.get("torch._dynamo.utils"), "counters", None)
    return counters


def read_counts() -> CompileCounts:
    """The counters now; all zero while Dynamo is not imported."""
    counters = dynamo_counters() or {}
    nothing: Mapping[str, int] = {}
    frames, inductor = counters.get("frames", nothing), counters.get("inductor", nothing)  # `[]` would make them
    found = [frames.get(each, 0) for each in _FRAMES] + [inductor.get(each, 0) for each in _GRAPHS]
    return CompileCounts(*found)


def is_compiling_elsewhere() -> bool:
    """Whether another thread compiles now, so that the counters are not settled."""
    dynamo = sys.modules.get("torch._dynamo.convert_frame")
    if dynamo is None:
        return False
    lock = getattr(dynamo, "compile_lock", None)  # not there yet while another thread imports Dynamo
    if lock is None or not lock.acquire(blocking=False):
        return True
    lock.release()
    return False


def why_eager() -> str:
    """The first line of each reason that Dynamo has given for leaving a frame uncompiled."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    reasons = [] if dynamo is None else [str(reason).partition("\n")[0] for reason in dynamo.counters["unimplemented"]]
    return "; ".join(reasons) or "Dynamo gave no reason"


def cache_is_salted() -> bool:
    """Whether `salt_cache` was called, as for what was compiled under a contract."""
    return _SALT in torch.compiler.config.cache_key_tag


def salt_cache() -> str:
    """Make the on-disk compile cache distinguish attention backends, and return the tag that is now set.

    A compiled graph keeps the backend that was allowed when it was made, but the cache's own key does not contain it: a
    process that allows flash would get a graph that another process compiled to math. A user's own tag is kept.
    """
    config = torch.compiler.config
    user = config.cache_key_tag.partition(_SALT)[0]
    config.cache_key_tag = f"{user}{_SALT}torch={torch.__version__},sdpa={read_flags()}"
    return str(config.cache_key_tag)


def import_inductor() -> None:
    """Import the compiler now (this takes seconds), without the deprecation warning about its use of torch.jit."""
    with warnings.catch_warnings():
        # torch/utils/mkldnn.py declares TorchScript classes when Inductor imports it; a user cannot change that.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
        importlib.import_module("torch._inductor.compile_fx")


def compile_obstacle() -> tuple[str, str] | None:
    """Why torch.compile with its on-disk cache cannot work here, and what to do about it; None if it can."""
    return _compiler_obstacle() or _cache_obstacle()


def cache_folder() -> Path:
    """Where Inductor keeps its cache, by its own rule; asking Inductor itself would import it, in seconds."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = f"uid_{os.getuid()}"
    user = re.sub(r'[\\/:*?"<>|]', "_", user)
    return Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR") or Path(tempfile.gettempdir()) / f"torchinductor_{user}")


def _compiler_obstacle() -> tuple[str, str] | None:
    name = os.environ.get("CXX", "g++")  # Inductor's own rule
    compiler = shutil.which(name)
    if compiler is None:
        other = shutil.which("clang++")
        advice = f"set CXX={other}" if other else "install g++ as in apt-get install g++, or set CXX to a compiler"
        return f"no C++ compiler: {name} is not on PATH", advice
    include = sysconfig.get_paths()["include"]
    return _compile_headers(name, compiler, include)


@cache
def _compile_headers(name: str, compiler: str, include: str) -> tuple[str, str] | None:
    command = [compiler, "-fsyntax-only", "-fopenmp", "-I", include, "-x", "c++", "-"]
    # CXX names the program, and no shell reads the command.
    done = subprocess.run(command, input=_HEADERS, capture_output=True, timeout=60, check=False)  # noqa: S603
    if done.returncode == 0:
        return None
    first = done.stderr.decode(errors="replace").partition("\n")[0]
    return f"{name} cannot compile a Python extension: {first}", "install the Python and OpenMP headers (python3-dev)"


def _cache_obstacle() -> tuple[str, str] | None:
    if os.environ.get("TORCHINDUCTOR_FX_GRAPH_CACHE") == "0":
        return "the on-disk cache is switched off by TORCHINDUCTOR_FX_GRAPH_CACHE=0", "unset that variable"
    if torch.compiler.config.force_disable_caches:
        return (
            "every compile cache is switched off by torch.compiler.config.force_disable_caches",
            "set it to False, or unset TORCHINDUCTOR_FORCE_DISABLE_CACHES and TORCH_COMPILE_FORCE_DISABLE_CACHES",
        )
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return (
            f"the compile cache cannot be written: {error.strerror}",
            "set TORCHINDUCTOR_CACHE_DIR to a writable folder",
        )
