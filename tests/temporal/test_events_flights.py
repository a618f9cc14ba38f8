"""The facts of the shipped flights, and the script that made them, on a package folder of a few flights."""

import importlib.util
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seedbed.temporal import load_flights

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_flights.py"
DAY = 86_400
# The content, not the bytes of the file, which depend on the version of polars that wrote it.
DIGEST = "dd7bc03dda3226de16f9cd47bdea7d61181fdb465a14c47ea52e691bcc2148b0"


@pytest.fixture(scope="module")
def flights():
    return load_flights()


def column(stream, name):
    return stream.late[:, stream.late_names.index(name)]


@pytest.mark.slow
def test_the_shipped_flights_are_the_ones_that_the_script_made(flights):
    assert flights.digest() == DIGEST


def test_there_are_as_many_events_and_nodes_as_stated(flights):
    assert len(flights) == 334_264
    assert flights.num_sources == 4_043
    assert flights.num_nodes == 4_043 + 104
    assert len(np.unique(flights.src)) + len(np.unique(flights.dst)) == flights.num_nodes
    assert "N14228" in flights.names[:4_043]
    assert {"IAH", "BQN", "SJU", "PSE", "STT"} <= set(flights.names[4_043:])


def test_every_flight_has_one_of_three_origins(flights):
    assert flights.feature_names == ("distance", "origin=EWR", "origin=JFK", "origin=LGA")
    assert (flights.features[:, 1:].sum(axis=1) == 1).all()


def test_times_are_the_scheduled_departures_of_2013_in_new_york_in_order(flights):
    assert datetime.fromtimestamp(int(flights.t[0]), UTC) == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert datetime.fromtimestamp(int(flights.t[-1]), UTC) == datetime(2014, 1, 1, 4, 59, tzinfo=UTC)
    assert (np.diff(flights.t) >= 0).all()
    assert (flights.t % 60 == 0).all()


def test_late_features_are_known_only_after_the_departure_and_the_air_time(flights):
    air_time = column(flights, "air_time")
    landed = ~np.isnan(air_time)
    left = flights.t + 60 * np.nan_to_num(column(flights, "dep_delay"))
    taxi_minutes = (flights.known_at - left)[landed] / 60 - air_time[landed]
    assert (flights.known_at > flights.t).all()
    assert taxi_minutes.min() >= 5
    # One flight has no arrival that a clock could show; one left in the hour before summer time began.
    assert (taxi_minutes > 240).sum() <= 2


def test_what_never_arrived_counts_as_known_a_day_after_it_left_or_was_to_leave(flights):
    cancelled = column(flights, "cancelled") == 1
    diverted = np.isnan(column(flights, "air_time")) & ~cancelled
    assert (cancelled.sum(), diverted.sum()) == (5_743, 1_175)
    assert (flights.known_at[cancelled] == flights.t[cancelled] + DAY).all()
    assert (flights.known_at[diverted] == (flights.t + 60 * column(flights, "dep_delay"))[diverted] + DAY).all()
    for name in ("air_time", "dep_delay", "arr_delay"):
        assert np.isnan(column(flights, name)[cancelled]).all()


def test_the_order_of_one_minute_does_not_tell_who_left_first(flights):
    delay = column(flights, "dep_delay")
    tied = np.flatnonzero((np.diff(flights.t) == 0) & ~np.isnan(delay[1:]) & ~np.isnan(delay[:-1]))
    assert (delay[tied] <= delay[tied + 1]).mean() < 0.6


@pytest.mark.slow
def test_a_limit_takes_the_first_flights_and_their_nodes(flights):
    first = load_flights(1_000)
    assert first.digest() == flights.head(1_000).digest()
    assert first.t.tolist() == flights.t[:1_000].tolist()
    assert first.num_nodes < 1_000


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("make_flights", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,arr_delay,"
    "carrier,flight,tailnum,origin,dest,air_time,distance"
)


def make(script, folder, *rows) -> list[dict]:
    (folder / "airports.csv").write_text("faa,tzone\nLAX,America/Los_Angeles\nBOS,America/New_York\nXXX,\\N\n")
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", "\n".join([HEADER, *rows]) + "\n")
    return script.make_events(folder).to_dicts()


def utc(year: int, month: int, day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("row", "t", "known_at"),
    [
        # Three hours behind, in winter: 10:00 in New York is 15:00 UTC, 13:10 in Los Angeles is 21:10.
        ("2013,1,5,1000,1000,0,1310,5,AA,1,N1,JFK,LAX,350,2475", (2013, 1, 5, 15), (2013, 1, 5, 21, 10)),
        # In summer, over midnight, into an airport without a zone of its own (Atlantic time keeps no summer time).
        ("2013,7,5,2350,2330,20,325,9,B6,1,N1,JFK,SJU,190,1598", (2013, 7, 6, 3, 30), (2013, 7, 6, 7, 25)),
        # Left a day late: the clock alone would say two minutes early.
        ("2013,1,5,1000,1002,1438,1100,1440,AA,1,N1,JFK,BOS,40,187", (2013, 1, 5, 15, 2), (2013, 1, 6, 16)),
        # Arrival at midnight is written 2400.
        ("2013,1,5,2300,2300,0,2400,0,AA,1,N1,JFK,BOS,40,187", (2013, 1, 6, 4), (2013, 1, 6, 5)),
        # Cancelled: a day after it was to leave. Diverted: a day after it left.
        ("2013,1,5,NA,1000,NA,NA,NA,AA,1,N1,JFK,BOS,NA,187", (2013, 1, 5, 15), (2013, 1, 6, 15)),
        ("2013,1,5,1030,1000,30,1900,NA,AA,1,N1,JFK,BOS,NA,187", (2013, 1, 5, 15), (2013, 1, 6, 15, 30)),
        # The clock skips 02:03 in the night that summer time begins: a day after it left.
        ("2013,3,9,2300,2300,0,203,0,AA,1,N1,JFK,BOS,160,187", (2013, 3, 10, 4), (2013, 3, 11, 4)),
    ],
)
def test_the_script_turns_local_clocks_into_moments(script, tmp_path, row, t, known_at):
    (event,) = make(script, tmp_path, row)
    assert (event["t"], event["known_at"]) == (utc(*t), utc(*known_at))


def test_the_script_orders_by_schedule_and_leaves_out_flights_without_an_aircraft(script, tmp_path):
    later = "2013,10,5,1000,1000,0,1310,5,AA,1,N3,JFK,LAX,350,2475"
    left_first = "2013,1,5,959,1000,-1,1310,5,UA,7,N2,JFK,LAX,350,2475"
    left_second = "2013,1,5,1001,1000,1,1310,5,AA,1,N1,JFK,LAX,350,2475"
    nameless = "2013,1,5,1001,1000,1,1310,5,AA,9,NA,JFK,LAX,350,2475"
    events = make(script, tmp_path, later, left_first, left_second, nameless)
    assert [event["src"] for event in events] == ["N1", "N2", "N3"]


def test_the_script_writes_the_same_bytes_twice(script, tmp_path, monkeypatch):
    make(script, tmp_path, "2013,1,5,1000,1000,0,1310,5,AA,1,N1,JFK,LAX,350,2475")
    written = []
    for name in ("one.parquet", "two.parquet"):
        monkeypatch.setattr("sys.argv", ["make_flights.py", str(tmp_path), "--out", str(tmp_path / name)])
        script.main()
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert pl.read_parquet(tmp_path / "one.parquet").height == 1
