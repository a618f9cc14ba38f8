"""A metric over the history of a comparison group, as a drawing.

The drawing is narrow and its text large, so that it can be read on a phone.
"""

from collections.abc import Iterable
from textwrap import wrap

from seedbed.dashboard._templates import environment
from seedbed.records import Trend, TrendPoint
from seedbed.render.facts._words import number
from seedbed.render.svg._axis import Axis, data_axis

__all__ = ["render_trend"]

_WIDTH, _EDGE, _LEFT, _RIGHT, _LINE, _PANEL = 560, 16, 82, 544, 21, 240
_LINE_WIDTH = 60  # characters
_CAPTION = "Dots are commits that may be compared, oldest first; the line is smoothed, the dashes are the slope."
_APART = "A hollow dot is a run that something happened to: changed by a proposal, degraded, or resumed."


def render_trend(trend: Trend) -> str:
    """`trend` as an SVG document that needs no other file; the same input gives the same text.

    Dots are commits in the order of the history, the line is the smoothed curve, and the dashes are the slope, drawn
    through the middle commit and the median value. A hollow dot is a commit whose run was changed by a proposal, was
    degraded, or was resumed.
    """
    head = wrap(trend.words, _LINE_WIDTH)
    foot = wrap(f"{_CAPTION} {_APART}" if any(point.happened for point in trend.points) else _CAPTION, _LINE_WIDTH)
    top = 44.0 + _LINE * len(head)
    bottom = top + _PANEL
    values = [point.value for point in trend.points]
    places = Axis(1.0, max(float(len(values)), 2.0), _LEFT, _RIGHT, 1.0)
    axis = data_axis([*values, *(point.smoothed for point in trend.points)], bottom, top, 5)
    return (
        environment()
        .get_template("trend.svg.j2")
        .render(
            width=_WIDTH,
            height=bottom + 62 + _LINE * len(foot),
            edge=_EDGE,
            left=_LEFT,
            right=_RIGHT,
            bottom=bottom,
            head=[(26 + _LINE * place, line) for place, line in enumerate(head, 1)],
            foot=[(bottom + 52 + _LINE * place, line) for place, line in enumerate(foot)],
            trend=trend,
            axis=axis,
            curve=_path(places, axis, enumerate((point.smoothed for point in trend.points), 1)),
            slope=_path(places, axis, _ends(trend)),
            dots=[
                (places.at(place), axis.at(point.value), bool(point.happened), _title(point))
                for place, point in enumerate(trend.points, 1)
            ],
        )
    )


def _title(point: TrendPoint) -> str:
    """The run, its value, and what happened to it."""
    return "; ".join((f"{point.run_id}: {number(point.value)}", *point.happened))


def _ends(trend: Trend) -> Iterable[tuple[int, float]]:
    """The slope's line at the first commit and at the last: through the middle place and the median value."""
    if trend.slope is None:
        return ()
    count, values = len(trend.points), sorted(point.value for point in trend.points)
    middle = (values[(count - 1) // 2] + values[count // 2]) / 2
    half = (count - 1) / 2 * trend.slope.per_commit
    return ((1, middle - half), (count, middle + half))


def _path(places: Axis, axis: Axis, points: Iterable[tuple[int, float]]) -> str:
    return "M" + " ".join(f"{places.at(place):g},{axis.at(value):g}" for place, value in points)
