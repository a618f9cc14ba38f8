"""Helpers for tests of Seedbed and of code that uses it: a fake clock, disk faults, and the contract of `Files`."""

from seedbed.testing._clock import FakeClock
from seedbed.testing._faults import DURABLE_CALLS, dies, durable_faults, fails_with
from seedbed.testing._files import FilesContract

__all__ = ["DURABLE_CALLS", "FakeClock", "FilesContract", "dies", "durable_faults", "fails_with"]
