"""The scores of a trained link predictor beside those of baselines that learn nothing."""

from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from seedbed.contracts import Interval
from seedbed.records import Snapshot

__all__ = ["METRICS", "Results", "Row", "Score", "results_of"]

METRICS = ("AP", "AUC", "MRR")
_KINDS = ("random", "historical")
_BASELINES = {"pair_counter": "Pair counter", "most_recent": "Most recent destination"}


@dataclass(frozen=True)
class Score:
    """A metric and, where the record gives one, its interval."""

    value: float
    interval: Interval | None = None

    @property
    def low(self) -> float:
        """The interval's lower end; the value, where there is no interval."""
        return self.interval.low if self.interval else self.value

    @property
    def high(self) -> float:
        """The interval's upper end; the value, where there is no interval."""
        return self.interval.high if self.interval else self.value

    def against(self, baseline: float) -> str:
        """Whether the whole interval is above or below `baseline`, or includes it."""
        return "above" if self.low > baseline else "below" if self.high < baseline else "level with"


@dataclass(frozen=True)
class Row:
    """One predictor's scores in the order of METRICS, None where the record has none."""

    key: str
    name: str
    scores: tuple[Score | None, ...]


@dataclass(frozen=True)
class Results:
    """All predictors against one kind of negatives, the trained model first."""

    kind: str
    rows: tuple[Row, ...]

    @property
    def model(self) -> Row:
        """The trained model's row."""
        return self.rows[0]

    @property
    def verdicts(self) -> tuple[tuple[str, str], ...]:
        """Each baseline's name, and how the model compares: "above it in AP and AUC; below it in MRR"."""
        found = ((row.name, self._against(row)) for row in self.rows[1:])
        return tuple((name, verdict) for name, verdict in found if verdict)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The confidence and sample size of the model's intervals, each combination once."""
        found = [score.interval for score in self.model.scores if score and score.interval]
        return tuple(dict.fromkeys(f"{interval.confidence:.0%}, n = {interval.n:,}" for interval in found))

    def _against(self, baseline: Row) -> str:
        sides: dict[str, list[str]] = {"above": [], "below": [], "level with": []}
        for metric, ours, theirs in zip(METRICS, self.model.scores, baseline.scores, strict=True):
            if ours and theirs:
                sides[ours.against(theirs.value)].append(metric)
        return "; ".join(f"{side} it in {_listed(metrics)}" for side, metrics in sides.items() if metrics)


def results_of(snapshot: Snapshot) -> tuple[Results, ...]:
    """One table for each kind of negatives: the model, then both baselines. A missing score is None."""
    family = snapshot.metadata.get("model_family")
    ours = f"This run ({family})" if isinstance(family, str) else "This run"
    return tuple(
        Results(
            kind,
            (
                Row("model", ours, _scores(snapshot.metrics, "test", kind)),
                *(
                    Row(key.replace("_", "-"), name, _scores(snapshot.metrics, "baselines", key, kind))
                    for key, name in _BASELINES.items()
                ),
            ),
        )
        for kind in _KINDS
    )


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _scores(metrics: JsonValue, *path: str) -> tuple[Score | None, ...]:
    return tuple(_score(_dig(metrics, (*path, metric.lower()))) for metric in METRICS)


def _dig(value: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _score(value: JsonValue) -> Score | None:
    if isinstance(value, dict):
        try:
            interval = Interval.model_validate(value)
        except ValidationError:
            return None
        return Score(interval.value, interval)
    return Score(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
