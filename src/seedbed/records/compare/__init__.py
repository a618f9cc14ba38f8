"""Comparison of snapshots: whether it is fair, what differs, and whether that is more than noise."""

from seedbed.records.compare._comparison import compare, compare_under_each, cut_pair, json_pair, one_line
from seedbed.records.compare._diff import allowed_pairs, beside_numbers, diff, idle_factors, is_part_of_interval, whole
from seedbed.records.compare._why import Cause, Explanation, why

__all__ = [
    "Cause",
    "Explanation",
    "allowed_pairs",
    "beside_numbers",
    "compare",
    "compare_under_each",
    "cut_pair",
    "diff",
    "idle_factors",
    "is_part_of_interval",
    "json_pair",
    "one_line",
    "whole",
    "why",
]
