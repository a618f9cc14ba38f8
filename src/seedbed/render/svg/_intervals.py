"""Each metric's interval beside the baselines, drawn on an axis of its own so that the interval can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.render.facts._results import Results, Row, label
from seedbed.render.facts._scores import Score
from seedbed.render.facts._words import number
from seedbed.render.svg._axis import Axis, Tick, data_axis

__all__ = ["IntervalChart", "interval_chart"]

_WIDTH, _LEFT, _RIGHT = 420, 64, 396
_TOP, _ROW = 14, 48


@dataclass(frozen=True)
class ScoreMark:
    """One predictor's score, and the ends of its interval. `shape` is its place in the table, 0 for the model."""

    shape: int
    strongest: bool
    x: float
    low: float
    high: float
    title: str


@dataclass(frozen=True)
class Strip:
    """One metric: its name, the height of its centre line, its axis and its marks, the model's over the others."""

    metric: str
    y: int
    ticks: tuple[Tick, ...]
    marks: tuple[ScoreMark, ...]


@dataclass(frozen=True)
class IntervalChart:
    """The positions of everything, in the units of the drawing."""

    width: int
    height: int
    left: int
    right: int
    rows: tuple[Strip, ...]


def interval_chart(table: Results) -> IntervalChart:
    """The chart of one table."""
    rows = tuple(_strips(table))
    return IntervalChart(_WIDTH, _TOP + _ROW * len(rows), _LEFT, _RIGHT, rows)


def _strips(table: Results) -> Iterator[Strip]:
    for place, metric in enumerate(table.metrics):
        found = [(shape, row, row.scores[metric]) for shape, row in enumerate(table.rows) if metric in row.scores]
        axis = data_axis([end for *_, score in found for end in (score.low, score.high)], _LEFT, _RIGHT, 4)
        marks = tuple(
            _mark(shape, row, metric, score, axis, table.is_strongest(row, metric))
            for shape, row, score in reversed(found)
        )
        yield Strip(label(metric), _TOP + _ROW * place, axis.ticks, marks)


def _mark(shape: int, row: Row, metric: str, score: Score, axis: Axis, strongest: bool) -> ScoreMark:
    title = f"{row.name}: {label(metric)} {number(score.value)}"
    if score.interval:
        title += f", {score.interval.words} interval {number(score.low)} to {number(score.high)}"
    return ScoreMark(shape, strongest, axis.at(score.value), axis.at(score.low), axis.at(score.high), title)
