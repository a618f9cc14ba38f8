"""A stream of events as arrays, checked once when it is built."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput
from seedbed.temporal._arrays import Float32, Int32, Int64

__all__ = ["EventStream"]


@dataclass(frozen=True, eq=False)
class EventStream:
    """N events in time order between nodes 0 .. num_nodes - 1; compare two streams by `digest`.

    Sources and destinations share one range of ids. In a bipartite stream the sources are 0 .. num_sources - 1 and the
    destinations follow; in any other, `num_sources == num_nodes`. In an `undirected` one an event is a contact, of
    which either end may stand first. A query at time q may use `late[i]` only if `known_at[i] <= q`. An empty value of
    the file is NaN here, and `Scaler` makes it 0.

    Shapes: src, dst int32 [N]; t, known_at int64 [N], in the file's own unit (Unix seconds for the flights);
    features float32 [N, F]; late float32 [N, L]; labels float32 [N] or None. Raises InvalidInput when an array has
    another shape or type, there is no event, times go backwards, an id is out of range, `known_at` is before `t`, or a
    bipartite stream is undirected.
    """

    src: Int32
    dst: Int32
    t: Int64
    features: Float32
    late: Float32
    known_at: Int64
    names: tuple[str, ...]
    num_sources: int
    feature_names: tuple[str, ...] = ()
    late_names: tuple[str, ...] = ()
    labels: Float32 | None = None
    undirected: bool = False

    def __post_init__(self) -> None:
        for name, dtype, shape in self._expected():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                found = f"{array.dtype} {list(array.shape)}"
                raise InvalidInput(f"EventStream.{name}: expected {np.dtype(dtype)} {list(shape)}, found {found}")
        if not len(self.t):
            raise InvalidInput("EventStream.t: expected at least 1 event, found none")
        if len({*self.feature_names, *self.late_names}) < len(self.feature_names) + len(self.late_names):
            raise InvalidInput(f"EventStream: a feature name is used twice in {self.feature_names + self.late_names}")
        _refuse_any(self.t[1:] < self.t[:-1], "t", "is followed by an earlier one; sort the events by time")
        _refuse_any(self.known_at < self.t, "known_at", "is before t; nothing is known before it happens")
        if self.bipartite and self.undirected:
            raise InvalidInput("EventStream: bipartite and undirected; sources of another kind have a direction")
        first_destination = self.num_sources if self.bipartite else 0
        _refuse_any((self.src < 0) | (self.src >= self.num_sources), "src", "is no source id")
        _refuse_any((self.dst < first_destination) | (self.dst >= self.num_nodes), "dst", "is no destination id")

    def __len__(self) -> int:
        return len(self.t)

    @property
    def num_nodes(self) -> int:
        """The number of nodes, sources and destinations together."""
        return len(self.names)

    @property
    def bipartite(self) -> bool:
        """Whether sources and destinations are two kinds of node."""
        return self.num_sources < self.num_nodes

    def head(self, n: int) -> "EventStream":
        """The first n events (all, if there are fewer), with only their own nodes, in the same order."""
        if n < 1:
            raise InvalidInput(f"EventStream.head: expected at least 1 event, found {n}; ask for 1 or more")
        touched = np.unique(np.concatenate([self.src[:n], self.dst[:n]]))
        num_sources = int(np.searchsorted(touched, self.num_sources))
        return EventStream(
            src=np.searchsorted(touched, self.src[:n]).astype(np.int32),
            dst=np.searchsorted(touched, self.dst[:n]).astype(np.int32),
            t=self.t[:n],
            features=self.features[:n],
            late=self.late[:n],
            known_at=self.known_at[:n],
            names=tuple(self.names[node] for node in touched),
            num_sources=num_sources,
            feature_names=self.feature_names,
            late_names=self.late_names,
            labels=None if self.labels is None else self.labels[:n],
            undirected=self.undirected,
        )

    def digest(self) -> str:
        """The SHA-256 of everything that the stream holds, 64 hex characters."""
        header = [self.names, self.num_sources, self.feature_names, self.late_names, self.labels is not None]
        header += ["undirected"] * self.undirected
        sha256 = hashlib.sha256(json.dumps(header).encode())
        for name, dtype, shape in self._expected():
            array = np.ascontiguousarray(getattr(self, name), np.dtype(dtype).newbyteorder("<"))
            sha256.update(f"\n{name} {shape}\n".encode())
            sha256.update(array.tobytes())
        return sha256.hexdigest()

    def _expected(self) -> list[tuple[str, type[np.generic], tuple[int, ...]]]:
        """Name, type and shape of each array; the number of events is the length of `t`."""
        n = len(self.t)
        expected: list[tuple[str, type[np.generic], tuple[int, ...]]] = [
            ("src", np.int32, (n,)),
            ("dst", np.int32, (n,)),
            ("t", np.int64, (n,)),
            ("features", np.float32, (n, len(self.feature_names))),
            ("late", np.float32, (n, len(self.late_names))),
            ("known_at", np.int64, (n,)),
        ]
        return expected if self.labels is None else [*expected, ("labels", np.float32, (n,))]


def _refuse_any(bad: NDArray[np.bool_], field: str, problem: str) -> None:
    """Raise InvalidInput that names the first event for which `bad` holds."""
    if bad.any():
        raise InvalidInput(f"EventStream.{field}: event {int(bad.argmax())} {problem}")
