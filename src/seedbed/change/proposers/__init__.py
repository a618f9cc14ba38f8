"""Rules that propose changes from what they see."""

from seedbed.change.proposers._replay import ReplayRule, replay_rule
from seedbed.change.proposers._stall import STALL_RULE, StallRule, StallState

__all__ = ["STALL_RULE", "ReplayRule", "StallRule", "StallState", "replay_rule"]
