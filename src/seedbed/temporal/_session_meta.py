"""The file meta.json of a session: what the session holds, and which stream it is a part of."""

from pathlib import Path

import polars as pl
from pydantic import PositiveInt, SerializerFunctionWrapHandler, model_serializer

from seedbed.contracts import Message
from seedbed.contracts._documents import parse_json_once
from seedbed.errors import InvalidInput
from seedbed.temporal._time_unit import TimeUnit

__all__ = ["SessionMeta", "StreamMeta", "describe_session", "read_meta", "read_part"]

SCHEMA_VERSION = 1


class StreamMeta(Message):
    """Facts about a stream, which are the same in all its sessions."""

    num_sessions: PositiveInt
    num_sources: int
    feature_names: tuple[str, ...]
    late_names: tuple[str, ...]
    labelled: bool
    digest: str
    undirected: bool = False

    @model_serializer(mode="wrap")
    def _without_direction(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A directed stream is written as it always was, so that sessions written again are the same bytes."""
        found: dict[str, object] = dump(self)
        return found if self.undirected else {name: value for name, value in found.items() if name != "undirected"}

    @property
    def feature_columns(self) -> list[str]:
        """The columns of edges.parquet that hold features; the prefix keeps them apart from src, dst, t and so on."""
        return [f"feature:{name}" for name in self.feature_names]

    @property
    def late_columns(self) -> list[str]:
        """The columns of edges.parquet that hold late features."""
        return [f"late:{name}" for name in self.late_names]

    @property
    def columns(self) -> list[str]:
        """All columns of edges.parquet, in order."""
        label = ["label"] if self.labelled else []
        return ["src", "dst", "t", "known_at", *label, *self.feature_columns, *self.late_columns]


class SessionMeta(Message):
    """The content of meta.json: what this session holds, and which stream it is a part of."""

    schema_version: int
    session: int
    num_events: int
    num_nodes: int
    first_t: int
    last_t: int
    nodes_digest: str
    edges_digest: str
    stream: StreamMeta
    time_unit: TimeUnit = "seconds"

    @model_serializer(mode="wrap")
    def _without_seconds(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Times in seconds are written as they always were, so that sessions written again are the same bytes."""
        found: dict[str, object] = dump(self)
        return {name: value for name, value in found.items() if (name, value) != ("time_unit", "seconds")}


def describe_session(
    session: int,
    nodes: pl.DataFrame,
    edges: pl.DataFrame,
    digests: tuple[str, str],
    shared: StreamMeta,
    time_unit: TimeUnit,
) -> SessionMeta:
    """The facts about a session with these tables, whose files have these digests; reading compares them."""
    return SessionMeta(
        schema_version=SCHEMA_VERSION,
        session=session,
        num_events=len(edges),
        num_nodes=len(nodes),
        first_t=edges["t"][0],
        last_t=edges["t"][-1],
        nodes_digest=digests[0],
        edges_digest=digests[1],
        stream=shared,
        time_unit=time_unit,
    )


def read_meta(folder: Path) -> SessionMeta:
    """The meta.json of a session's folder. Raises InvalidInput when it is missing, torn, or of another version."""
    path = folder / "meta.json"
    content = read_part(path)
    try:
        document = parse_json_once(content)
        version = document["schema_version"]
        meta = SessionMeta.model_validate(document) if version == SCHEMA_VERSION else None
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path}: torn, or not a session's meta.json ({error}); write the sessions again") from error
    if meta is None:
        raise InvalidInput(f"{path}: expected schema version {SCHEMA_VERSION}, found {version}; upgrade seedbed")
    return meta


def read_part(path: Path) -> bytes:
    """The bytes of one file of a session. Raises InvalidInput if there is no such file."""
    if not path.is_file():
        raise InvalidInput(f"{path}: missing: it was removed or never written; write the sessions again")
    return path.read_bytes()
