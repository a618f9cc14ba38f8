"""How new the test is: ends and pairs that were never met, and negatives that are no real alternatives.

A model may look good on a stream only because its true ends are new and the negatives are not, or the other way round.
So the shares are recorded, and the metrics are split by whether both ends had an event before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt

from seedbed.stages._dataset import LinkDataset
from seedbed.stages._evaluation import NEGATIVE_KINDS, RANKING_METRICS, CandidateDraw, Evaluation, NegativeKind, batches
from seedbed.temporal import RankingScores
from seedbed.temporal._arrays import Int64
from seedbed.temporal._history import flat_questions

__all__ = ["NEGATIVE_SHARES", "NOVELTY_FACTS", "Novelty"]

NOVELTY_FACTS = ("new_sources", "new_destinations", "new_pairs", "sources_without_past", "seen_events", "new_events")
NEGATIVE_SHARES = ("true", "all_true", "unmet")
_Metrics = dict[str, dict[str, float | None]]


@final
@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new in the test events: `seen` bool [N], where both ends had an event before; shares are of 1.

    Before is before in the stream: events of training, of validation, and of the test itself.

    `facts` has NOVELTY_FACTS: the shares of events whose source, destination or pair had no event before, and of those
    whose source had met no destination, so that their historical negatives are random ones; the numbers of seen and of
    new events. `negatives` has NEGATIVE_SHARES by kind: negatives that are the true destination; events of which all
    are; negatives that nothing had met.
    """

    seen: npt.NDArray[np.bool_]
    facts: Mapping[str, float]
    negatives: Mapping[NegativeKind, Mapping[str, float]]

    @classmethod
    def of(cls, data: LinkDataset, draw: CandidateDraw, batch_size: int) -> Self:
        """Look at every test event, and at every negative that `draw` draws for it."""
        past = data.history.before(*data.events(data.split.test))
        seen = past.knows_source & past.knows_destination
        facts = {
            "new_sources": _share(~past.knows_source),
            "new_destinations": _share(~past.knows_destination),
            "new_pairs": _share(past.of_pair.count == 0),
            "sources_without_past": _share(past.of_source.count == 0),
            "seen_events": int(seen.sum()),
            "new_events": int((~seen).sum()),
        }
        looked = [_negatives(data, draw, batch) for batch in batches(data.split.test, batch_size)]
        shares = {
            kind: {name: _share(np.concatenate([of[kind][name] for of in looked])) for name in NEGATIVE_SHARES}
            for kind in draw.kinds
        }
        return cls(seen, facts, shares)

    def as_json(self) -> dict[str, Any]:
        """The facts, and the shares of negatives by kind."""
        return {**self.facts, "negatives": {kind: dict(shares) for kind, shares in self.negatives.items()}}

    def split(self, evaluation: Evaluation) -> dict[str, dict[str, _Metrics]]:
        """`{seen, new} -> {model, strongest} -> {random, historical} -> {ap, auc, mrr}`; None where no event is."""
        events = {"seen": np.flatnonzero(self.seen), "new": np.flatnonzero(~self.seen)}
        return {part: _on(evaluation, rows) for part, rows in events.items()}


def _on(evaluation: Evaluation, events: Int64) -> dict[str, _Metrics]:
    """The model's metrics on some of the test events, and the best baseline's."""
    others = [_metrics(evaluation, name, events) for name in evaluation.baselines]
    strongest: _Metrics = {
        kind: {metric: _best(other[kind][metric] for other in others) for metric in RANKING_METRICS}
        for kind in NEGATIVE_KINDS
    }
    return {"model": _metrics(evaluation, "model", events), "strongest": strongest}


def _metrics(evaluation: Evaluation, predictor: str, events: Int64) -> _Metrics:
    if not len(events):
        return {kind: dict.fromkeys(RANKING_METRICS) for kind in NEGATIVE_KINDS}
    parts = evaluation.parts(predictor)
    return {kind: dict(RankingScores.joined(parts[kind]).take(events).metrics()) for kind in NEGATIVE_KINDS}


def _best(scores: Iterable[float | None]) -> float | None:
    return max((score for score in scores if score is not None), default=None)


def _negatives(
    data: LinkDataset, draw: CandidateDraw, batch: range
) -> dict[NegativeKind, dict[str, npt.NDArray[np.bool_]]]:
    """What is wrong with each negative of one batch, by kind."""
    source, _, time = data.events(batch)
    candidates = draw.candidates(data, batch)
    past = data.history.before(*flat_questions(source, candidates, time))
    is_true = draw.by_kind(np.equal(candidates, candidates[:, :1]))
    is_unmet = draw.by_kind((past.of_destination.count == 0).reshape(candidates.shape))
    return {
        kind: {
            "true": is_true[kind].ravel(),
            "all_true": np.logical_and.reduce(is_true[kind], axis=1),
            "unmet": is_unmet[kind].ravel(),
        }
        for kind in draw.kinds
    }


def _share(held: npt.NDArray[np.bool_]) -> float:
    return float(held.mean())
