"""The door: `seedbed.start` around any PyTorch loop."""

from ._run import Run
from ._start import current_run, start

__all__ = [
    "Run",
    "current_run",
    "start",
]
