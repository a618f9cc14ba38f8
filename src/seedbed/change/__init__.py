"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step."""

from seedbed.change._binding import Binding, Sighting
from seedbed.change._case import Case, Conditions, Decision, Guard, Move, Ruling
from seedbed.change._checkpoint import ChangeState
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.change._engine import ChangeEngine
from seedbed.change._guards import GUARDS, bounds, cooldown, no_op
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._learning_rate import LearningRate
from seedbed.change._ledger import ChangeJournal
from seedbed.change._parameter import Number, Parameter
from seedbed.change._plan import Planned, Rules, plan
from seedbed.change._registry import Registry
from seedbed.change._settings_file import Consumer, SettingsFile
from seedbed.change._stall import StallRule, StallState
from seedbed.change._summary import summary
from seedbed.change._target import Bindings, Target

__all__ = [
    "GUARDS",
    "Add",
    "Binding",
    "Bindings",
    "Case",
    "ChangeEngine",
    "ChangeHistory",
    "ChangeJournal",
    "ChangeRecord",
    "ChangeState",
    "Conditions",
    "Consumer",
    "Decision",
    "Delta",
    "Guard",
    "Kind",
    "LearningRate",
    "Move",
    "Number",
    "Op",
    "Parameter",
    "Planned",
    "Registry",
    "Rules",
    "Ruling",
    "Scale",
    "Set",
    "SettingsFile",
    "Sighting",
    "StallRule",
    "StallState",
    "Target",
    "bounds",
    "cooldown",
    "fold",
    "no_op",
    "plan",
    "summary",
]
