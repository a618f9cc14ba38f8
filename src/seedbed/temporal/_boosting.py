"""A gradient boosting on what happened before: the strongest predictor that knows no network and no feature.

It needs scikit-learn, the extra `stages`.
"""

import importlib.util
from typing import TYPE_CHECKING, Self, final

import numpy as np

from seedbed.errors import InvalidInput
from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._history import EventHistory, Past, flat_questions

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["HistoryBoosting", "has_boosting", "history_columns"]

_NEVER = 2.0**63


def has_boosting() -> bool:
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


def history_columns(past: Past) -> Float64:
    """What is known before each of Q questions, float64 [Q, 12]; what never happened is older than everything else.

    Count, age and share of the source's events, of the pair; count and age of the reverse pair, the destination and
    the source; how many destinations the source met and how many sources met the destination; whether it was the last.
    """
    pair, reverse, source, destination = past.of_pair, past.of_reverse, past.of_source, past.of_destination
    columns = [
        pair.count,
        pair.age,
        pair.count / np.maximum(source.count, 1),
        reverse.count,
        reverse.age,
        destination.count,
        destination.age,
        source.count,
        source.age,
        past.num_destinations,
        past.num_sources,
        past.is_last,
    ]
    table = np.column_stack(columns).astype(np.float64)
    return np.where(np.isnan(table), _NEVER, table)  # no missing values: scikit-learn refuses a column without others


@final
class HistoryBoosting:
    """Scikit-learn's histogram boosting over `history_columns`, with its own defaults: 100 trees of 31 leaves."""

    def __init__(self, trees: "HistGradientBoostingClassifier") -> None:
        self._trees = trees

    @classmethod
    def fit(cls, history: EventHistory, source: Int64, candidates: Int64, time: Int64, seed: int) -> Self:
        """Learn to tell the first candidate of each event, its true destination, from the others.

        source, time: int64 [B]; candidates: int64 [B, M]. One thread, so that the same seed gives the same trees.
        Raises InvalidInput when scikit-learn is not installed.
        """
        if not has_boosting():
            raise InvalidInput("a boosting on history counts needs scikit-learn: pip install 'seedbed[stages]'")
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

        past = history.before(*flat_questions(source, candidates, time))
        truth = np.tile(np.arange(candidates.shape[1]) == 0, len(source))
        trees = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
        with threadpool_limits(1):
            trees.fit(history_columns(past), truth)
        return cls(trees)

    def score(self, past: Past) -> Float64:
        """The log odds float64 [Q] that a question's destination is the true one."""
        scores: Float64 = self._trees.decision_function(history_columns(past))
        return scores
