"""The model tuner: it samples settings near the best ones seen, without knowledge of the plant (extra `soak`)."""

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

FloatArray = NDArray[np.float64]


@final
class ModelTuner:
    """A `Tuner` that samples by optuna's multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018).

    Settings are scaled to fractions of their ranges. The centre is one of the last 60 observations: the one whose five
    nearest, itself included, have the highest mean score less its standard error, so that one lucky iteration is not
    taken for the best. A proposal is within a fifth of the range around the centre. Guards may allow only a part of
    it; the sampler gets the values that the plant really ran with.

    `keys` are the settings that it moves. At every proposal the study is rebuilt from the history, with a sampler
    seeded by `seed` and the length of the history. So a resumed soak proposes the same.
    """

    def __init__(self, registry: Registry, keys: Sequence[str], objective: Objective, seed: int) -> None:
        self._parameters = tuple(registry[key] for key in keys)
        self._objective, self._seed = objective, seed

    @property
    def name(self) -> str:
        """Its name, which its deltas carry as their proposer."""
        return "model"

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """One delta for every setting that should move; none without measurements."""
        window = history[-_WINDOW:]
        score = scores(self._objective, window)
        known = np.isfinite(score)
        if not known.any():
            return ()
        points = np.array([[_fraction(p, seen.used[p.key]) for p in self._parameters] for seen in window])[known]
        asked = self._ask(points, score[known], len(history))
        used, reason = history[-1].used, f"sampled near the best of {int(known.sum())} iterations"
        wanted = {p.key: nearest_on_grid(p, p.low + asked[p.key] * (p.high - p.low)) for p in self._parameters}
        return tuple(Delta(key, Set(to), reason, self.name) for key, to in wanted.items() if to != used[key])

    def _ask(self, points: FloatArray, score: FloatArray, length: int) -> Mapping[str, float]:
        centre = _centre(points, score)
        low, high = np.clip(centre - _TRUST, 0, 1), np.clip(centre + _TRUST, 0, 1)
        space: dict[str, BaseDistribution] = {
            p.key: FloatDistribution(float(a), float(b)) for p, a, b in zip(self._parameters, low, high, strict=True)
        }
        seed = int(np.random.SeedSequence([self._seed, length]).generate_state(1)[0])  # optuna takes 32 bits
        sampler = TPESampler(seed=seed, multivariate=True, n_startup_trials=_STARTUP)
        with _quiet():
            study = optuna.create_study(direction="maximize", sampler=sampler)
        for point, value in zip(np.clip(points, low, high), score, strict=True):
            params = {p.key: float(at) for p, at in zip(self._parameters, point, strict=True)}
            study.add_trial(optuna.create_trial(params=params, distributions=space, value=float(value)))
        return study.ask(space).params


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence optuna's message on stderr for every new study, since every proposal makes one."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _fraction(parameter: Parameter, value: float) -> float:
    return (value - parameter.low) / (parameter.high - parameter.low)


def _centre(points: FloatArray, score: FloatArray) -> FloatArray:
    """The point whose nearest neighbours score best, by the lower bound of their mean score."""
    if len(score) <= _NEIGHBOURS:
        return np.asarray(points[int(np.argmax(score))])
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    near = score[np.argsort(apart, axis=1, kind="stable")[:, :_NEIGHBOURS]]
    bound = near.mean(axis=1) - near.std(axis=1, ddof=1) / _NEIGHBOURS**0.5
    return np.asarray(points[int(np.argmax(bound))])
