"""Finding and reading runs: the catalog, the query language, step metrics, trends."""

from seedbed.records.query._catalog import Catalog, SearchHit
from seedbed.records.query._facts import Fact, facts, metric_names
from seedbed.records.query._metric_names import enumerated, metric_name, near_names, nearest, require_metric
from seedbed.records.query._query import And, Name, Not, Or, Query, matches, parse_name, parse_query
from seedbed.records.query._read_steps import follow_events, merged_events, read_step_events, run_events
from seedbed.records.query._trend import Slope, Trend, TrendPoint, trend

__all__ = [
    "And",
    "Catalog",
    "Fact",
    "Name",
    "Not",
    "Or",
    "Query",
    "SearchHit",
    "Slope",
    "Trend",
    "TrendPoint",
    "enumerated",
    "facts",
    "follow_events",
    "matches",
    "merged_events",
    "metric_name",
    "metric_names",
    "near_names",
    "nearest",
    "parse_name",
    "parse_query",
    "read_step_events",
    "require_metric",
    "run_events",
    "trend",
]
