"""Environment variables that must be set before torch is imported. This module itself imports nothing heavy."""

import os

__all__ = ["prepare_environment"]

_BEFORE_TORCH = {
    "OMP_WAIT_POLICY": "PASSIVE",  # libgomp: a waiting thread sleeps, so that another one can use the core
    "KMP_BLOCKTIME": "0",  # the same, for libiomp
    "KINETO_LOG_LEVEL": "99",  # below this level kineto writes two lines to stderr for every profiled step
}


def prepare_environment() -> dict[str, str]:
    """Set the variables that OpenMP and the profiler read once, at their start; returns those that were set.

    Call it before the first `import torch`. A variable that the user has set is not changed.
    """
    missing = {name: value for name, value in _BEFORE_TORCH.items() if name not in os.environ}
    os.environ.update(missing)
    return missing
