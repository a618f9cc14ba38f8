"""Each metric's interval beside the baselines, drawn on an axis of its own so that the interval can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.dashboard._axis import Axis, Tick, data_axis
from seedbed.dashboard._results import METRICS, Results, Row, Score
from seedbed.dashboard._words import number

__all__ = ["IntervalChart", "interval_chart"]

_WIDTH, _LEFT, _RIGHT = 420, 48, 396
_TOP, _ROW = 14, 48


@dataclass(frozen=True)
class ScoreMark:
    """One predictor's score, and the ends of its interval."""

    key: str
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
    """The positions of everything, in the units of the drawing. A metric without a score has no strip."""

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
    y = _TOP
    for metric, scores in zip(METRICS, zip(*(row.scores for row in table.rows), strict=True), strict=True):
        found = [(row, score) for row, score in zip(table.rows, scores, strict=True) if score]
        if found:
            axis = data_axis([end for _, score in found for end in (score.low, score.high)], _LEFT, _RIGHT, 4)
            marks = tuple(_mark(row, metric, score, axis) for row, score in reversed(found))
            yield Strip(metric, y, axis.ticks, marks)
            y += _ROW


def _mark(row: Row, metric: str, score: Score, axis: Axis) -> ScoreMark:
    title = f"{row.name}: {metric} {number(score.value)}"
    if score.interval:
        title += f", {score.interval.confidence:.0%} interval {number(score.low)} to {number(score.high)}"
    return ScoreMark(row.key, axis.at(score.value), axis.at(score.low), axis.at(score.high), title)
