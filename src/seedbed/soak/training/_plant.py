"""The training plant: a TGAT run whose settings change while it trains, through bindings to the live objects."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import final

from seedbed.change import Registry
from seedbed.errors import Diverged, InvalidInput, SeedbedError
from seedbed.soak._plant import Measurement
from seedbed.soak.training._live import LiveTraining, ObservedStep, one_thread
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
"""The KPIs: one sample an optimizer step, but of `validation_ap` one a batch, and of the last three one an iteration.

`iterations_since_best` counts from the last iteration whose mean AP exceeded all earlier ones by 0.002. `epochs` is the
number of passes over the training events. `negative_loss` can be an objective, since objectives are raised.
"""


@final
class TrainingPlant:
    """A `Plant`: one TGAT run. An iteration is `num_steps` optimizer steps and a pass over the validation events.

    The run repeats the training events of `load()` for as long as it is measured. Its learning rate is constant unless
    a change is made. The samples depend only on the seed and on which values were taken when: every step draws from
    generators seeded with (seed, step), and one thread computes. Nothing is built before the first `take` or `measure`.
    An iteration with a loss that is not finite is undone, and its KPI `diverged` is 1.
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
        """The live objects of the run."""
        return LiveTraining(self._config, self._load())

    @property
    def registry(self) -> Registry:
        """All its settings."""
        return self._registry

    @property
    def initial(self) -> Mapping[str, float]:
        """The first value of every setting, by key."""
        return dict(self._initial)

    def take(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Set all values on the live objects, or none. Returns the values read back from them.

        Raises InvalidInput for a value that it cannot run with; it then keeps all its old values.
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
        """Train and validate. Raises InvalidInput for any iteration but the next one, since a run cannot go back."""
        if iteration != self._num_measured + 1:
            raise InvalidInput(
                f"training: iteration {iteration}, expected {self._num_measured + 1}: a run cannot skip or go back"
            )
        with one_thread():
            before = self.live.state()
            steps, aps, finite = self._train(before)
        self._num_measured = iteration
        samples = {
            "validation_ap": tuple(aps),
            "train_loss": _series(steps, lambda step: step.loss),
            "negative_loss": _series(steps, lambda step: -step.loss),
            "gradient_norm": _series(steps, lambda step: step.gradient_norm),
            "update_ratio": _series(steps, lambda step: step.update_ratio),
            "iterations_since_best": (float(self._since_best(sum(aps) / len(aps))),),
            "epochs": (iteration * self._num_steps / self.live.trainer.steps_per_epoch,),
            "diverged": (float(not finite),),
        }
        return Measurement(self._used(steps), samples)

    def _train(self, before: Mapping[str, object]) -> tuple[list[ObservedStep], list[float], bool]:
        """The steps taken, the APs of the validation batches, and whether every loss was finite."""
        steps: list[ObservedStep] = []
        first = self._num_measured * self._num_steps
        try:
            for number in range(first, first + self._num_steps):
                steps.append(self.live.step(number))  # noqa: PERF401  the steps before a divergence are kept
            return steps, self.live.validate(), True
        except Diverged:
            self.live.restore(before)
            return steps, self.live.validate(), False

    def _used(self, steps: Sequence[ObservedStep]) -> dict[str, float]:
        """The first value used that differs from the one held, else the one held. Unobserved keys are left out."""
        used: dict[str, float] = {}
        for key, held in self._held.items():
            observed = [step.used[key] for step in steps if key in step.used]
            if observed:
                used[key] = next((value for value in observed if value != held), held)
        return used

    def _since_best(self, ap: float) -> int:
        if ap > self._best + _LEAST_GAIN:
            self._best, self._best_at = ap, self._num_measured
        return self._num_measured - self._best_at


def _series(steps: Sequence[ObservedStep], of: Callable[[ObservedStep], float]) -> tuple[float, ...]:
    return tuple(value for step in steps if isfinite(value := of(step)))
