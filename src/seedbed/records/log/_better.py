"""Which values of a metric are the better ones, as far as its name says it."""

import re
from typing import Literal

__all__ = ["Better", "better"]

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


def better(name: str) -> Better | None:
    """Which values of the metric called `name` are the better ones, by the words of its last part; None if unknown."""
    words = [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
    telling = [word for word in words if word not in _DETAILS and not re.fullmatch(r"(?:top|p|k)\d+", word)]
    if not telling or _TURNED.intersection(words):
        return None
    return "lower" if telling[-1] in _LOWER else "higher" if telling[-1] in _HIGHER else None
