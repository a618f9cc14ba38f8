"""Digests of data frames of polars and pandas, which are never imported for it: who has a frame has the package."""

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from seedbed.loop.provenance._items import NoDigest, item_bytes
from seedbed.loop.provenance._slow import Slow

__all__ = ["frame_digest", "frame_kind"]

_ROWS = 1 << 20


def frame_kind(data: object) -> str:
    """`polars` or `pandas` for a frame or a column of one, else empty. Raises NoDigest for a lazy frame."""
    polars, pandas = sys.modules.get("polars"), sys.modules.get("pandas")
    if polars is not None and isinstance(data, polars.LazyFrame):
        raise NoDigest("a lazy frame has no values before it is collected")
    if polars is not None and isinstance(data, polars.DataFrame | polars.Series):
        return "polars"
    return "pandas" if pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series) else ""


def frame_digest(frame: Any, slow: Slow) -> str:
    """The digest of the names, types and values of all columns, in their order. Raises NoDigest."""
    sha256 = hashlib.sha256()
    for part in _polars(frame) if frame_kind(frame) == "polars" else _pandas(frame):
        sha256.update(part)
        slow.read(len(part))
    return sha256.hexdigest()


def _polars(frame: Any) -> Iterator[bytes]:
    polars: Any = sys.modules["polars"]
    columns = [frame] if isinstance(frame, polars.Series) else frame.get_columns()
    for column in columns:
        yield f"{column.name!r} {column.dtype} {len(column)}".encode()
        for start in range(0, len(column), _ROWS):
            yield from _column(column.slice(start, _ROWS))


def _column(column: Any) -> Iterator[bytes]:
    polars: Any = sys.modules["polars"]
    if isinstance(column.dtype, polars.Categorical | polars.Enum | polars.Decimal):
        column = column.cast(polars.String)
    if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == polars.Boolean:
        physical = column.to_physical()
        yield physical.is_null().to_numpy().tobytes()
        yield np.ascontiguousarray(physical.fill_null(strategy="zero").to_numpy()).tobytes()
        return
    for value in column.to_list():
        yield from item_bytes(value)


def _pandas(frame: Any) -> Iterator[bytes]:
    pandas: Any = sys.modules["pandas"]
    is_column = isinstance(frame, pandas.Series)
    names = [(frame.name, frame.dtype)] if is_column else list(zip(frame.columns, frame.dtypes, strict=True))
    yield repr([(name, str(dtype)) for name, dtype in names]).encode()
    for start in range(0, len(frame), _ROWS):
        hashed = pandas.util.hash_pandas_object(frame.iloc[start : start + _ROWS], index=True)
        yield hashed.to_numpy().tobytes()
