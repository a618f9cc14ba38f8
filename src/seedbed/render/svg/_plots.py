"""The plots of a run: every series by step, with its epochs as bands and every change as a line through all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from seedbed.contracts import ChangeReport
from seedbed.contracts._move import move_words
from seedbed.render.facts._history import Points, StepSeries, thinned, trailing_mean
from seedbed.render.facts._requests import REACHED
from seedbed.render.facts._words import number
from seedbed.render.svg._axis import Axis, Tick, data_axis, step_axis

__all__ = ["Figure", "figures", "on_boundaries"]

_LEFT, _RIGHT_MARGIN = 58, 16
_LANE, _TITLE, _GAP, _FOOT, _EPOCH_LANE = 22, 26, 12, 40, 18
_DENSE, _SPARSE, _SETTING = 170, 130, 100
_MOST_PANELS, _NARROWEST_BAND, _NARROWEST_LABEL = 6, 4, 58
_LONGEST_TITLE = 40


@dataclass(frozen=True)
class Line:
    """A path through the points of a series, and what the legend calls it; `css` is its class."""

    css: str
    path: str
    name: str


@dataclass(frozen=True)
class Dot:
    """A point; its title shows its value under the mouse."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Panel:
    """One plot, drawn from `top` down to `bottom`. The title is above it, `aside` is small text beside the title."""

    title: str
    aside: str
    top: int
    bottom: int
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Marker:
    """One change: a vertical line with a flag at its top. `reached` says that it was seen to take effect."""

    number: int
    step: int
    x: float
    y: int
    width: int
    reached: bool
    title: str


@dataclass(frozen=True)
class Band:
    """One epoch, from `x` on and `width` wide. Every second one is shaded; not every one has a label."""

    x: float
    width: float
    shaded: bool
    label: str


@dataclass(frozen=True)
class Figure:
    """Panels over one axis of steps, all in the units of the drawing."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    label_y: int
    ticks: tuple[Tick, ...]
    panels: tuple[Panel, ...]
    bands: tuple[Band, ...]
    markers: tuple[Marker, ...]


def figures(
    history: Sequence[StepSeries], changes: Sequence[ChangeReport], epoch_ends: Sequence[int], width: int
) -> tuple[Figure, ...]:
    """All series in figures `width` units wide, a few in each; every figure has all epochs and all changes."""
    right = width - _RIGHT_MARGIN
    steps = [series.points[-1][0] for series in history if series.points]
    axis = step_axis(max([*steps, *(change.step for change in changes)], default=1), _LEFT, right, width // 90)
    bands = tuple(_bands(epoch_ends, axis))
    markers = tuple(_markers(changes, axis))
    return tuple(
        _figure(history[first : first + _MOST_PANELS], axis, bands, markers, width)
        for first in range(0, len(history), _MOST_PANELS)
    )


def on_boundaries(changes: Sequence[ChangeReport], epoch_ends: Sequence[int]) -> tuple[int, ...]:
    """The changes that were made where an epoch ends: what the curves do there may come from either."""
    places = {place for end in epoch_ends for place in (end, end + 1)}
    return tuple(change.id for change in changes if change.step in places and change.outcome in REACHED)


def _figure(
    history: Sequence[StepSeries], steps: Axis, bands: tuple[Band, ...], markers: tuple[Marker, ...], width: int
) -> Figure:
    top = _LANE + max((marker.y for marker in markers), default=-_LANE) + (_EPOCH_LANE if bands else 0)
    panels = tuple(_panels(history, steps, top))
    bottom = panels[-1].bottom
    right = width - _RIGHT_MARGIN
    return Figure(width, bottom + _FOOT, _LEFT, right, bottom, top - 4, steps.ticks, panels, bands, markers)


def _panels(history: Sequence[StepSeries], steps: Axis, top: int) -> Iterator[Panel]:
    for series in history:
        top += _TITLE
        bottom = top + (_SETTING if series.is_setting else _DENSE if series.is_dense else _SPARSE)
        yield _panel(series, steps, top, bottom)
        top = bottom + _GAP


def _panel(series: StepSeries, steps: Axis, top: int, bottom: int) -> Panel:
    values = [value for _, value in series.points]
    axis = data_axis([0.0, *values] if series.is_setting else values, bottom, top, max(3, (bottom - top) // 35))
    few = not series.is_dense and not series.is_setting
    dots = (
        tuple(Dot(steps.at(step), axis.at(value), f"step {step:g}: {number(value)}") for step, value in series.points)
        if few
        else ()
    )
    title = series.name if len(series.name) <= _LONGEST_TITLE else f"{series.name[: _LONGEST_TITLE - 1]}…"
    return Panel(title, _aside(series), top, bottom, axis.ticks, tuple(_lines(series, steps, axis)), dots)


def _lines(series: StepSeries, steps: Axis, axis: Axis) -> Iterator[Line]:
    if not series.points:
        return
    if series.is_setting:
        yield Line("setting", _staircase(series.points, steps, axis), "")
    elif series.is_dense:
        smooth = trailing_mean(series.points, series.window)
        yield Line("raw", _path(series.points, steps, axis), "each step")
        yield Line("smooth", _path(smooth, steps, axis), f"mean of last {series.window}")
    else:
        yield Line("sparse", _path(series.points, steps, axis), "")


def _aside(series: StepSeries) -> str:
    if not series.points:
        return "no finite value"
    if series.best and not series.is_dense:
        return f"best {number(series.best[1])} at step {series.best[0]:g}"
    return "" if series.is_dense else f"last {number(series.points[-1][1])}"


def _path(points: Points, steps: Axis, axis: Axis) -> str:
    kept = thinned(points, int(steps.stop - steps.start))
    return "M" + " ".join(f"{steps.at(step):g},{axis.at(value):g}" for step, value in kept)


def _staircase(points: Points, steps: Axis, axis: Axis) -> str:
    """A path with steps: the value that is logged at a step is valid from the step before it."""
    kept = thinned(points, int(steps.stop - steps.start))
    begins = f"M{steps.at(max(kept[0][0] - 1, 0)):g},{axis.at(kept[0][1]):g}"
    return begins + "".join(f"V{axis.at(value):g}H{steps.at(step):g}" for step, value in kept)


def _bands(epoch_ends: Sequence[int], axis: Axis) -> Iterator[Band]:
    """The epochs as bands; none where they would be too narrow to be seen."""
    edges = [axis.start, *(axis.at(end + 0.5) for end in epoch_ends if end < axis.high), axis.stop]
    widths = [after - before for before, after in pairwise(edges)]
    if len(widths) < 2 or min(widths) < _NARROWEST_BAND:
        return
    every = max(1, round(_NARROWEST_LABEL / min(widths) + 0.5))
    for place, (x, width) in enumerate(zip(edges, widths, strict=False)):
        yield Band(x, round(width, 1), place % 2 == 1, f"epoch {place + 1}" if place % every == 0 else "")


def _markers(changes: Sequence[ChangeReport], axis: Axis) -> Iterator[Marker]:
    """Flags from left to right. Each is put in the first lane in which it overlaps no flag."""
    lane_ends: list[float] = []
    for change in sorted(changes, key=lambda change: (change.step, change.id)):
        x, width = axis.at(change.step), 10 + 8 * len(str(change.id))
        lane = next((place for place, end in enumerate(lane_ends) if end + 2 < x - width / 2), len(lane_ends))
        lane_ends[lane:] = [x + width / 2, *lane_ends[lane + 1 :]]
        outcome = change.outcome.value.lower().replace("_", " ")
        title = (
            f"change {change.id} at step {change.step}: {change.parameter} {move_words(change, change.unit)}; {outcome}"
        )
        yield Marker(change.id, change.step, x, lane * _LANE, width, change.outcome in REACHED, title)
