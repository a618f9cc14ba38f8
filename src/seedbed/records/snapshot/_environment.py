"""The facts about the environment that a record may hold: a closed list, nothing else is collected."""

import os
import platform
from collections.abc import Iterable
from importlib import metadata

from seedbed.records.canonical._canonical import Json

__all__ = ["environment_facts"]

_THAT_COMPUTE = ("numpy", "torch")


def environment_facts(packages: Iterable[str] = ()) -> dict[str, Json]:
    """Facts about the environment for a record: Python, system, machine, cores and the versions of packages.

    The packages are torch, numpy and `packages`; the version of one that is not installed is None. In the `process` of
    a draft, under `environment`, they are compared with those of other runs.
    """
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in sorted({*_THAT_COMPUTE, *packages})},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
