"""Pure rules that allow, shrink or deny a proposed value, each with its reason."""

from seedbed.change.guards._bounds import bounds, no_op
from seedbed.change.guards._conditions import drift, freeze, health
from seedbed.change.guards._debounce import Debounce, DebounceState
from seedbed.change.guards._freeze_rule import FreezeRule, FreezeState, GoodRange
from seedbed.change.guards._guards import GUARDS, judge_proposal
from seedbed.change.guards._pacing import cooldown, oscillation, velocity
from seedbed.change.guards._proposal import Conditions, Decision, Guard, GuardResult, Move, ProposedChange
from seedbed.change.guards._skip_reason import skip_reason

__all__ = [
    "GUARDS",
    "Conditions",
    "Debounce",
    "DebounceState",
    "Decision",
    "FreezeRule",
    "FreezeState",
    "GoodRange",
    "Guard",
    "GuardResult",
    "Move",
    "ProposedChange",
    "bounds",
    "cooldown",
    "drift",
    "freeze",
    "health",
    "judge_proposal",
    "no_op",
    "oscillation",
    "skip_reason",
    "velocity",
]
