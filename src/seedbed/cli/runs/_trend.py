"""`seedbed runs trend`: how a metric moves from run to comparable run."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.cli.console._where import file_place
from seedbed.errors import InvalidInput
from seedbed.render.text._layout import plain_table
from seedbed.render.text._sparkline import sparkline
from seedbed.render.text._values import figure, moment

if TYPE_CHECKING:
    from seedbed.records import Trend

__all__ = ["trend"]

_CURVE_WIDTH = 60
_SHOWN = 10


def trend(
    run: RunArgument,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The metric, such as test.random.ap; by default, says which exist."),
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=500, help="Use at most this many runs, the newest.")] = 50,
    span: Annotated[float, typer.Option(min=1, help="Smooth over about this many runs.")] = 10.0,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.svg", help="Also draw the trend into this file.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", hidden=True)] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show how a metric moved over the runs that RUN may be compared with, up to RUN itself.

    The slope is the median of the slopes between all pairs of runs, with a
    95 % interval; the smoothed curve is an exponentially weighted mean.

    \b
    Examples:
      seedbed runs trend latest --metric metrics.test.random.ap
      seedbed runs trend latest --metric metrics.test.random.ap --last 200 --out trend.svg
    """
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store
    from seedbed.records import trend as find_trend
    from seedbed.records.query import enumerated, metric_names
    from seedbed.records.storage import replace

    plot = file_place(file, plot, "--plot")
    if plot is not None and plot.suffix != ".svg":
        raise InvalidInput(f"--out is {plot}, expected a name that ends in .svg")
    _, commit = find_finished(store, run)
    if metric is None:
        known = enumerated(metric_names(commit.snapshot)) or "none"
        raise InvalidInput(f"give --metric NAME; the metrics of {commit.snapshot.run_id} are {known}")
    found = find_trend(Store.open(store).log(commit.snapshot.project), commit, metric, last=last, span=span)
    if plot is not None:
        from seedbed.dashboard import render_trend

        replace(plot, render_trend(found).encode())
    if as_json:
        print_json(_json(found))
        return
    _print(found)
    if plot is not None:
        out().print(f"drawn into {plot}", soft_wrap=True)


def _json(found: "Trend") -> dict[str, object]:
    points = [{**asdict(point), "timestamp": point.timestamp.isoformat()} for point in found.points]
    slope = None if found.slope is None else {**asdict(found.slope), "words": found.slope.words}
    return {
        "metric": found.metric,
        "group": found.group,
        "points": points,
        "slope": slope,
        "not_finite": list(found.not_finite),
    }


def _print(found: "Trend") -> None:
    shown = found.points[-_SHOWN:]
    remarks = ["remarks"] if any(point.happened for point in shown) else []
    table = plain_table("run", "finished", found.metric, "smoothed", *remarks, numeric=(found.metric, "smoothed"))
    for point in shown:
        remark = [", ".join(point.happened)] if remarks else []
        table.add_row(point.run_id, moment(point.timestamp), figure(point.value), figure(point.smoothed), *remark)
    out().print(table)
    if len(found.points) > _SHOWN:
        out().print(f"and {len(found.points) - _SHOWN:,} earlier ones; --json has them all")
    out().print(f"\n{sparkline([point.value for point in found.points], _CURVE_WIDTH)}")
    out().print(found.words, soft_wrap=True)
