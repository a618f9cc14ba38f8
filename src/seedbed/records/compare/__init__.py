"""Comparison of snapshots: whether it is fair, what differs, and whether that is more than noise."""

from seedbed.records.compare._comparison import compare, compare_under_each
from seedbed.records.compare._diff import diff
from seedbed.records.compare._why import Cause, Explanation, why

__all__ = ["Cause", "Explanation", "compare", "compare_under_each", "diff", "why"]
