"""The door: `seedbed.start` around any PyTorch loop."""

from ._proposed import Proposed
from ._run import Run
from ._start import current_run, start
from ._stop import StopRequested
from .steering import propose

__all__ = [
    "Proposed",
    "Run",
    "StopRequested",
    "current_run",
    "propose",
    "start",
]
