"""The strongest baseline of each metric, and how far the model is above it: the two answer the same questions.

The margin's interval resamples the differences of successive batches, so what makes a batch hard for both cancels out.
The strongest of several is chosen on the same events, which favours the baselines a little, never the model.
"""

from seedbed.contracts import Interval
from seedbed.gate import block_bootstrap, bounded_mean
from seedbed.stages._evaluation import NEGATIVE_KINDS, RANKING_METRICS, Evaluation, NegativeKind
from seedbed.stages._intervals import FEWEST_BATCHES, ROUNDING

__all__ = ["margins", "strongest", "strongest_names"]


def strongest(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """The best baseline's score: `{random, historical} -> {ap, auc, mrr}`."""
    return {
        kind: {
            metric: evaluation.jackknife(name, kind).whole[metric] for metric, name in _names(evaluation, kind).items()
        }
        for kind in NEGATIVE_KINDS
    }


def strongest_names(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """The best baseline's name: `{random, historical} -> {ap, auc, mrr}`; the first of those with the same score."""
    return {kind: _names(evaluation, kind) for kind in NEGATIVE_KINDS}


def margins(evaluation: Evaluation, seed: int) -> dict[str, dict[str, Interval | float]]:
    """The model's score minus the best baseline's, with 95 % intervals; bare values below FEWEST_BATCHES batches.

    Where the two differ in all batches alike, the interval is the one of as many equal samples in [-1, 1].
    """
    return {
        kind: {
            metric: _margin(evaluation, kind, metric, name, seed) for metric, name in _names(evaluation, kind).items()
        }
        for kind in NEGATIVE_KINDS
    }


def _names(evaluation: Evaluation, kind: NegativeKind) -> dict[str, str]:
    def score(name: str, metric: str) -> float:
        return evaluation.jackknife(name, kind).whole[metric]

    return {metric: max(evaluation.baselines, key=lambda name: score(name, metric)) for metric in RANKING_METRICS}


def _margin(evaluation: Evaluation, kind: NegativeKind, metric: str, name: str, seed: int) -> Interval | float:
    model, other = evaluation.jackknife("model", kind), evaluation.jackknife(name, kind)
    value = model.whole[metric] - other.whole[metric]
    if len(model.batches) < FEWEST_BATCHES:
        return value
    differences = model.pseudo_values(metric) - other.pseudo_values(metric)
    if differences.max() - differences.min() <= ROUNDING * len(differences):
        return bounded_mean([value] * len(differences), -1, 1)
    interval = block_bootstrap(differences, seed=seed)
    low, high = max(-1.0, min(interval.low, value)), min(1.0, max(interval.high, value))
    return interval.model_copy(update={"value": value, "low": low, "high": high})
