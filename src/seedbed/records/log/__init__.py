"""The commit log of a project, which finds the predecessor of a commit and publishes it; and its baselines."""

from seedbed.records.log._baselines import Baselines, Promotion, PromotionKind, PromotionRule, best_of_groups
from seedbed.records.log._better import Better, better
from seedbed.records.log._log import CommitLog

__all__ = [
    "Baselines",
    "Better",
    "CommitLog",
    "Promotion",
    "PromotionKind",
    "PromotionRule",
    "best_of_groups",
    "better",
]
