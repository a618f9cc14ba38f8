"""Two runs of one script compared step by step, bit by bit: what a run writes for it, and the comparison."""

from seedbed.loop.repro._plan import VARIABLE, Plan

__all__ = ["VARIABLE", "Plan"]
