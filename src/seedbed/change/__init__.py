"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step."""

from seedbed.change._batch_size import BatchSize, RateRule, ResizableBatchSampler
from seedbed.change._binding import Binding, Sighting
from seedbed.change._checkpoint import ChangeState
from seedbed.change._clip_norm import ClipNorm
from seedbed.change._coverage import require_coverage
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.change._dropout import DropoutRate
from seedbed.change._engine import ChangeEngine
from seedbed.change._freeze import Freeze, Thaw
from seedbed.change._group_setting import GroupSetting, Setting
from seedbed.change._groups import GroupName
from seedbed.change._guards import GUARDS, Decision, Guard, Move, Ruling, bounds, cooldown, no_op
from seedbed.change._handed import Handed, handed, num_rows
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._learning_rate import LearningRate
from seedbed.change._loss_weights import LossWeight, LossWeights
from seedbed.change._mixture import MixtureSampler, MixtureWeight
from seedbed.change._parameter import Parameter
from seedbed.change._stall import StallRule, StallState
from seedbed.change._summary import summary

__all__ = [
    "GUARDS",
    "Add",
    "BatchSize",
    "Binding",
    "ChangeEngine",
    "ChangeHistory",
    "ChangeRecord",
    "ChangeState",
    "ClipNorm",
    "Decision",
    "Delta",
    "DropoutRate",
    "Freeze",
    "GroupName",
    "GroupSetting",
    "Guard",
    "Handed",
    "Kind",
    "LearningRate",
    "LossWeight",
    "LossWeights",
    "MixtureSampler",
    "MixtureWeight",
    "Move",
    "Op",
    "Parameter",
    "RateRule",
    "ResizableBatchSampler",
    "Ruling",
    "Scale",
    "Set",
    "Setting",
    "Sighting",
    "StallRule",
    "StallState",
    "Thaw",
    "bounds",
    "cooldown",
    "fold",
    "handed",
    "no_op",
    "num_rows",
    "require_coverage",
    "summary",
]
