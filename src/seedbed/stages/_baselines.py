"""The baselines of an evaluation: rules on history, and a boosting that learns from the training part's events."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from seedbed.stages._config import TrainingSettings
from seedbed.stages._dataset import LinkDataset
from seedbed.stages._evaluation import CandidateDraw, NegativeKind, batches
from seedbed.temporal import BASELINE_RULES, HistoryBoosting, RankingScores, has_boosting
from seedbed.temporal._history import flat_questions

__all__ = ["BOOSTING", "BaselineScorers", "baseline_names"]

BOOSTING = "boosting"
_MOST_EVENTS = 20_000  # that the boosting learns from, the latest: so it takes three seconds or so


def baseline_names() -> tuple[str, ...]:
    """The baselines that can be scored here: the boosting needs scikit-learn."""
    return (*BASELINE_RULES, BOOSTING) if has_boosting() else tuple(BASELINE_RULES)


@final
@dataclass(frozen=True, slots=True)
class BaselineScorers:
    """All baselines of one evaluation; each answers the questions that the model answers."""

    boosting: HistoryBoosting | None

    @classmethod
    def prepared(cls, data: LinkDataset, settings: TrainingSettings) -> Self:
        """The rules as they are; the boosting learns from training events and negatives drawn as the model's test is.

        Without scikit-learn there is no boosting.
        """
        return cls(_fitted(data, settings) if has_boosting() else None)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names in a record."""
        return tuple(BASELINE_RULES) if self.boosting is None else (*BASELINE_RULES, BOOSTING)

    def score(
        self, data: LinkDataset, batch: range, draw: CandidateDraw
    ) -> Iterator[tuple[str, dict[NegativeKind, RankingScores]]]:
        """The scores of one batch, by name and kind of negative."""
        source, _, time = data.events(batch)
        candidates = draw.candidates(data, batch)
        past = data.history.before(*flat_questions(source, candidates, time))
        for name, rule in BASELINE_RULES.items():
            yield name, draw.ranking(rule(past).reshape(candidates.shape))
        if self.boosting is not None:
            yield BOOSTING, draw.ranking(self.boosting.score(past).reshape(candidates.shape))


def _fitted(data: LinkDataset, settings: TrainingSettings) -> HistoryBoosting:
    draw = CandidateDraw(("random",), 0, settings.seed, settings.negatives)
    events = data.split.train[-_MOST_EVENTS:]
    candidates = [draw.candidates(data, batch) for batch in batches(events, settings.batch_size)]
    source, _, time = data.events(events)
    return HistoryBoosting.fit(data.history, source, np.concatenate(candidates), time, settings.seed)
