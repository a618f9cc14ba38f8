"""Change: a setting changes only through guards, is read back from the live object, and is proven at the next step."""

from seedbed.change._batch_size import BatchSize, RateRule, ResizableBatchSampler
from seedbed.change._binding import Binding, Sighting
from seedbed.change._case import Case, Conditions, Decision, Guard, Move, Ruling
from seedbed.change._checkpoint import ChangeState
from seedbed.change._clip_norm import ClipNorm
from seedbed.change._coverage import require_coverage
from seedbed.change._debounce import Debounce, DebounceState
from seedbed.change._delta import Add, Delta, Op, Scale, Set
from seedbed.change._dropout import DropoutRate
from seedbed.change._engine import ChangeEngine
from seedbed.change._freeze import FreezeRule, FreezeState, GoodRange
from seedbed.change._freezing import Freeze, Thaw
from seedbed.change._grid import nearest_on_grid
from seedbed.change._group_setting import GroupSetting, Setting
from seedbed.change._groups import GroupName
from seedbed.change._guards import GUARDS, judge_proposal
from seedbed.change._handed import Handed, handed, num_rows
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._learning_rate import LearningRate
from seedbed.change._ledger import ChangeJournal
from seedbed.change._limits import bounds, no_op
from seedbed.change._loss_weights import LossWeight, LossWeights
from seedbed.change._mixture import MixtureSampler, MixtureWeight
from seedbed.change._pace import cooldown, oscillation, velocity
from seedbed.change._parameter import Number, Parameter
from seedbed.change._plan import Planned, Rules, judged_notes, plan, proposed_notes
from seedbed.change._registry import Registry
from seedbed.change._replay import ReplayRule, replay_rule
from seedbed.change._rollback import ROLLBACK, proven, rollback_deltas
from seedbed.change._settings_file import Consumer, SettingsFile
from seedbed.change._skip import skip_reason
from seedbed.change._stall import StallRule, StallState
from seedbed.change._standing import drift, freeze, health
from seedbed.change._summary import summary
from seedbed.change._target import Bindings, Target

__all__ = [
    "GUARDS",
    "ROLLBACK",
    "Add",
    "BatchSize",
    "Binding",
    "Bindings",
    "Case",
    "ChangeEngine",
    "ChangeHistory",
    "ChangeJournal",
    "ChangeRecord",
    "ChangeState",
    "ClipNorm",
    "Conditions",
    "Consumer",
    "Debounce",
    "DebounceState",
    "Decision",
    "Delta",
    "DropoutRate",
    "Freeze",
    "FreezeRule",
    "FreezeState",
    "GoodRange",
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
    "Number",
    "Op",
    "Parameter",
    "Planned",
    "RateRule",
    "Registry",
    "ReplayRule",
    "ResizableBatchSampler",
    "Rules",
    "Ruling",
    "Scale",
    "Set",
    "Setting",
    "SettingsFile",
    "Sighting",
    "StallRule",
    "StallState",
    "Target",
    "Thaw",
    "bounds",
    "cooldown",
    "drift",
    "fold",
    "freeze",
    "handed",
    "health",
    "judge_proposal",
    "judged_notes",
    "nearest_on_grid",
    "no_op",
    "num_rows",
    "oscillation",
    "plan",
    "proposed_notes",
    "proven",
    "replay_rule",
    "require_coverage",
    "rollback_deltas",
    "skip_reason",
    "summary",
    "velocity",
]
