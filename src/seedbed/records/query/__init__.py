"""Finding runs and reading them: the catalog, the query language, step metrics, trends."""

from seedbed.records.query._catalog import Catalog, Found
from seedbed.records.query._facts import Fact, facts
from seedbed.records.query._query import Name, Query, matches, parse_name, parse_query
from seedbed.records.query._read_steps import follow_events, read_events, run_events, standing_events
from seedbed.records.query._trend import Slope, Trend, TrendPoint, trend

__all__ = [
    "Catalog",
    "Fact",
    "Found",
    "Name",
    "Query",
    "Slope",
    "Trend",
    "TrendPoint",
    "facts",
    "follow_events",
    "matches",
    "parse_name",
    "parse_query",
    "read_events",
    "run_events",
    "standing_events",
    "trend",
]
