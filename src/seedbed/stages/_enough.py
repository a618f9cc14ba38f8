"""Whether there are enough events: for a model to learn from, and for a gate to pass."""

import logging
import math
from collections.abc import Iterator

from seedbed.gate import Check
from seedbed.stages._config import TrainConfig
from seedbed.stages._dataset import Split
from seedbed.stages._intervals import FEWEST_BATCHES

__all__ = ["shortages", "warn_of_shortages"]

FEWEST_STEPS = 20
_WITH_INTERVALS = ("metrics.test.", "metrics.margin.")

_logger = logging.getLogger("seedbed.stages")


def warn_of_shortages(config: TrainConfig, split: Split) -> None:
    """Log a warning for each shortage, before hours are spent on training."""
    for shortage in shortages(config, split):
        _logger.warning("%s", shortage)


def shortages(config: TrainConfig, split: Split) -> Iterator[str]:
    """One sentence for each thing that cannot come about with so few events, and what is needed."""
    training = config.training
    num_steps = math.ceil(len(split.train) / training.batch_size) * training.epochs
    if num_steps < FEWEST_STEPS:
        yield (
            f"{len(split.train):,} training events in batches of {training.batch_size} make {num_steps} steps in all: "
            f"no model learns from so few; {_more_steps(config, split)}"
        )
    num_batches = math.ceil(len(split.test) / training.batch_size)
    for check in config.gate:
        has_interval = check.confidence is not None and check.metric.startswith(_WITH_INTERVALS)
        if num_batches < FEWEST_BATCHES and has_interval:
            yield _cannot_pass(check, config, split)


def _more_steps(config: TrainConfig, split: Split) -> str:
    wanted = len(split.train) * config.training.epochs // FEWEST_STEPS
    if wanted < 1:
        return "give more events"
    return f"give more events, or set training.batch_size to {wanted} or less"


def _cannot_pass(check: Check, config: TrainConfig, split: Split) -> str:
    """A check with a confidence, which needs an interval, and so FEWEST_BATCHES batches of test events."""
    needed = (FEWEST_BATCHES - 1) * config.training.batch_size + 1
    in_all = math.ceil(needed / (1 - config.data.train - config.data.validation))
    smaller = (len(split.test) - 1) // (FEWEST_BATCHES - 1)
    other = f", or set training.batch_size to {smaller} or less" if smaller else ""
    return (
        f"the gate cannot pass: {check.subject} {check.expected} needs an interval, and so {needed:,} test events "
        f"({FEWEST_BATCHES} batches), there are {len(split.test):,}; give {in_all:,} events in all{other}"
    )
