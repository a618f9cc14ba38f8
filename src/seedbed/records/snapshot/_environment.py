"""The facts about the environment that a record may hold: a closed list, nothing else is collected."""

import os
import platform
from collections.abc import Iterable
from importlib import metadata

from seedbed.records.canonical._canonical import Json

__all__ = ["environment_facts"]


def environment_facts(packages: Iterable[str] = ()) -> dict[str, Json]:
    """Facts about the environment for a record: Python, system, machine, cores and the versions of `packages`."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in sorted(packages)},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
