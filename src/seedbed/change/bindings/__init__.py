"""Bindings: each connects a parameter to the live object that holds it, writes, reads back and reports use."""

from seedbed.change.bindings._accumulation import Accumulation
from seedbed.change.bindings._batch_size import Batches, BatchSize, RateRule, ResizableBatchSampler
from seedbed.change.bindings._binding import Binding, RelativeBinding, Use, UseReport
from seedbed.change.bindings._clip_norm import ClipNorm
from seedbed.change.bindings._coverage import require_coverage
from seedbed.change.bindings._delivered_batches import BatchListener, num_rows, track_batches
from seedbed.change.bindings._dropout import DropoutRate
from seedbed.change.bindings._freezing import Freeze, OnUnfreeze
from seedbed.change.bindings._group_setting import GroupSetting
from seedbed.change.bindings._groups import GroupName
from seedbed.change.bindings._live_setting import OptimizerSetting
from seedbed.change.bindings._loader_batches import LoaderBatches
from seedbed.change.bindings._loss_weights import LossWeight, LossWeights
from seedbed.change.bindings._mixture import MixtureSampler, MixtureWeight
from seedbed.change.bindings._settings_file import Consumer, SettingsFile
from seedbed.change.bindings._target import Bindings, Target
from seedbed.change.bindings.rates._learning_rate import LearningRate
from seedbed.change.bindings.schedules._schedule import Schedule

__all__ = [
    "Accumulation",
    "BatchListener",
    "BatchSize",
    "Batches",
    "Binding",
    "Bindings",
    "ClipNorm",
    "Consumer",
    "DropoutRate",
    "Freeze",
    "GroupName",
    "GroupSetting",
    "LearningRate",
    "LoaderBatches",
    "LossWeight",
    "LossWeights",
    "MixtureSampler",
    "MixtureWeight",
    "OnUnfreeze",
    "OptimizerSetting",
    "RateRule",
    "RelativeBinding",
    "ResizableBatchSampler",
    "Schedule",
    "SettingsFile",
    "Target",
    "Use",
    "UseReport",
    "num_rows",
    "require_coverage",
    "track_batches",
]
