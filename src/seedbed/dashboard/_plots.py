"""The plots of a training: loss, validation and learning rate by step, with every change marked in all three."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.contracts import ChangeReport, Outcome
from seedbed.dashboard._axis import Axis, Tick, data_axis, step_axis
from seedbed.dashboard._history import History, Points, thinned, trailing_mean
from seedbed.dashboard._words import number

__all__ = ["REACHED", "Figure", "training_figure"]

_LEFT, _RIGHT_MARGIN = 58, 16
_LANE, _TITLE, _GAP, _FOOT = 22, 26, 12, 40
REACHED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})


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
class Figure:
    """Three panels over one axis of steps, all in the units of the drawing."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    ticks: tuple[Tick, ...]
    panels: tuple[Panel, ...]
    markers: tuple[Marker, ...]


def training_figure(history: History, changes: Sequence[ChangeReport], width: int) -> Figure:
    """The figure `width` units wide. The panel of a series that was not logged is empty and says so."""
    right = width - _RIGHT_MARGIN
    steps = [step for series in (history.loss, history.validation_ap, history.learning_rate) for step, _ in series]
    axis = step_axis(max([*steps, *(change.step for change in changes)], default=1), _LEFT, right, width // 90)
    markers = tuple(_markers(changes, axis))
    top = _LANE + max((marker.y for marker in markers), default=-_LANE)
    panels = tuple(_panels(history, axis, top))
    bottom = panels[-1].bottom
    return Figure(width, bottom + _FOOT, _LEFT, right, bottom, axis.ticks, panels, markers)


def _panels(history: History, steps: Axis, top: int) -> Iterator[Panel]:
    top += _TITLE
    yield _loss(history, steps, top, top + 190)
    top += 190 + _GAP + _TITLE
    yield _validation(history.validation_ap, steps, top, top + 140)
    top += 140 + _GAP + _TITLE
    yield _learning_rate(history.learning_rate, steps, top, top + 100)


def _loss(history: History, steps: Axis, top: int, bottom: int) -> Panel:
    axis = data_axis((value for _, value in history.loss), bottom, top, 5)
    smooth = trailing_mean(history.loss, history.window)
    lines = (
        Line("raw", _path(history.loss, steps, axis), "each step"),
        Line("smooth", _path(smooth, steps, axis), f"mean of last {history.window}"),
    )
    return Panel("Training loss", _empty(history.loss), top, bottom, axis.ticks, lines if history.loss else (), ())


def _validation(points: Points, steps: Axis, top: int, bottom: int) -> Panel:
    axis = data_axis((value for _, value in points), bottom, top, 4)
    dots = tuple(Dot(steps.at(step), axis.at(value), f"step {step:g}: AP {number(value)}") for step, value in points)
    lines = (Line("validation", _path(points, steps, axis), ""),) if points else ()
    return Panel("Validation AP", _best(points) or _empty(points), top, bottom, axis.ticks, lines, dots)


def _learning_rate(points: Points, steps: Axis, top: int, bottom: int) -> Panel:
    axis = data_axis((0.0, *(value for _, value in points)), bottom, top, 3)
    lines = (Line("rate", _staircase(points, steps, axis), ""),) if points else ()
    return Panel("Learning rate", _empty(points), top, bottom, axis.ticks, lines, ())


def _best(points: Points) -> str:
    if not points:
        return ""
    step, value = max(points, key=lambda point: point[1])
    return f"best {number(value)} at step {step:g}"


def _empty(points: Points) -> str:
    return "" if points else "not in this record"


def _path(points: Points, steps: Axis, axis: Axis) -> str:
    kept = thinned(points, int(steps.stop - steps.start))
    return "M" + " ".join(f"{steps.at(step):g},{axis.at(value):g}" for step, value in kept)


def _staircase(points: Points, steps: Axis, axis: Axis) -> str:
    """A path with steps: the value that is logged at a step is valid from the step before it."""
    kept = thinned(points, int(steps.stop - steps.start))
    begins = f"M{steps.at(max(kept[0][0] - 1, 0)):g},{axis.at(kept[0][1]):g}"
    return begins + "".join(f"V{axis.at(value):g}H{steps.at(step):g}" for step, value in kept)


def _markers(changes: Sequence[ChangeReport], axis: Axis) -> Iterator[Marker]:
    """Flags from left to right. Each is put in the first lane in which it overlaps no flag."""
    lane_ends: list[float] = []
    for change in sorted(changes, key=lambda change: (change.step, change.id)):
        x, width = axis.at(change.step), 10 + 8 * len(str(change.id))
        lane = next((place for place, end in enumerate(lane_ends) if end + 2 < x - width / 2), len(lane_ends))
        lane_ends[lane:] = [x + width / 2, *lane_ends[lane + 1 :]]
        title = f"change {change.id} at step {change.step}: {change.outcome.value.lower().replace('_', ' ')}"
        yield Marker(change.id, change.step, x, lane * _LANE, width, change.outcome in REACHED, title)
