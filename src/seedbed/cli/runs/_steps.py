"""`seedbed runs steps`: what a run logged at its steps, as a summary, a live stream or a file."""

import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._damage import handed_on
from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.cli.console._where import file_place
from seedbed.errors import InvalidInput, StoreCorrupt, StoreDamaged
from seedbed.records.canonical import spelled
from seedbed.render.text._layout import plain_table
from seedbed.render.text._sparkline import sparkline
from seedbed.render.text._values import figure

if TYPE_CHECKING:
    from seedbed.records import Event

__all__ = ["steps"]

_FACTS = ("first", "least", "most", "last")
_CURVE_WIDTH = 40


def steps(
    run: RunArgument,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this metric, such as loss. Repeatable.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print each step, then wait for new ones until the run ends.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write every value to this .parquet or .csv file instead."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", hidden=True)] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show what RUN logged at its steps: a summary of each metric, a line for each step, or a table in a file.

    A file has the columns step, attempt, metric and value. With --follow,
    --json prints one JSON object for each step. A metric that the run logged
    at no step is refused, but with --follow, since it may come. Exits with 2
    where the step metrics have expired, and with 1 where some are lost.

    \b
    Examples:
      seedbed runs steps latest
      seedbed runs steps latest --follow --metric loss
      seedbed runs steps latest --out steps.parquet
    """
    from seedbed.cli.runs._payloads import read_steps
    from seedbed.cli.runs._select import find_run
    from seedbed.records import Store, follow_events

    to = file_place(file, to, "--to")
    if follow and to:
        raise InvalidInput("--follow and --out exclude each other: a file has only what is logged by now")
    view, opened = find_run(store, run), Store.open(store)
    if metric and not follow:  # a run that is followed may log it later
        _require(metric, read_steps(opened, view), f"run {view.run_id}")
    if follow:  # a run that is finished has no more than there is
        events = follow_events(opened, view) if view.commit is None else read_steps(opened, view)
        for event in _with_metrics(events, metric):
            _print_step(event, as_json)
    elif to:
        from seedbed.integrations import write_steps

        written = write_steps(_with_metrics(read_steps(opened, view), metric), to)
        print_json({"written": written}) if as_json else out().print(f"{written:,} values written to {to}")
    else:
        with _damage() as lost:
            found = _series(_with_metrics(read_steps(opened, view, merged=True), metric))
        _print_summaries(view.run_id, found, as_json, is_damaged=bool(lost))


@contextmanager
def _damage() -> Iterator[list[str]]:
    """Yields what the warnings within the block say is lost; they are shown after it, unless it raises."""
    lost: list[str] = []
    with handed_on(StoreDamaged, lost.append):
        yield lost
    for each in lost:
        warnings.warn(each, StoreDamaged, stacklevel=3)


def _series(events: "Iterable[Event]") -> dict[str, list[float]]:
    """Each metric's values in the order of `events`."""
    found: dict[str, list[float]] = {}
    for event in events:
        for name, value in event.values.items():
            found.setdefault(name, []).append(value)
    return dict(sorted(found.items()))


def _require(metrics: Sequence[str], events: "Iterable[Event]", where: str) -> None:
    """Raise NotFound for the first of `metrics` that none of `events` has, with what may have been meant.

    Raises StoreCorrupt where some of the events are lost, which may have had it.
    """
    from seedbed.records.query import metric_name, require_metric

    with _damage() as lost:
        known = {metric_name(name) for name in {name for event in events for name in event.values}}
        for metric in metrics:
            if lost and metric_name(metric) not in known:
                raise StoreCorrupt(f"{where} may have logged {metric!r}, but {lost[0]}")
            require_metric(metric, sorted(known), f"{where}, at any step,")


def _with_metrics(events: "Iterable[Event]", metrics: Sequence[str] | None) -> "Iterable[Event]":
    from dataclasses import replace

    from seedbed.records.query import metric_name

    if not metrics:
        return events
    wanted = {metric_name(metric) for metric in metrics}
    kept = (
        replace(event, values={name: value for name, value in event.values.items() if metric_name(name) in wanted})
        for event in events
    )
    return (event for event in kept if event.values)


def _print_step(event: "Event", as_json: bool) -> None:
    if as_json:
        values = {name: spelled(value) for name, value in event.values.items()}
        line = json.dumps({"step": event.step, "attempt": event.attempt, "values": values}, allow_nan=False)
    else:
        line = "  ".join((f"step {event.step}", *(f"{name} {figure(value)}" for name, value in event.values.items())))
    out().out(line, highlight=False)


def _print_summaries(run_id: str, found: Mapping[str, Sequence[float]], as_json: bool, *, is_damaged: bool) -> None:
    if as_json:
        print_json({"run_id": run_id, "metrics": {name: _summary(values) for name, values in found.items()}})
    elif not found:
        problem = f"nothing that {run_id} logged at its steps can be read"
        out().print(problem if is_damaged else f"{run_id} logged no metric at any step")
    else:
        table = plain_table("metric", "values", *_FACTS, "curve", numeric=("values", *_FACTS))
        for name, values in found.items():
            summary = _summary(values)
            table.add_row(
                name, f"{len(values):,}", *(_shown(summary[fact]) for fact in _FACTS), sparkline(values, _CURVE_WIDTH)
            )
        out().print(table)


def _summary(values: Sequence[float]) -> dict[str, float | str | None]:
    finite = [value for value in values if math.isfinite(value)]
    return {
        "values": len(values),
        "not_finite": len(values) - len(finite),
        "first": spelled(values[0]),
        "last": spelled(values[-1]),
        "least": min(finite, default=None),
        "most": max(finite, default=None),
    }


def _shown(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else figure(value)
