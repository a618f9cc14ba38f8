"""Export of commits as one table with a row each, in Parquet or CSV, for spreadsheets and data frames."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from seedbed.integrations._spelling import flattened, to_text
from seedbed.records import Commit, Json
from seedbed.records.canonical._numbers import NOT_FINITE
from seedbed.records.storage import replace

__all__ = ["write_csv", "write_parquet"]

_TEXTS = ("digest", "experiment_id", "target", "view", "symbol", "prev_run_id", "policy", "severity")
_FIRST: Mapping[str, type[pl.DataType]] = {
    "project": pl.String,
    "seq": pl.Int64,
    "run_id": pl.String,
    "stage": pl.String,
    "attempt": pl.Int64,
    "timestamp": pl.String,
    "comparable": pl.Boolean,
    **dict.fromkeys(_TEXTS, pl.String),
}
# By the same heads as in a query.
_FLATTENED = ("params", "metrics", "timing", "factors", "fingerprints", "metadata", "inputs", "process", "outputs")
_MEASURED = ("metrics", "timing")


def write_parquet(commits: Iterable[Commit], path: Path) -> int:
    """Write `commits` to `path`, which is replaced atomically; return their number. Raises StoreUnavailable."""
    return _write(commits, path, pl.DataFrame.write_parquet)


def write_csv(commits: Iterable[Commit], path: Path) -> int:
    """As `write_parquet`, in CSV: numbers with all digits, and an empty cell where a commit has no value."""
    return _write(commits, path, pl.DataFrame.write_csv)


def _write(commits: Iterable[Commit], path: Path, form: Callable[[pl.DataFrame, io.BytesIO], object]) -> int:
    rows = [_row(commit) for commit in commits]
    data = io.BytesIO()
    form(_frame(rows), data)
    replace(path, data.getvalue())
    return len(rows)


def _frame(rows: Sequence[Mapping[str, Json]]) -> pl.DataFrame:
    rest = sorted({name for row in rows for name in row} - _FIRST.keys(), key=_place)
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in (*_FIRST, *rest)])


def _place(column: str) -> tuple[int, str]:
    return _FLATTENED.index(column.partition(".")[0]), column


def _column(name: str, values: Sequence[Json]) -> pl.Series:
    kind = _FIRST.get(name) or _kind({type(value) for value in values if value is not None})
    if kind is pl.String:
        values = [value if value is None or isinstance(value, str) else to_text(value) for value in values]
    return pl.Series(name, values, dtype=kind)


def _kind(types: set[type]) -> type[pl.DataType]:
    """The column type for values of all `types`: text for lists and mixed types, which are written as JSON."""
    if types == {bool}:
        return pl.Boolean
    if types == {int}:
        return pl.Int64
    return pl.Float64 if types and types <= {int, float} else pl.String


def _row(commit: Commit) -> dict[str, Json]:
    snapshot, diff = commit.snapshot, commit.snapshot.diff_prev
    first: dict[str, Json] = {
        "project": snapshot.project,
        "seq": commit.seq,
        "run_id": snapshot.run_id,
        "stage": snapshot.stage.value,
        "attempt": snapshot.attempt_id,
        "timestamp": snapshot.timestamp.isoformat().replace("+00:00", "Z"),
        "digest": commit.digest,
        "experiment_id": snapshot.experiment_id,
        "target": snapshot.target,
        "view": snapshot.view,
        "symbol": snapshot.symbol,
        "prev_run_id": diff.prev_run_id,
        "comparable": diff.comparable,
        "policy": diff.policy,
        "severity": None if diff.severity is None else diff.severity.value,
    }
    parts = {head: snapshot.config if head == "params" else getattr(snapshot, head) for head in _FLATTENED}
    rows = ((head, flattened(part, f"{head}.")) for head, part in parts.items())
    return first | {name: _read(head, value) for head, row in rows for name, value in row.items()}


def _read(head: str, value: Json) -> Json:
    """The value, or the NaN or infinity that it stands for among numbers."""
    return NOT_FINITE.get(value, value) if head in _MEASURED and isinstance(value, str) else value
