"""Evaluates link prediction on later events, and baselines beside the model.

Protocol: every event is scored at its own time from events strictly before it. AP and AUC compare the true destination
of each event with one negative; MRR ranks it among M negatives, and a tie gets the middle rank. Negatives are random
(uniform over the destinations met before) or historical (an earlier destination of the same source). Both depend on the
run's seed and the event alone, so every scorer, run and resumed run gets the same candidates, in batches of any size.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self, final

import numpy as np
import numpy.typing as npt

from seedbed.contracts import Interval
from seedbed.stages._config import TrainingSettings
from seedbed.stages._dataset import LinkDataset
from seedbed.stages._intervals import metrics_with_intervals
from seedbed.stages._jackknife import Jackknife
from seedbed.temporal import RankingScores
from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._negatives import Among

__all__ = [
    "NEGATIVE_KINDS",
    "RANKING_METRICS",
    "CandidateDraw",
    "CandidateScorer",
    "Evaluation",
    "NegativeKind",
    "batches",
]

NegativeKind = Literal["random", "historical"]
NEGATIVE_KINDS: tuple[NegativeKind, ...] = ("random", "historical")
RANKING_METRICS = ("ap", "auc", "mrr")
_DRAWN_TOGETHER = 128
CandidateScorer = Callable[[Int64, Int64, Int64], Float64]


def batches(events: range, size: int) -> Iterator[range]:
    """Split `events` in order into ranges of `size`; the last one may be shorter."""
    for first in range(events.start, events.stop, size):
        yield range(first, min(first + size, events.stop))


@final
@dataclass(frozen=True, slots=True)
class CandidateDraw:
    """Draws the candidates of an event: its true destination, and 1 + `num_ranked` negatives of each kind.

    `among` says which destinations a random negative may be.
    """

    kinds: tuple[NegativeKind, ...]
    num_ranked: int
    seed: int
    among: Among = "met"

    @classmethod
    def for_test(cls, settings: TrainingSettings) -> Self:
        """The draw of a test: negatives of every kind."""
        return cls(NEGATIVE_KINDS, settings.ranked_negatives, settings.seed, settings.negatives)

    def score(self, data: LinkDataset, batch: range, scorer: CandidateScorer) -> dict[NegativeKind, RankingScores]:
        """The scores of one batch by kind of negative; the scorer gets all candidates in one call."""
        source, _, time = data.events(batch)
        return self.ranking(scorer(source, self.candidates(data, batch), time))

    def candidates(self, data: LinkDataset, batch: range) -> Int64:
        """int64 [B, 1 + kinds * (1 + num_ranked)]: the true destination, then the negatives of each kind."""
        first, last = batch.start // _DRAWN_TOGETHER, (batch.stop - 1) // _DRAWN_TOGETHER
        drawn = np.concatenate([self._drawn(data, block) for block in range(first, last + 1)])
        skipped = batch.start - first * _DRAWN_TOGETHER
        return drawn[skipped : skipped + len(batch)]

    def _drawn(self, data: LinkDataset, block: int) -> Int64:
        """The candidates of a block of events, whose bounds do not depend on the batches."""
        begin = block * _DRAWN_TOGETHER
        source, destination, time = data.events(range(begin, min(begin + _DRAWN_TOGETHER, len(data.stream))))
        rng, width = np.random.default_rng((self.seed, 3, block)), 1 + self.num_ranked
        draw = {
            "random": lambda: data.negatives.random(time, width, rng, self.among),
            "historical": lambda: data.negatives.historical(source, time, width, rng, self.among),
        }
        return np.column_stack([destination, *(draw[kind]() for kind in self.kinds)])

    def ranking(self, scores: Float64) -> dict[NegativeKind, RankingScores]:
        """Scores of `candidates`, by kind of negative: the first negative for AP and AUC, the others for MRR."""
        parts = self.by_kind(scores)
        return {kind: RankingScores(scores[:, 0], part[:, 0], part[:, 1:]) for kind, part in parts.items()}

    def by_kind(self, values: npt.NDArray[Any]) -> dict[NegativeKind, npt.NDArray[Any]]:
        """The columns [B, 1 + num_ranked] of the negatives of each kind, of values shaped as `candidates`."""
        return dict(zip(self.kinds, np.split(values[:, 1:], len(self.kinds), axis=1), strict=True))


@final
class Evaluation:
    """The scores of each named predictor, batch by batch, and their metrics."""

    def __init__(self, predictors: tuple[str, ...]) -> None:
        self._parts: dict[str, dict[NegativeKind, list[RankingScores]]] = {
            name: {kind: [] for kind in NEGATIVE_KINDS} for name in predictors
        }
        self._jackknifes: dict[tuple[str, NegativeKind], Jackknife] = {}

    @property
    def baselines(self) -> tuple[str, ...]:
        """The predictors beside the model."""
        return tuple(name for name in self._parts if name != "model")

    def parts(self, predictor: str) -> dict[NegativeKind, list[RankingScores]]:
        """The scores of every batch, by kind of negative."""
        return self._parts[predictor]

    def add(self, predictor: str, scores: dict[NegativeKind, RankingScores]) -> None:
        """Add the scores of one more batch."""
        for kind, part in scores.items():
            self._parts[predictor][kind].append(part)
            self._jackknifes.pop((predictor, kind), None)

    def jackknife(self, predictor: str, kind: NegativeKind) -> Jackknife:
        """The metrics over all batches and without each of them; computed once for all who ask."""
        asked = predictor, kind
        if asked not in self._jackknifes:
            self._jackknifes[asked] = Jackknife(self._parts[predictor][kind])
        return self._jackknifes[asked]

    def metrics(self, predictor: str) -> dict[str, dict[str, float]]:
        """`{random, historical} -> {ap, auc, mrr}` over all batches."""
        return {kind: dict(self.jackknife(predictor, kind).whole) for kind in self._parts[predictor]}

    def intervals(self, predictor: str, seed: int) -> dict[str, dict[str, Interval | float]]:
        """The same metrics with their confidence intervals."""
        return {kind: metrics_with_intervals(self.jackknife(predictor, kind), seed) for kind in self._parts[predictor]}

    def digest(self, predictor: str) -> str:
        """The SHA-256 of all scores of the predictor, as float64 in the order of the events."""
        sha256 = hashlib.sha256()
        for parts in self._parts[predictor].values():
            for part in parts:
                for scores in (part.true, part.one, part.many):
                    sha256.update(np.ascontiguousarray(scores, dtype=np.float64).tobytes())
        return sha256.hexdigest()
