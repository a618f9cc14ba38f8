"""Whether there are enough events: for a model to learn from, and for a gate to pass."""

import logging
import math
from collections.abc import Iterator

from seedbed.gate import Check
from seedbed.stages._config import TrainConfig
from seedbed.stages._dataset import Split
from seedbed.stages._intervals import FEWEST_BATCHES

__all__ = ["settings_for", "shortages", "warn_of_shortages"]

FEWEST_STEPS = 20
_WITH_INTERVALS = ("metrics.test.", "metrics.margin.")
_STEPS_FOR_ONE_OF_WARMUP = 10

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
    if math.ceil(len(split.test) / training.batch_size) < FEWEST_BATCHES:
        yield from (_cannot_pass(check, config, split) for check in config.gate if _needs_interval(check))


def settings_for(num_events: int) -> dict[str, int]:
    """The settings of the training, other than the default ones, with which nothing is short for so many events.

    Empty where the defaults do, and where no batch is small enough, so that only more events help.
    """
    config = TrainConfig()
    split = Split.of(num_events, config.data)
    batch_size = _fitting_batch_size(config, split)
    if batch_size == 0 or not any(shortages(config, split)):
        return {}
    num_steps = math.ceil(len(split.train) / batch_size) * config.training.epochs
    warmup_steps = min(config.training.warmup_steps, num_steps // _STEPS_FOR_ONE_OF_WARMUP)
    fitting = {"batch_size": batch_size, "warmup_steps": warmup_steps}
    small = config.model_copy(update={"training": config.training.model_copy(update=fitting)})
    return {} if any(shortages(small, split)) else fitting


def _fitting_batch_size(config: TrainConfig, split: Split) -> int:
    """The largest batch size that is small enough for every shortage that a smaller batch can end; 0 for none."""
    sizes = [len(split.train) * config.training.epochs // FEWEST_STEPS]
    if any(_needs_interval(check) for check in config.gate):
        sizes.append((len(split.test) - 1) // (FEWEST_BATCHES - 1))
    return min((size for size in sizes if size > 0), default=0)


def _needs_interval(check: Check) -> bool:
    return check.confidence is not None and check.metric.startswith(_WITH_INTERVALS)


def _more_steps(config: TrainConfig, split: Split) -> str:
    wanted = _fitting_batch_size(config, split)
    return f"give more events, or set training.batch_size to {wanted} or less" if wanted else "give more events"


def _cannot_pass(check: Check, config: TrainConfig, split: Split) -> str:
    """A check with a confidence, which needs an interval, and so FEWEST_BATCHES batches of test events."""
    needed = (FEWEST_BATCHES - 1) * config.training.batch_size + 1
    in_all = math.ceil(needed / (1 - config.data.train - config.data.validation))
    can_do = len(split.test) >= FEWEST_BATCHES
    other = f", or set training.batch_size to {_fitting_batch_size(config, split)} or less" if can_do else ""
    return (
        f"the gate cannot pass: {check.subject} {check.expected} needs an interval, and so {needed:,} test events "
        f"({FEWEST_BATCHES} batches), there are {len(split.test):,}; give {in_all:,} events in all{other}"
    )
