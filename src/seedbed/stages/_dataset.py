"""A stream prepared for link prediction: split by time, scaled by its training part, and indexed for queries."""

from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from seedbed.errors import InvalidInput
from seedbed.records import NOT_APPLICABLE
from seedbed.stages._config import DataSettings, ModelSettings
from seedbed.temporal import (
    BlockBuilder,
    EventHistory,
    EventStream,
    NegativeSampler,
    TemporalGraph,
)
from seedbed.temporal._arrays import Int64
from seedbed.temporal._scaler import fit_scaler
from seedbed.temporal._time_unit import date_of, likely_unit

__all__ = ["LinkDataset", "Split", "prepare"]


@final
@dataclass(frozen=True, slots=True)
class Split:
    """The chronological parts of a stream, as ranges of event numbers."""

    train: range
    validation: range
    test: range

    @classmethod
    def of(cls, num_events: int, data: DataSettings) -> Self:
        """The parts of a stream of so many events; some may be empty."""
        train_end = int(num_events * data.train)
        validation_end = int(num_events * (data.train + data.validation))
        return cls(range(train_end), range(train_end, validation_end), range(validation_end, num_events))


@final
@dataclass(frozen=True, slots=True)
class LinkDataset:
    """Everything that training and evaluation read.

    `dates` are those of the first and the last event. `digest` is that of the given events, before scaling.
    """

    stream: EventStream
    split: Split
    builder: BlockBuilder
    negatives: NegativeSampler
    history: EventHistory
    dates: tuple[str, str]
    digest: str

    def events(self, part: range) -> tuple[Int64, Int64, Int64]:
        """Sources, destinations and times of the events in `part`, int64 [B] each."""
        rows = slice(part.start, part.stop)
        return self.stream.src[rows].astype(np.int64), self.stream.dst[rows].astype(np.int64), self.stream.t[rows]

    @property
    def periods(self) -> tuple[float, float]:
        """The shortest positive time between successive training events, and their whole span, in time units."""
        train = self.stream.t[: self.split.train.stop]
        steps = np.diff(train)
        positive = steps[steps > 0]
        return float(positive.min(initial=train[-1] - train[0])) or 1.0, float(train[-1] - train[0]) + 1.0


def prepare(stream: EventStream, data: DataSettings, model: ModelSettings) -> LinkDataset:
    """Split, scale and index a stream. Raises InvalidInput when a part of the split would be empty."""
    if data.limit is not None and data.limit < len(stream):
        stream = stream.head(data.limit)
    split = Split.of(len(stream), data)
    if not (split.train and split.validation and split.test):
        raise InvalidInput(
            f"{len(stream)} events split {data.train:g}/{data.validation:g}/rest leave a part empty "
            f"({len(split.train)}, {len(split.validation)}, {len(split.test)}); give more events or another split"
        )
    scaled = _directed_as(data, fit_scaler(stream, len(split.train)).apply(stream))
    graph = TemporalGraph(scaled)
    return LinkDataset(
        scaled,
        split,
        BlockBuilder(scaled, graph, model.num_neighbours),
        NegativeSampler(scaled),
        EventHistory(scaled),
        (_date(stream.t[0], data), _date(stream.t[-1], data)),
        stream.digest(),
    )


def _directed_as(data: DataSettings, stream: EventStream) -> EventStream:
    """The stream, undirected if the settings say so; sessions may have been written without it."""
    if not data.columns.undirected or stream.undirected:
        return stream
    if stream.bipartite:
        raise InvalidInput("data.columns.undirected is true, but these events are bipartite; set it to false")
    return replace(stream, undirected=True)


def _date(time: np.int64, data: DataSettings) -> str:
    """The event time as a UTC date, or NOT_APPLICABLE where times have no date. Raises InvalidInput."""
    if data.time_unit == "other":
        return NOT_APPLICABLE
    date = date_of(int(time), data.time_unit)
    if date is None:
        unit = likely_unit(int(time), int(time)) or "other"
        raise InvalidInput(
            f"event time {time} is not a date in {data.time_unit} since 1970; set data.time_unit to {unit}, or give "
            f"times in {data.time_unit}"
        )
    return date.isoformat()
