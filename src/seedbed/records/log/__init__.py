"""The commit log of a project: it finds the comparable predecessor and publishes the next commit. Baselines."""

from seedbed.records.log._baselines import Baselines, Promotion, PromotionKind, PromotionRule, best_of_groups
from seedbed.records.log._log import CommitLog

__all__ = ["Baselines", "CommitLog", "Promotion", "PromotionKind", "PromotionRule", "best_of_groups"]
