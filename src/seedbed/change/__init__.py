"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step."""

from seedbed.change._binding import Binding, Sighting
from seedbed.change._case import Case, Conditions, Decision, Guard, Move, Ruling
from seedbed.change._checkpoint import ChangeState
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.change._engine import ChangeEngine
from seedbed.change._guards import GUARDS, bounds, cooldown, no_op
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._learning_rate import LearningRate
from seedbed.change._parameter import Number, Parameter
from seedbed.change._registry import Registry
from seedbed.change._stall import StallRule, StallState
from seedbed.change._summary import summary

__all__ = [
    "GUARDS",
    "Add",
    "Binding",
    "Case",
    "ChangeEngine",
    "ChangeHistory",
    "ChangeRecord",
    "ChangeState",
    "Conditions",
    "Decision",
    "Delta",
    "Guard",
    "Kind",
    "LearningRate",
    "Move",
    "Number",
    "Op",
    "Parameter",
    "Registry",
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
