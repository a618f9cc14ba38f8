"""The configuration of the demo: the first flights of 2013, small enough for a few minutes on two cores."""

from seedbed.gate import parse_gate
from seedbed.stages._config import ChangeSettings, DataSettings, TrainConfig, TrainingSettings, default_checks
from seedbed.temporal import FLIGHTS_SCHEMA

__all__ = ["DEMO_CONFIG"]

DEMO_CONFIG = TrainConfig(
    project="flights",
    data=DataSettings(columns=FLIGHTS_SCHEMA, limit=60_000),
    training=TrainingSettings(epochs=3, validation_events=3000),
    change=ChangeSettings(patience=1, min_delta=0.01, cooldown_steps=150),
    gate=parse_gate({"checks": default_checks(least_ap=0.8)}).checks,
)
