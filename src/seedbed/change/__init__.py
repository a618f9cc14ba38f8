"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step."""

from seedbed.change._binding import Binding, Sighting
from seedbed.change._checkpoint import ChangeState
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.change._engine import ChangeEngine
from seedbed.change._guards import GUARDS, Decision, Guard, Move, Ruling, bounds, cooldown, no_op
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._learning_rate import LearningRate
from seedbed.change._parameter import Parameter
from seedbed.change._stall import StallRule, StallState
from seedbed.change._summary import summary

__all__ = [
    "GUARDS",
    "Add",
    "Binding",
    "ChangeEngine",
    "ChangeHistory",
    "ChangeRecord",
    "ChangeState",
    "Decision",
    "Delta",
    "Guard",
    "Kind",
    "LearningRate",
    "Move",
    "Op",
    "Parameter",
    "Ruling",
    "Scale",
    "Set",
    "Sighting",
    "StallRule",
    "StallState",
    "bounds",
    "cooldown",
    "fold",
    "no_op",
    "summary",
]
