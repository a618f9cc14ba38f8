"""A file system in memory under the real store, with writers that a seed interleaves, kills and cuts from the power."""

from simulated._model import Violation
from simulated._removals import REMOVALS, Removal, removed
from simulated._schedule import KINDS, Kind, Outcome, run_schedule

__all__ = ["KINDS", "REMOVALS", "Kind", "Outcome", "Removal", "Violation", "removed", "run_schedule"]
