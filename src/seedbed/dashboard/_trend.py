"""A metric over the history of a comparison group, as a drawing."""

from collections.abc import Iterable

from seedbed.dashboard._axis import Axis, data_axis
from seedbed.dashboard._templates import environment
from seedbed.dashboard._words import number
from seedbed.records import Trend

__all__ = ["render_trend"]

_WIDTH, _HEIGHT = 920, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 900, 56, 310


def render_trend(trend: Trend) -> str:
    """`trend` as an SVG document that needs no other file; the same input gives the same text.

    Dots are commits in the order of the history, the line is the smoothed curve, and the dashes are the slope, drawn
    through the middle commit and the median value.
    """
    values = [point.value for point in trend.points]
    places = Axis(1.0, max(float(len(values)), 2.0), _LEFT, _RIGHT, 1.0)
    axis = data_axis(values, _BOTTOM, _TOP, 5)
    return (
        environment()
        .get_template("trend.svg.j2")
        .render(
            width=_WIDTH,
            height=_HEIGHT,
            left=_LEFT,
            right=_RIGHT,
            bottom=_BOTTOM,
            trend=trend,
            axis=axis,
            curve=_path(places, axis, enumerate((point.smoothed for point in trend.points), 1)),
            slope=_path(places, axis, _ends(trend)),
            dots=[
                (places.at(place), axis.at(point.value), f"{point.run_id}: {number(point.value)}")
                for place, point in enumerate(trend.points, 1)
            ],
        )
    )


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
