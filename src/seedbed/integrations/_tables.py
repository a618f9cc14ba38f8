"""Commits as one table, a row each, in Parquet or CSV: what a spreadsheet or a data frame wants of a store."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from seedbed.integrations._spelling import flat, spelled
from seedbed.records import Commit, Json
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
# By the heads that a query has for them.
_FLATTENED = ("params", "metrics", "timing", "factors", "fingerprints", "metadata", "inputs", "process", "outputs")


def write_parquet(commits: Iterable[Commit], path: Path) -> int:
    """Write `commits` to `path`, which is replaced whole; returns how many. Raises StoreUnavailable."""
    return _write(commits, path, pl.DataFrame.write_parquet)


def write_csv(commits: Iterable[Commit], path: Path) -> int:
    """The same as CSV: numbers to their last digit, an empty cell where a commit has nothing."""
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
        values = [value if value is None or isinstance(value, str) else spelled(value) for value in values]
    return pl.Series(name, values, dtype=kind)


def _kind(types: set[type]) -> type[pl.DataType]:
    """What holds values of all `types`; the rest is text, in which lists and mixed columns are JSON."""
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
    return first | {name: value for head, part in parts.items() for name, value in flat(part, f"{head}.").items()}
