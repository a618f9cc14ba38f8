"""A metric's value with its interval, and which of two values is the better one."""

import math
import re
from dataclasses import dataclass
from typing import Literal, TypeGuard

from pydantic import JsonValue

__all__ = ["Better", "Range", "Score", "better", "is_number", "score_of"]

Better = Literal["higher", "lower"]

# Words in the name of a metric that say which values are the better ones: the last one that is no mere detail decides,
# so that auc_gap is no auc. A name that turns its meaning around (non_loss, neg_mse) says nothing, nor one without any.
_LOWER = frozenset({"loss", "error", "mse", "mae", "rmse", "nll", "perplexity", "ppl", "cer", "wer", "regret"})
_HIGHER = frozenset(
    {"accuracy", "acc", "ap", "auc", "auroc", "auprc", "bleu", "dice", "f1", "hits", "iou", "map", "mrr", "ndcg"}
    | {"precision", "recall", "reward", "r2", "rouge"}
)
_DETAILS = frozenset(
    {"at", "average", "avg", "best", "ema", "final", "k", "last", "macro", "mean", "median", "micro", "per", "rate"}
    | {"score", "std", "step", "sum", "test", "total", "train", "val", "valid", "validation", "value", "weighted"}
)
_TURNED = frozenset({"free", "inverse", "minus", "neg", "negative", "no", "non", "not", "without"})
_WORDS = re.compile(r"[A-Za-z]+\d*")


@dataclass(frozen=True)
class Range:
    """The ends of an interval, its number of samples and its confidence; None where the record does not say."""

    low: float
    high: float
    n: int | None = None
    confidence: float | None = None

    @property
    def words(self) -> str:
        """The confidence and the number of samples, as far as they are known: `95%, n = 9,000`."""
        share = "" if self.confidence is None else f"{100 * self.confidence:.6g}%"
        count = "" if self.n is None else f"n = {self.n:,}"
        return ", ".join(filter(None, (share, count)))


@dataclass(frozen=True)
class Score:
    """A metric and, where the record gives one, its interval."""

    value: float
    interval: Range | None = None

    @property
    def low(self) -> float:
        """The interval's lower end; the value, where there is no interval."""
        return self.interval.low if self.interval else self.value

    @property
    def high(self) -> float:
        """The interval's upper end; the value, where there is no interval."""
        return self.interval.high if self.interval else self.value

    def against(self, other: float) -> str:
        """Whether the whole interval is above or below `other`, or includes it."""
        return "above" if self.low > other else "below" if self.high < other else "level with"


def better(name: str) -> Better | None:
    """Which values of the metric called `name` are the better ones, by the words of its last part; None if unknown."""
    words = [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
    telling = [word for word in words if word not in _DETAILS and not re.fullmatch(r"(?:top|p|k)\d+", word)]
    if not telling or _TURNED.intersection(words):
        return None
    return "lower" if telling[-1] in _LOWER else "higher" if telling[-1] in _HIGHER else None


def score_of(value: JsonValue) -> Score | None:
    """The score that `value` is: a finite number, or a mapping with the numbers value, low and high; else None."""
    if is_number(value):
        return Score(value)
    if not isinstance(value, dict):
        return None
    middle, low, high = (value.get(name) for name in ("value", "low", "high"))
    if not (is_number(middle) and is_number(low) and is_number(high)):
        return None
    n, confidence = value.get("n"), value.get("confidence")
    return Score(
        middle, Range(low, high, n if isinstance(n, int) else None, confidence if is_number(confidence) else None)
    )


def is_number(value: JsonValue) -> TypeGuard[int | float]:
    """Whether `value` is a finite number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
