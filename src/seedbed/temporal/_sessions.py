"""A stream stored as sessions: one folder for each session; digests show whether it is complete and unchanged.

<folder>/000000/nodes.parquet    id (in the whole stream) and name of every node that has an event in the session
<folder>/000000/edges.parquet    one row for each event: src, dst, t, known_at, label if there are labels, features
<folder>/000000/meta.json        counts, range of times, digests of the other two; written last
"""

import io
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.records.canonical import digest_bytes
from seedbed.records.storage import create
from seedbed.temporal._arrays import Float32
from seedbed.temporal._session_meta import SessionMeta, StreamMeta, describe_session, read_meta, read_part
from seedbed.temporal._stream import EventStream
from seedbed.temporal._time_unit import TimeUnit, units_per_day

__all__ = ["read_sessions", "sessions_time_unit", "write_sessions"]


def write_sessions(
    stream: EventStream, folder: Path, *, by: Literal["day"] | int = "day", time_unit: TimeUnit = "seconds"
) -> int:
    """Write the stream as sessions of a UTC day, or of `by` time units; return their number.

    `time_unit` is that of the stream's times; the sessions keep it. A period without events makes no session. Writing
    the same stream again changes nothing and finishes an interrupted write. Raises InvalidInput for a length below 1, a
    day of a unit without a length, or a node without any event, Conflict when `folder` holds other sessions, and
    StoreUnavailable when the disk fails.
    """
    length = units_per_day(time_unit) if by == "day" else by
    if length is None:
        raise InvalidInput(f"a day is no number of the time unit {time_unit}; give a number of units (by, --by)")
    if length < 1:
        raise InvalidInput(f"write_sessions: expected by='day' or at least 1 time unit, found {by}; give a length")
    if len(np.unique(np.concatenate([stream.src, stream.dst]))) < stream.num_nodes:
        raise InvalidInput(
            "write_sessions: some node has no event; write stream.head(len(stream)), which leaves it out"
        )
    window = stream.t // min(length, np.iinfo(np.int64).max)  # a longer one is no int64, and cuts in the same place
    starts = np.flatnonzero(window[1:] != window[:-1]) + 1
    bounds = list(pairwise([0, *starts.tolist(), len(stream)]))
    shared = StreamMeta(
        num_sessions=len(bounds),
        num_sources=stream.num_sources,
        feature_names=stream.feature_names,
        late_names=stream.late_names,
        labelled=stream.labels is not None,
        digest=stream.digest(),
        undirected=stream.undirected,
    )
    for session, (start, stop) in enumerate(bounds):
        _write_session(
            _session_folder(folder, session),
            session,
            _nodes(stream, start, stop),
            _edges(stream, start, stop, shared.columns),
            shared,
            time_unit,
        )
    return len(bounds)


def sessions_time_unit(folder: Path) -> TimeUnit:
    """The unit of the times in these sessions. Raises NotFound and InvalidInput as `read_sessions`."""
    return _first_meta(folder).time_unit


def read_sessions(folder: Path) -> EventStream:
    """The stream that `write_sessions` wrote, exactly.

    Raises NotFound if there is no folder. Raises InvalidInput, with the file, for a session that is missing, torn,
    changed, of another stream, or written by a newer version.
    """
    first = _first_meta(folder)
    shared = first.stream
    sessions = [
        _read_session(_session_folder(folder, session), session, first) for session in range(shared.num_sessions)
    ]
    nodes = pl.concat([nodes for nodes, _ in sessions]).unique("id", keep="first").sort("id")
    edges = pl.concat([edges for _, edges in sessions])
    stream = EventStream(
        src=edges["src"].to_numpy(writable=True),
        dst=edges["dst"].to_numpy(writable=True),
        t=edges["t"].to_numpy(writable=True),
        features=_matrix(edges, shared.feature_columns),
        late=_matrix(edges, shared.late_columns),
        known_at=edges["known_at"].to_numpy(writable=True),
        names=tuple(nodes["name"]),
        num_sources=shared.num_sources,
        feature_names=shared.feature_names,
        late_names=shared.late_names,
        labels=edges["label"].to_numpy(writable=True) if shared.labelled else None,
        undirected=shared.undirected,
    )
    if stream.digest() != shared.digest:
        raise InvalidInput(
            f"{folder}: expected a stream of digest {shared.digest}, found {stream.digest()}; write again"
        )
    return stream


def _first_meta(folder: Path) -> SessionMeta:
    if not folder.is_dir():
        raise NotFound(f"{folder}: there is no such folder; give the one that holds the sessions")
    return read_meta(_session_folder(folder, 0))


def _write_session(
    folder: Path, session: int, nodes: pl.DataFrame, edges: pl.DataFrame, shared: StreamMeta, time_unit: TimeUnit
) -> None:
    node_bytes, edge_bytes = _parquet(nodes), _parquet(edges)
    digests = digest_bytes(node_bytes), digest_bytes(edge_bytes)
    meta = describe_session(session, nodes, edges, digests, shared, time_unit)
    _publish(folder / "nodes.parquet", node_bytes)
    _publish(folder / "edges.parquet", edge_bytes)
    _publish(folder / "meta.json", meta.model_dump_json(indent=2).encode())


def _read_session(folder: Path, session: int, first: SessionMeta) -> tuple[pl.DataFrame, pl.DataFrame]:
    stated, shared = read_meta(folder), first.stream
    nodes = pl.read_parquet(io.BytesIO(_verified(folder / "nodes.parquet", stated.nodes_digest)))
    edges = pl.read_parquet(io.BytesIO(_verified(folder / "edges.parquet", stated.edges_digest)))
    digests = stated.nodes_digest, stated.edges_digest
    real = describe_session(session, nodes, edges, digests, shared, first.time_unit)
    for field in SessionMeta.model_fields:
        expected, found = getattr(real, field), getattr(stated, field)
        if expected != found:
            raise InvalidInput(
                f"{folder / 'meta.json'}: {field}: expected {expected}, found {found}; "
                "write the sessions again, each stream into a folder of its own"
            )
    if edges.columns != shared.columns:
        raise InvalidInput(f"{folder}: meta.json states columns {shared.columns}, found {edges.columns}; write again")
    return nodes, edges


def _verified(path: Path, digest: str) -> bytes:
    content = read_part(path)
    if digest_bytes(content) != digest:
        raise InvalidInput(
            f"{path}: torn or changed: expected digest {digest}, found {digest_bytes(content)}; write again"
        )
    return content


def _publish(path: Path, content: bytes) -> None:
    try:
        create(path, content)
    except FileExistsError as error:
        if path.read_bytes() != content:
            raise Conflict(
                f"{path}: other content is already there; choose another folder, or remove this one"
            ) from error


def _nodes(stream: EventStream, start: int, stop: int) -> pl.DataFrame:
    touched = np.unique(np.concatenate([stream.src[start:stop], stream.dst[start:stop]]))
    return pl.DataFrame({"id": touched, "name": [stream.names[node] for node in touched]})


def _edges(stream: EventStream, start: int, stop: int, columns: list[str]) -> pl.DataFrame:
    labels = [] if stream.labels is None else [stream.labels]
    arrays = [stream.src, stream.dst, stream.t, stream.known_at, *labels, *stream.features.T, *stream.late.T]
    return pl.DataFrame({column: array[start:stop] for column, array in zip(columns, arrays, strict=True)})


def _matrix(edges: pl.DataFrame, columns: list[str]) -> Float32:
    """The columns side by side, float32 [N, len(columns)]."""
    values = np.array([edges[column].to_numpy() for column in columns], np.float32)
    return np.ascontiguousarray(values.reshape(len(columns), len(edges)).T)


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _session_folder(folder: Path, session: int) -> Path:
    return folder / f"{session:06d}"
