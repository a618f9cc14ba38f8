"""Export of step metrics as one long table with a row for each value, as notebooks like to read."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import polars as pl

from seedbed.errors import InvalidInput
from seedbed.records import Event
from seedbed.records.storage import replace

__all__ = ["write_steps"]

_COLUMNS = {"step": pl.Int64, "attempt": pl.Int32, "metric": pl.String, "value": pl.Float64}
_BATCH_EVENTS = 100_000
_FORMS: Mapping[str, Callable[[pl.DataFrame, io.BytesIO], object]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
}


def write_steps(events: Iterable[Event], path: Path) -> int:
    """Write `events` to `path`, a .parquet or .csv file that is replaced atomically; return the number of values.

    Columns are step, attempt, metric and value (float64, with NaN and infinities as logged), in the order
    of `events`. Raises InvalidInput for another kind of file, and StoreUnavailable.
    """
    form = _FORMS.get(path.suffix)
    if form is None:
        raise InvalidInput(f"{path} has no known format, expected a name that ends in {' or '.join(_FORMS)}")
    table = pl.concat(list(_batches(events)), rechunk=True)
    data = io.BytesIO()
    form(table, data)
    replace(path, data.getvalue())
    return table.height


def _batches(events: Iterable[Event]) -> Iterator[pl.DataFrame]:
    yield pl.DataFrame(schema=_COLUMNS)
    rest = iter(events)
    while batch := list(islice(rest, _BATCH_EVENTS)):
        rows = [
            (event.step, event.attempt, name, float(value)) for event in batch for name, value in event.values.items()
        ]
        yield pl.DataFrame(rows, schema=_COLUMNS, orient="row")
