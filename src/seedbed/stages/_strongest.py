"""The strongest baseline of each metric, and how far the model is above it: the two answer the same questions.

The margin's interval resamples the differences of successive batches, so what makes a batch hard for both cancels out.
The strongest of several is chosen on the same events, which favours the baselines a little, never the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap
from seedbed.stages._evaluation import NEGATIVE_KINDS, Evaluation, NegativeKind
from seedbed.stages._intervals import FEWEST_BATCHES, pseudo_values
from seedbed.temporal import RankingScores
from seedbed.temporal._arrays import Float64

__all__ = ["margins", "strongest"]


def strongest(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """The best baseline's score: `{random, historical} -> {ap, auc, mrr}`."""
    found = [evaluation.metrics(name) for name in evaluation.baselines]
    return {kind: {metric: max(of[kind][metric] for of in found) for metric in found[0][kind]} for kind in found[0]}


def margins(evaluation: Evaluation, seed: int) -> dict[str, dict[str, Interval | float]]:
    """The model's score minus the best baseline's, with 95 % intervals; bare values below FEWEST_BATCHES batches."""
    return {kind: _margins(evaluation, kind, seed) for kind in NEGATIVE_KINDS}


def _margins(evaluation: Evaluation, kind: NegativeKind, seed: int) -> dict[str, Interval | float]:
    model = _Jackknifed.of(evaluation.parts("model")[kind])
    others = [_Jackknifed.of(evaluation.parts(name)[kind]) for name in evaluation.baselines]
    return {
        metric: model.minus(max(others, key=lambda other: other.whole[metric]), metric, seed) for metric in model.whole
    }


@final
@dataclass(frozen=True, slots=True)
class _Jackknifed:
    """A predictor's metrics over all batches, and their pseudo-values; none of those below FEWEST_BATCHES batches."""

    whole: dict[str, float]
    pseudo: dict[str, Float64] | None

    @classmethod
    def of(cls, batches: Sequence[RankingScores]) -> Self:
        whole = RankingScores.joined(batches).metrics()
        return cls(whole, pseudo_values(batches, whole) if len(batches) >= FEWEST_BATCHES else None)

    def minus(self, other: Self, metric: str, seed: int) -> Interval | float:
        value = self.whole[metric] - other.whole[metric]
        if self.pseudo is None or other.pseudo is None:
            return value
        interval = block_bootstrap(self.pseudo[metric] - other.pseudo[metric], seed=seed)
        low, high = max(-1.0, min(interval.low, value)), min(1.0, max(interval.high, value))
        return interval.model_copy(update={"value": value, "low": low, "high": high})
