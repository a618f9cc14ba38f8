"""The schema of a file of events: which column means what."""

from typing import Self

from pydantic import model_validator

from seedbed.contracts import Message

__all__ = ["FLIGHTS_SCHEMA", "StreamSchema"]


class StreamSchema(Message):
    """The columns of an event file. `StreamSchema.model_validate` takes the mapping that a YAML file holds.

    `features` are known when the event happens; `late_features` only at the time in the column `known_at`, and no query
    before it may see them. `categorical` names features, also late ones, of which each value becomes a 0/1 column. A
    `bipartite` stream has sources and destinations of two kinds, so that a source 7 and a destination 7 are two nodes.
    In an `undirected` one an event is a contact: a pair is the same in both directions, and each end may be drawn as a
    negative.
    """

    src: str = "src"
    dst: str = "dst"
    t: str = "t"
    features: tuple[str, ...] = ()
    late_features: tuple[str, ...] = ()
    known_at: str | None = None
    categorical: tuple[str, ...] = ()
    label: str | None = None
    event_id: str | None = None
    bipartite: bool = False
    undirected: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the file must have."""
        named = (self.src, self.dst, self.t, *self.features, *self.late_features)
        return (*named, *(column for column in (self.known_at, self.label, self.event_id) if column is not None))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        twice = sorted({column for column in self.columns if self.columns.count(column) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is declared twice; give each column one meaning")
        unknown = [column for column in self.categorical if column not in self.features + self.late_features]
        if unknown:
            raise ValueError(
                f"categorical column {unknown[0]!r} is in neither features nor late_features; add it there"
            )
        if bool(self.late_features) != (self.known_at is not None):
            raise ValueError("late_features and known_at go together: declare both, or neither")
        if self.bipartite and self.undirected:
            raise ValueError("bipartite and undirected exclude each other: two kinds of node have a direction")
        return self


FLIGHTS_SCHEMA = StreamSchema(
    features=("distance", "origin"),
    late_features=("air_time", "dep_delay", "arr_delay", "cancelled"),
    known_at="known_at",
    categorical=("origin",),
    bipartite=True,
)
