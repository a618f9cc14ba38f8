"""The settings of the training plant, and its model and data: a part of the flights, small enough for one core."""

from seedbed.change import Parameter, Registry
from seedbed.stages import ChangeSettings, DataSettings, ModelSettings, TrainConfig, TrainingSettings
from seedbed.temporal import FLIGHTS_SCHEMA

__all__ = ["CLIP_NORM", "DROPOUT", "LEARNING_RATE", "NO_CLIP", "WEIGHT_DECAY", "training_config", "training_registry"]

LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = "optimizer.lr", "optimizer.weight_decay", "optimizer.clip_norm"
DROPOUT = "model.dropout"

NO_CLIP = 1000.0
"""The first clip norm: far above any gradient norm of a normal run."""


def training_registry() -> Registry:
    """The settings that may change while it trains. Steps here are the plant's iterations, not optimizer steps."""
    return Registry(
        [
            Parameter(LEARNING_RATE, "1", low=1e-5, high=0.1, cooldown_steps=2, oscillation_window=4),
            Parameter(WEIGHT_DECAY, "1", low=0.0, high=1e-2, cooldown_steps=2, oscillation_window=4),
            Parameter(CLIP_NORM, "1", low=0.1, high=NO_CLIP, cooldown_steps=2, oscillation_window=4),
            Parameter(DROPOUT, "1", low=0.0, high=0.5, cooldown_steps=2, oscillation_window=4),
        ]
    )


def training_config(seed: int, learning_rate: float = 1e-3) -> TrainConfig:
    """12,000 flights and a TGAT of one layer and width 32, at a constant rate: 20 steps take a fraction of a second.

    `epochs` is no limit here: the plant repeats the training events for as long as it is measured. Its rules are
    those of a model without pair features, so it has none.
    """
    return TrainConfig(
        project="soak",
        data=DataSettings(columns=FLIGHTS_SCHEMA, limit=12_000),
        model=ModelSettings(num_neighbours=(6,), node_width=32, time_width=32, embedding_width=32, pair_features=False),
        training=TrainingSettings(
            seed=seed,
            epochs=1,
            batch_size=100,
            learning_rate=learning_rate,
            schedule="constant",
            warmup_steps=0,
            validation_events=1200,
        ),
        change=ChangeSettings(enabled=False),
    )
