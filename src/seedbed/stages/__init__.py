"""Stages: jobs that run from events to a committed record. Today there is one, TRAINING."""

from seedbed.stages._config import (
    ChangeSettings,
    DataSettings,
    ModelSettings,
    TrainConfig,
    TrainingSettings,
    load_config,
)
from seedbed.stages._dataset import LinkDataset, prepare
from seedbed.stages._demo import DEMO_CONFIG
from seedbed.stages._evaluation import CandidateDraw, batches
from seedbed.stages._events import load_events, with_unit_of
from seedbed.stages._inject import Fault
from seedbed.stages._interrupt import Interruption, interruption
from seedbed.stages._job import Job, configuration_of
from seedbed.stages._observer import Observer, StepReport, TrainingPhase
from seedbed.stages._replay import Replay, ReplayDifference, replay
from seedbed.stages._trainer import Trainer
from seedbed.stages._training import TrainingResult, train

__all__ = [
    "DEMO_CONFIG",
    "CandidateDraw",
    "ChangeSettings",
    "DataSettings",
    "Fault",
    "Interruption",
    "Job",
    "LinkDataset",
    "ModelSettings",
    "Observer",
    "Replay",
    "ReplayDifference",
    "StepReport",
    "TrainConfig",
    "Trainer",
    "TrainingPhase",
    "TrainingResult",
    "TrainingSettings",
    "batches",
    "configuration_of",
    "interruption",
    "load_config",
    "load_events",
    "prepare",
    "replay",
    "train",
    "with_unit_of",
]
