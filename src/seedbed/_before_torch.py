"""What must stand in the environment before torch is imported. Imports nothing heavy, so that it can come first."""

import os

__all__ = ["prepare_environment"]

_BEFORE_TORCH = {
    "OMP_WAIT_POLICY": "PASSIVE",  # libgomp: a waiting thread sleeps instead of burning the core another one needs
    "KMP_BLOCKTIME": "0",  # the same, for libiomp
    "KINETO_LOG_LEVEL": "99",  # kineto writes two lines to stderr for every profiled step below this level
}


def prepare_environment() -> dict[str, str]:
    """Set what OpenMP and the profiler read once, at their start; returns what was set.

    Call it before the first `import torch`. A variable that the user already set is left as it is.
    """
    missing = {name: value for name, value in _BEFORE_TORCH.items() if name not in os.environ}
    os.environ.update(missing)
    return missing
