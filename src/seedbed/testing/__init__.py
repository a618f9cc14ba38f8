"""What tests of Seedbed, and of code that builds on it, need: faults on demand and a clock that stands still."""

from seedbed.testing._clock import FakeClock
from seedbed.testing._faults import DURABLE_CALLS, dies, durable_faults, fails_with
from seedbed.testing._files import FilesContract

__all__ = ["DURABLE_CALLS", "FakeClock", "FilesContract", "dies", "durable_faults", "fails_with"]
