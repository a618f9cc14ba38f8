"""The scores of a model beside those of baselines, for a record that holds both of the same metrics.

A record asks for these tables by its shape: what it holds at `metrics.test.<kind>.<metric>` and again, for at least
one baseline, at `metrics.baselines.<name>.<kind>.<metric>`. A kind may be nested, as in `random.new`.

Whether the model is better is said once for each metric. Where the record holds the model's margin over the strongest
baseline, at `metrics.margin.<kind>.<metric>`, that decides: both answered the same questions, so its interval is of
their difference. Else the model's own interval decides, against the baseline's value. Without one, nothing is decided.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from seedbed.records import Snapshot
from seedbed.records.log import better
from seedbed.render.facts._measured import measured
from seedbed.render.facts._scores import Score

__all__ = ["Results", "Row", "Standing", "label", "results_of", "tabled"]

_TEST, _BASELINES, _STRONGEST, _MARGIN = "test", "baselines", "strongest", "margin"
_NAMED = "strongest_name"
_NAMES = {"most_recent": "most recent destination"}
_LONGEST_INITIALS = 3

Scores = Mapping[str, Score]


@dataclass(frozen=True)
class Standing:
    """How the model stands to the strongest baseline of one metric: above, below or level with it.

    `side` is None where no interval shows it. `lost` says that the model is on the worse side, and `margin` is the
    model's score minus the baseline's, where the record holds it.
    """

    metric: str
    baseline: str
    value: float
    side: str | None
    lost: bool
    margin: Score | None = None

    @property
    def is_level(self) -> bool:
        """Whether the interval includes both sides."""
        return self.side == "level with"

    @property
    def verdict(self) -> str:
        """How the model stands, in one or two words."""
        return "not decided" if self.side is None else self.side

    @property
    def reason(self) -> str:
        """What the verdict rests on: the margin with its interval, that there is no interval, or nothing more."""
        if self.side is None:
            return "no interval"
        if self.margin is None or self.margin.interval is None:
            return ""
        return f"margin {self.margin.value:+.3f} [{self.margin.low:+.3f}, {self.margin.high:+.3f}]"


@dataclass(frozen=True)
class Row:
    """One predictor's scores by metric; `key` names its mark in a drawing. A score that it lacks is not among them."""

    key: str
    name: str
    scores: Scores


@dataclass(frozen=True)
class Results:
    """All predictors on one kind of test, the trained model first; `metrics` are its columns.

    `margins` are the model's over the strongest baseline, which `named` names by metric where the record does.
    """

    kind: str
    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    margins: Scores = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> Row:
        """The trained model's row."""
        return self.rows[0]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The model against the strongest baseline of each metric that a baseline has."""
        return tuple(self._standings())

    @property
    def intervals(self) -> tuple[str, ...]:
        """The confidence and sample size of the model's intervals, each combination once."""
        found = [score.interval.words for score in self.model.scores.values() if score.interval]
        return tuple(dict.fromkeys(filter(None, found)))

    def strongest(self, metric: str) -> Row | None:
        """The baseline that the record names, else the first with the best score; None where none has a score."""
        scored = [row for row in self.rows[1:] if metric in row.scores]
        if found := [row for row in scored if row.key == self.named.get(metric)]:
            return found[0]
        sign = -1.0 if better(metric) == "lower" else 1.0
        return max(scored, key=lambda row: sign * row.scores[metric].value, default=None)

    def is_strongest(self, row: Row, metric: str) -> bool:
        """Whether `row` is a baseline, and none has a better score of `metric`."""
        best = self.strongest(metric)
        known = best is not None and row is not self.model and metric in row.scores
        return known and row.scores[metric].value == best.scores[metric].value  # type: ignore[union-attr]

    def _standings(self) -> Iterator[Standing]:
        for metric in self.metrics:
            best, ours = self.strongest(metric), self.model.scores.get(metric)
            if best and ours:
                value, margin = best.scores[metric].value, self.margins.get(metric)
                side = _side(ours, value, margin)
                worse = "above" if better(metric) == "lower" else "below"
                yield Standing(label(metric), best.name, value, side, side == worse, margin)


def _side(ours: Score, value: float, margin: Score | None) -> str | None:
    """The side that the margin's interval shows; else the one that the model's own shows; None without an interval."""
    if margin is not None and margin.interval:
        return margin.against(0.0)
    return ours.against(value) if ours.interval else None


def results_of(snapshot: Snapshot) -> tuple[Results, ...]:
    """One table for each kind of test of which a baseline has a score too; random negatives first."""
    ours = _by_kind(snapshot.metrics.get(_TEST))
    baselines = snapshot.metrics.get(_BASELINES)
    theirs = {name: _by_kind(baselines[name]) for name in sorted(baselines)} if isinstance(baselines, dict) else {}
    tables = (_table(kind, ours[kind], theirs, snapshot) for kind in ours)
    return tuple(sorted(filter(None, tables), key=lambda table: (not table.kind.startswith("random"), table.kind)))


def tabled(tables: tuple[Results, ...], snapshot: Snapshot) -> frozenset[str]:
    """The dotted names of the metrics that `tables` show, with those that their standings tell."""
    shown = {
        _dotted(head, table.kind, metric)
        for table in tables
        for row in table.rows
        for head in (_TEST if row is table.model else f"{_BASELINES}.{row.key}",)
        for metric in row.scores
    }
    told = {name for table in tables for metric in table.metrics for name in _told(table, metric, snapshot)}
    return frozenset(shown | told)


def _told(table: Results, metric: str, snapshot: Snapshot) -> Iterator[str]:
    """The margin, whose verdict is told; and the strongest baseline's score, where it is that of the table."""
    if metric in table.margins:
        yield _dotted(_MARGIN, table.kind, metric)
    best = table.strongest(metric)
    recorded = _by_kind(snapshot.metrics.get(_STRONGEST)).get(table.kind, {}).get(metric)
    if best is not None and recorded == best.scores[metric]:
        yield _dotted(_STRONGEST, table.kind, metric)
    if best is not None and table.named.get(metric) == best.key:
        yield _dotted(_NAMED, table.kind, metric)


def _dotted(*parts: str) -> str:
    return ".".join(filter(None, parts))


def label(metric: str) -> str:
    """A metric's name for a table: initials are capital letters, as AP and MRR."""
    return metric.upper() if metric.isalpha() and len(metric) <= _LONGEST_INITIALS else metric


def _table(kind: str, ours: Scores, theirs: Mapping[str, Mapping[str, Scores]], snapshot: Snapshot) -> Results | None:
    known = {name: scores for name, found in theirs.items() if (scores := found.get(kind, {}))}
    metrics = tuple(name for name in ours if better(name) and any(name in scores for scores in known.values()))
    if not metrics:
        return None
    rows = [Row("model", _model(snapshot), {name: ours[name] for name in metrics})]
    for name, scores in known.items():
        if shared := {metric: scores[metric] for metric in metrics if metric in scores}:
            rows.append(Row(name, _NAMES.get(name, name.replace("_", " ")), shared))
    margins = _by_kind(snapshot.metrics.get(_MARGIN)).get(kind, {})
    return Results(kind, _title(kind, snapshot), metrics, tuple(rows), margins, _named(kind, snapshot))


def _named(kind: str, snapshot: Snapshot) -> dict[str, str]:
    """The strongest baseline of each metric by its name, as far as the record names it."""
    found: JsonValue = snapshot.metrics.get(_NAMED)
    for part in filter(None, kind.split(".")):
        found = found.get(part) if isinstance(found, dict) else None
    return {metric: name for metric, name in found.items() if isinstance(name, str)} if isinstance(found, dict) else {}


def _by_kind(value: JsonValue) -> dict[str, dict[str, Score]]:
    """Every score in nested `value`, by the dotted name of what holds it and then by its own name."""
    found: dict[str, dict[str, Score]] = {}
    for item in measured(value):
        kind, _, name = item.path.rpartition(".")
        if item.score and name:
            found.setdefault(kind, {})[name] = item.score
    return found


def _model(snapshot: Snapshot) -> str:
    family = snapshot.metadata.get("model_family")
    return f"this run ({family})" if isinstance(family, str) and family != "NOT_APPLICABLE" else "this run"


def _title(kind: str, snapshot: Snapshot) -> str:
    """The kind in words; kinds of negatives are those that the record's target names."""
    first, *rest = kind.split(".") if kind else ["test"]
    target = snapshot.process.get("target")
    negatives = target.get("negatives") if isinstance(target, dict) else None
    named = first in negatives if isinstance(negatives, list) else snapshot.target == "link"
    return ", ".join((f"{first} negatives" if named else first, *rest))
