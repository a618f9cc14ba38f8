"""A tuner that knows nothing of the plant: a sampler near the best that was seen (needs the extra `soak`)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import TPESampler

from seedbed.change import Delta, Parameter, Registry, Set
from seedbed.change.parameters import nearest_on_grid
from seedbed.soak.tuners._objective import Objective, scores
from seedbed.soak.tuners._tuner import Observation

__all__ = ["ModelTuner"]

_WINDOW, _NEIGHBOURS, _STARTUP = 60, 5, 10
_TRUST = 0.2

Floats = NDArray[np.float64]


@final
class ModelTuner:
    """A `Tuner` by optuna's multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018), asked and told.

    Settings are shares of their ranges. The centre is the observation of the last 60 whose five nearest, itself among
    them, have the highest mean score less its standard error: one lucky iteration does not make a best. What is asked
    for lies within a fifth of the range around it; guards that allow less make it walk there, and what it then really
    ran with is what the sampler is told.

    `keys` are the settings that it moves. The study is built anew from the history at every proposal, its sampler
    seeded by `seed` and the history's length: a resumed soak proposes the same.
    """

    def __init__(self, registry: Registry, keys: Sequence[str], objective: Objective, seed: int) -> None:
        self._moved = tuple(registry[key] for key in keys)
        self._objective, self._seed = objective, seed

    @property
    def name(self) -> str:
        """The proposer that its deltas name."""
        return "model"

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """One delta for every setting that should move; none before anything was measured."""
        window = history[-_WINDOW:]
        score = scores(self._objective, window)
        known = np.isfinite(score)
        if not known.any():
            return ()
        places = np.array([[_place(p, seen.used[p.key]) for p in self._moved] for seen in window])[known]
        asked = self._ask(places, score[known], len(history))
        used, reason = history[-1].used, f"sampled near the best of {int(known.sum())} iterations"
        wanted = {p.key: nearest_on_grid(p, p.low + asked[p.key] * (p.high - p.low)) for p in self._moved}
        return tuple(Delta(key, Set(to), reason, self.name) for key, to in wanted.items() if to != used[key])

    def _ask(self, places: Floats, score: Floats, length: int) -> Mapping[str, float]:
        centre = _centre(places, score)
        low, high = np.clip(centre - _TRUST, 0, 1), np.clip(centre + _TRUST, 0, 1)
        space: dict[str, BaseDistribution] = {
            p.key: FloatDistribution(float(a), float(b)) for p, a, b in zip(self._moved, low, high, strict=True)
        }
        seed = int(np.random.SeedSequence([self._seed, length]).generate_state(1)[0])  # optuna takes 32 bits
        sampler = TPESampler(seed=seed, multivariate=True, n_startup_trials=_STARTUP)
        with _quiet():
            study = optuna.create_study(direction="maximize", sampler=sampler)
        for place, value in zip(np.clip(places, low, high), score, strict=True):
            params = {p.key: float(at) for p, at in zip(self._moved, place, strict=True)}
            study.add_trial(optuna.create_trial(params=params, distributions=space, value=float(value)))
        return study.ask(space).params


@contextmanager
def _quiet() -> Iterator[None]:
    """Without optuna's line on stderr for every study: here there is one for every proposal."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _place(parameter: Parameter, value: float) -> float:
    return (value - parameter.low) / (parameter.high - parameter.low)


def _centre(places: Floats, score: Floats) -> Floats:
    """The place whose nearest neighbours score best, by the lower bound of their mean."""
    if len(score) <= _NEIGHBOURS:
        return np.asarray(places[int(np.argmax(score))])
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=-1)
    near = score[np.argsort(apart, axis=1, kind="stable")[:, :_NEIGHBOURS]]
    bound = near.mean(axis=1) - near.std(axis=1, ddof=1) / _NEIGHBOURS**0.5
    return np.asarray(places[int(np.argmax(bound))])
