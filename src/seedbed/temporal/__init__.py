"""Event streams, sessions, neighbour sampling, TGAT and link prediction."""

from seedbed.temporal._baselines import BASELINE_RULES
from seedbed.temporal._blocks import BlockBuilder
from seedbed.temporal._boosting import HistoryBoosting, has_boosting, history_columns
from seedbed.temporal._draw import QuestionDraw
from seedbed.temporal._graph import Neighbours, TemporalGraph
from seedbed.temporal._history import EventHistory, Occurred, Past
from seedbed.temporal._link import LinkPredictor
from seedbed.temporal._negatives import NegativeSampler
from seedbed.temporal._ranking import RankingScores, average_precision, reciprocal_rank, roc_auc
from seedbed.temporal._read import load_flights, read_events
from seedbed.temporal._schema import FLIGHTS_SCHEMA, StreamSchema
from seedbed.temporal._sessions import read_sessions, sessions_time_unit, write_sessions
from seedbed.temporal._stream import EventStream
from seedbed.temporal._tgat import TGAT, TemporalAttention, TGATConfig, TimeEncoding
from seedbed.temporal._time_unit import TimeUnit
from seedbed.temporal.files._container import EVENT_SUFFIXES
from seedbed.temporal.files._file_format import FileFormat
from seedbed.temporal.files._proposal import FileProposal, propose

__all__ = [
    "BASELINE_RULES",
    "EVENT_SUFFIXES",
    "FLIGHTS_SCHEMA",
    "TGAT",
    "BlockBuilder",
    "EventHistory",
    "EventStream",
    "FileFormat",
    "FileProposal",
    "HistoryBoosting",
    "LinkPredictor",
    "NegativeSampler",
    "Neighbours",
    "Occurred",
    "Past",
    "QuestionDraw",
    "RankingScores",
    "StreamSchema",
    "TGATConfig",
    "TemporalAttention",
    "TemporalGraph",
    "TimeEncoding",
    "TimeUnit",
    "average_precision",
    "has_boosting",
    "history_columns",
    "load_flights",
    "propose",
    "read_events",
    "read_sessions",
    "reciprocal_rank",
    "roc_auc",
    "sessions_time_unit",
    "write_sessions",
]
