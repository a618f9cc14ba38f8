"""What is allowed in a stream but often a mistake: times of another unit, many at once, copies, self loops."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from seedbed.temporal._doubled import is_doubled
from seedbed.temporal._stream import EventStream
from seedbed.temporal._ties import heavy_ties
from seedbed.temporal._time_unit import TimeUnit, date_of, likely_unit
from seedbed.temporal.files._instants import compact_pattern
from seedbed.temporal.files._number_texts import plain_texts

__all__ = ["warn_of_oddities"]

_logger = logging.getLogger("seedbed.temporal")


def warn_of_oddities(path: Path, stream: EventStream, unit: TimeUnit, *, has_event_ids: bool) -> None:
    """Log a warning for each oddity of the stream in this file or folder."""
    for oddity in _oddities(stream, unit, has_event_ids=has_event_ids):
        _logger.warning("%s: %s", path, oddity)


def _oddities(stream: EventStream, unit: TimeUnit, *, has_event_ids: bool) -> Iterator[str]:
    """One sentence for each oddity, with its count and the setting that helps."""
    first, last = int(stream.t[0]), int(stream.t[-1])
    likely = likely_unit(first, last)
    if pattern := compact_pattern(pl.Series(stream.t)):
        yield (
            f"times {first} to {last} are read as numbers of {unit}, but all are dates as {pattern} writes them: "
            f"set data.file.time_format to {pattern}"
        )
    elif unit != "other" and likely is not None and likely != unit:
        yield (
            f"times {first} to {last} are read as {unit}, which is {_span(first, last, unit)}; as {likely} they are "
            f"{_span(first, last, likely)}: set data.time_unit to {likely}, or to other if they count from elsewhere"
        )
    split = stream.num_sources if stream.bipartite else stream.num_nodes
    for names in (stream.names[:split], stream.names[split:]):
        if same := _same_number(names):
            yield (
                f"{same[0]!r} and {same[1]!r} are two nodes, though they are one number: "
                "write the ids of one node in one way, or ignore this if they are names"
            )
    copies = 0 if has_event_ids else len(stream) - _num_distinct(stream)
    copied = f"{copies:,} of {len(stream):,} events are exact copies of another one (all declared columns agree)"
    if tied := heavy_ties(stream.t):
        yield tied + (f"; {copied}, which at such times they may be without a mistake" if copies else "")
    elif copies:
        yield (
            f"{copied}: drop them if they are mistakes; if they really happened, a column data.columns.event_id tells "
            "them apart"
        )
    if is_doubled(stream):
        yield (
            "every event also stands in the other direction at the same time, so each contact counts twice; "
            "keep one of the two, and set data.columns.undirected to true"
        )
    loops = 0 if stream.bipartite else int(np.count_nonzero(stream.src == stream.dst))
    if loops:
        yield (
            f"{loops:,} of {len(stream):,} events have one node at both ends: drop them if they mean nothing, "
            "or set data.columns.bipartite to true if sources and destinations are of two kinds"
        )


def _same_number(names: tuple[str, ...]) -> tuple[str, str] | None:
    """The first two names that are the same number, as 7, 07.0 and 70e-1 are."""
    written = pl.DataFrame({"name": list(names)}, schema={"name": pl.String}).filter(
        pl.col("name").str.contains(r"^[+-]?\d+(\.\d*)?([eE][+-]?[0-9]+)?$")
    )
    plain = (
        plain_texts(written["name"])
        .str.replace(r"^\+?(-?)0*(\d)", "$1$2")
        .str.replace(r"\.0*$|(\.\d*?)0+$", "$1")
        .str.replace("^-0$", "0")
    )
    again = (~plain.is_first_distinct()).arg_true()
    if not len(again):
        return None
    second = int(again[0])
    first = int((plain == plain[second]).arg_true()[0])
    return written["name"][first], written["name"][second]


def _span(first: int, last: int, unit: TimeUnit) -> str:
    dates = [date_of(time, unit) for time in (first, last)]
    shown = ["not within the years 1 to 9999" if date is None else f"{date:%Y-%m-%d}" for date in dates]
    return " to ".join(dict.fromkeys(shown))


def _num_distinct(stream: EventStream) -> int:
    late = [stream.known_at, *stream.late.T]
    labels = [] if stream.labels is None else [stream.labels]
    columns = [stream.src, stream.dst, stream.t, *stream.features.T, *late, *labels]
    return pl.DataFrame({str(number): column for number, column in enumerate(columns)}).n_unique()
