"""Reads a file of events into an `EventStream`, or refuses it and names the file, the row and the column."""

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import polars as pl

from seedbed.temporal._arrays import Float32, Int32, Int64
from seedbed.temporal._oddities import warn_of_oddities
from seedbed.temporal._schema import FLIGHTS_SCHEMA, StreamSchema
from seedbed.temporal._stream import EventStream
from seedbed.temporal._time_unit import TimeUnit
from seedbed.temporal.files._event_file import EventFile
from seedbed.temporal.files._file_format import FileFormat

__all__ = ["load_flights", "read_events"]

_AS_USUAL = FileFormat()


def read_events(
    path: Path,
    schema: StreamSchema,
    *,
    file: FileFormat = _AS_USUAL,
    time_unit: TimeUnit = "seconds",
    sort: bool = False,
) -> EventStream:
    """Read a file of events: Parquet, Arrow, JSON lines, or text with separators, which may be packed (.gz, .zst).

    Nodes are numbered in the order in which they first appear. Times that are whole numbers stay as they are, int64 in
    `time_unit`; dates, ISO 8601 texts and Unix seconds with fractions become whole units since 1970 in UTC, and are
    refused when they are not whole. With `sort`, events are put in time order, and events at the same time keep the
    order of the file; without it, times that go backwards are refused.

    Logs a warning for times that seem to be of another unit or that many events share, for exact copies of events, for
    events that all stand in both directions, and for self loops.
    Raises NotFound if there is no file. Raises InvalidInput, with file, row (from 1), line and column, and the option
    that helps, for a missing column, a wrong type, a time that is no whole unit, a NaN or infinite feature, a negative
    or too large id, a duplicate event id, `known_at` before the event, unsorted times, another encoding, no event at
    all, and a torn file.
    """
    stream = _read(EventFile.open(path, schema.columns, file), schema, time_unit, sort=sort)
    warn_of_oddities(path, stream, time_unit, has_event_ids=schema.event_id is not None)
    return stream


def _read(file: EventFile, schema: StreamSchema, time_unit: TimeUnit, *, sort: bool) -> EventStream:
    t, known_at = _times(file, schema, time_unit, sort=sort)
    if schema.event_id is not None:
        repeated = ~file.identities(schema.event_id).is_first_distinct()
        file.refuse(schema.event_id, repeated, "expected an id that no earlier row has", "drop the repeated event")
    feature_names, features = _matrix(file, schema.features, schema.categorical)
    late_names, late = _matrix(file, schema.late_features, schema.categorical)
    labels = None if schema.label is None else file.numbers(schema.label)
    order = np.argsort(t, kind="stable")
    src, dst, names, num_sources = _dense_ids(
        file.identities(schema.src)[order], file.identities(schema.dst)[order], bipartite=schema.bipartite
    )
    return EventStream(
        src=src,
        dst=dst,
        t=t[order],
        features=features[order],
        late=late[order],
        known_at=known_at[order],
        names=names,
        num_sources=num_sources,
        feature_names=feature_names,
        late_names=late_names,
        labels=None if labels is None else labels[order],
        undirected=schema.undirected,
    )


def load_flights(limit: int | None = None) -> EventStream:
    """The departures of 2013 from New York (all, or the first `limit`): aircraft to destination, in Unix seconds."""
    with as_file(files("seedbed.temporal") / "data" / "flights.parquet") as path:
        flights = _read(EventFile.open(path, FLIGHTS_SCHEMA.columns, _AS_USUAL), FLIGHTS_SCHEMA, "seconds", sort=False)
    return flights if limit is None else flights.head(limit)


def _times(file: EventFile, schema: StreamSchema, unit: TimeUnit, *, sort: bool) -> tuple[Int64, Int64]:
    """The time of each event and the time when its late features are known, both int64 [N] in the order of the file."""
    t = file.times(schema.t, unit)
    backwards = np.append(False, t[1:] < t[:-1])
    if not sort and backwards.any():
        before = file.frame[schema.t][int(backwards.argmax()) - 1]  # as it is written, as the refused one is
        file.refuse(
            schema.t,
            backwards,
            f"expected no time before the previous row's {before}",
            "sort the file, or let --sort (sort=True) do it",
        )
    if schema.known_at is None:
        return t, t
    known_at = file.times(schema.known_at, unit)
    file.refuse(schema.known_at, known_at < t, "expected no time before the event's own", "fix one of the two")
    return t, known_at


def _matrix(file: EventFile, columns: Sequence[str], categorical: Sequence[str]) -> tuple[tuple[str, ...], Float32]:
    """Names and values, float32 [N, F]; each value of a categorical column becomes a column, named `column=value`."""
    names: list[str] = []
    parts = [np.empty((len(file.frame), 0), np.float32)]
    for column in columns:
        if column in categorical:
            values, one_hot = file.categories(column)
            names += [f"{column}={value}" for value in values]
            parts.append(one_hot)
        else:
            names.append(column)
            parts.append(file.numbers(column)[:, None])
    return tuple(names), np.concatenate(parts, axis=1)


def _dense_ids(src: pl.Series, dst: pl.Series, *, bipartite: bool) -> tuple[Int32, Int32, tuple[str, ...], int]:
    """Number the nodes in the order of their first event; if bipartite, all sources come before all destinations."""
    if bipartite:
        sources, destinations = src.unique(maintain_order=True), dst.unique(maintain_order=True)
        names = (*sources, *destinations)
        return _positions(src, sources), len(sources) + _positions(dst, destinations), names, len(sources)
    both = pl.select(pl.concat_list(src.alias("src"), dst.alias("dst")).explode()).to_series()
    nodes = both.unique(maintain_order=True)
    return _positions(src, nodes), _positions(dst, nodes), tuple(nodes), len(nodes)


def _positions(values: pl.Series, names: pl.Series) -> Int32:
    """The index in `names` of each value, int32 [N]."""
    return values.replace_strict(names, np.arange(len(names), dtype=np.int32), return_dtype=pl.Int32).to_numpy(
        writable=True
    )
