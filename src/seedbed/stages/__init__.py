"""Stages: what runs from events to a committed record. Today TRAINING."""

from seedbed.stages._config import (
    ChangeSettings,
    DataSettings,
    ModelSettings,
    TrainConfig,
    TrainingSettings,
    load_config,
)
from seedbed.stages._demo import DEMO_CONFIG
from seedbed.stages._inject import Fault
from seedbed.stages._interrupt import Interruption, interruption
from seedbed.stages._job import Job, configuration_of
from seedbed.stages._observer import Observer, Phase, StepReport
from seedbed.stages._training import TrainingResult, new_run_id, train

__all__ = [
    "DEMO_CONFIG",
    "ChangeSettings",
    "DataSettings",
    "Fault",
    "Interruption",
    "Job",
    "ModelSettings",
    "Observer",
    "Phase",
    "StepReport",
    "TrainConfig",
    "TrainingResult",
    "TrainingSettings",
    "configuration_of",
    "interruption",
    "load_config",
    "new_run_id",
    "train",
]
