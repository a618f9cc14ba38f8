"""Event streams, sessions, neighbour sampling, TGAT and link prediction."""

from seedbed.temporal._read import load_flights, read_events
from seedbed.temporal._scaler import Scaler, fit_scaler
from seedbed.temporal._schema import FLIGHTS_SCHEMA, StreamSchema
from seedbed.temporal._sessions import read_sessions, write_sessions
from seedbed.temporal._stream import EventStream

__all__ = [
    "FLIGHTS_SCHEMA",
    "EventStream",
    "Scaler",
    "StreamSchema",
    "fit_scaler",
    "load_flights",
    "read_events",
    "read_sessions",
    "write_sessions",
]
