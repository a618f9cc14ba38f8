"""A TGAT run as a plant: settings move while it trains, through the live objects' own bindings."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import final

from seedbed.change import Registry
from seedbed.errors import Diverged, InvalidInput, SeedbedError
from seedbed.soak._plant import Measurement
from seedbed.soak.training._live import LiveTraining, StepSeen, one_thread
from seedbed.soak.training._settings import (
    CLIP_NORM,
    DROPOUT,
    LEARNING_RATE,
    NO_CLIP,
    WEIGHT_DECAY,
    training_registry,
)
from seedbed.stages import LinkDataset, TrainConfig

__all__ = ["STEPS_PER_ITERATION", "TRAINING_KPIS", "TrainingPlant"]

STEPS_PER_ITERATION = 20
_LEAST_GAIN = 0.002

TRAINING_KPIS: tuple[str, ...] = (
    "validation_ap",
    "train_loss",
    "negative_loss",
    "gradient_norm",
    "update_ratio",
    "iterations_since_best",
    "epochs",
    "diverged",
)
"""Samples by optimizer step, but `validation_ap` by batch of validation events, and the last three once an iteration.

`iterations_since_best` counts from the last iteration whose mean AP rose above all before by 0.002, `epochs` how often
the training events have been gone through; `negative_loss` is there because the higher objective is the better one.
"""


@final
class TrainingPlant:
    """A `Plant`: one TGAT run, of which an iteration is `num_steps` optimizer steps and a look at validation events.

    The run goes round the training events of `load()` for as long as it is measured; its rate is constant unless
    somebody changes it. What is measured depends on the seed, on what was taken and when, and on nothing else: every
    step draws from generators seeded with (seed, step), one thread computes. Nothing is built before the first `take`
    or `measure`. Steps whose loss is no number are undone with the rest of their iteration, which then says `diverged`.
    """

    def __init__(
        self, config: TrainConfig, load: Callable[[], LinkDataset], num_steps: int = STEPS_PER_ITERATION
    ) -> None:
        self._config, self._load, self._num_steps = config, load, num_steps
        self._registry = training_registry()
        self._initial = self._registry.validate(
            {
                LEARNING_RATE: config.training.learning_rate,
                WEIGHT_DECAY: 0.0,
                CLIP_NORM: NO_CLIP,
                DROPOUT: config.model.dropout,
            }
        )
        self._held = dict(self._initial)
        self._num_measured, self._best, self._best_at = 0, float("-inf"), 0

    @cached_property
    def live(self) -> LiveTraining:
        """The objects that train."""
        return LiveTraining(self._config, self._load())

    @property
    def registry(self) -> Registry:
        """Every setting that it has."""
        return self._registry

    @property
    def initial(self) -> Mapping[str, float]:
        """The values, by key, that it begins with."""
        return dict(self._initial)

    def take(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Set the live objects, all or none of them; what they then read back.

        Raises InvalidInput, holding what it held before, for a value that it cannot run with.
        """
        wanted, bindings = self._registry.validate_all(values), self.live.bindings
        former = {key: binding.state() for key, binding in bindings.items()}
        try:
            for key, value in wanted.items():
                bindings[key].write(value)
        except SeedbedError:
            for key, state in former.items():
                bindings[key].restore(state)
            raise
        self._held = {key: binding.read() for key, binding in bindings.items()}
        return dict(self._held)

    def measure(self, iteration: int) -> Measurement:
        """Train and validate. Raises InvalidInput for any iteration but the one that follows: a run has one course."""
        if iteration != self._num_measured + 1:
            raise InvalidInput(
                f"training: iteration {iteration}, expected {self._num_measured + 1}: a run has no other"
            )
        with one_thread():
            before = self.live.saved()
            seen, aps, finite = self._train(before)
        self._num_measured = iteration
        samples = {
            "validation_ap": tuple(aps),
            "train_loss": _series(seen, lambda step: step.loss),
            "negative_loss": _series(seen, lambda step: -step.loss),
            "gradient_norm": _series(seen, lambda step: step.gradient_norm),
            "update_ratio": _series(seen, lambda step: step.update_ratio),
            "iterations_since_best": (float(self._since_best(sum(aps) / len(aps))),),
            "epochs": (iteration * self._num_steps / self.live.trainer.steps_per_epoch,),
            "diverged": (float(not finite),),
        }
        return Measurement(self._used(seen), samples)

    def _train(self, before: Mapping[str, object]) -> tuple[list[StepSeen], list[float], bool]:
        """The steps that were taken, the validation's APs, and whether every number was one."""
        seen: list[StepSeen] = []
        first = self._num_measured * self._num_steps
        try:
            for number in range(first, first + self._num_steps):
                seen.append(self.live.step(number))  # noqa: PERF401  those before a divergence count
            return seen, self.live.validate(), True
        except Diverged:
            self.live.go_back(before)
            return seen, self.live.validate(), False

    def _used(self, seen: Sequence[StepSeen]) -> dict[str, float]:
        """By key, the first value of a step that is not the one held, else the one held; none that no step told."""
        used: dict[str, float] = {}
        for key, held in self._held.items():
            told = [step.used[key] for step in seen if key in step.used]
            if told:
                used[key] = next((value for value in told if value != held), held)
        return used

    def _since_best(self, ap: float) -> int:
        if ap > self._best + _LEAST_GAIN:
            self._best, self._best_at = ap, self._num_measured
        return self._num_measured - self._best_at


def _series(seen: Sequence[StepSeen], of: Callable[[StepSeen], float]) -> tuple[float, ...]:
    return tuple(value for step in seen if isfinite(value := of(step)))
