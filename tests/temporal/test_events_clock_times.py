"""Times of day in a column of their own: never a node, a document number or a category; to be joined with the dates."""

import re
from datetime import UTC, datetime, time, timedelta

import polars as pl
import pytest

from seedbed.errors import InvalidInput
from seedbed.temporal import StreamSchema, propose, read_events

START = datetime(2024, 1, 31, tzinfo=UTC)
SPELLINGS = ["%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%-H:%M", "%I:%M %p", "%I:%M:%S%p", "%-I %p", "%H:%M Uhr", "%Hh%M"]


def moments(num, minutes):
    return [START + timedelta(minutes=minutes * row) for row in range(num)]


def table(folder, columns, name="e.csv"):
    pl.DataFrame(columns).write_csv(folder / name)
    return folder / name


def meanings(columns):
    """Every column that the proposal gives a meaning to."""
    return {*columns.columns, *columns.categorical}


@pytest.mark.parametrize("minutes", [7, 240, 1440])  # many different times of day, six, and only one
@pytest.mark.parametrize("names", [("date", "time"), ("Datum", "Uhrzeit"), ("day", "at"), ("created_at", "user")])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_time_of_day_gets_no_meaning_wherever_it_stands(tmp_path, spelling, names, minutes):
    times = moments(200, minutes)
    date, clock = names
    columns = {
        clock: [f"{moment:{spelling}}" for moment in times],
        date: [f"{moment:%Y-%m-%d}" for moment in times],
        "who": [f"a{row % 5}" for row in range(200)],
        "what": [f"b{row % 7}" for row in range(200)],
    }
    for order in (list(columns), list(columns)[::-1]):
        found = propose(table(tmp_path, {name: columns[name] for name in order}))
        assert {found.columns.src, found.columns.dst} == {"who", "what"}
        assert (found.columns.t, meanings(found.columns)) == (date, {date, "who", "what"})
        said = "\n".join(found.reasons)
        assert f"{clock} is left out: it holds times of day" in said
        assert f"whole days only, so that events of one day do not see each other, and {clock} holds the time" in said


@pytest.mark.parametrize(
    ("dates", "clocks", "example"),
    [
        ("%Y-%m-%d", "%H:%M:%S", "2024-01-31 00:00:00"),
        ("%d.%m.%Y", "%H:%M", "31.01.2024 00:00"),
        ("%m/%d/%Y", "%I:%M %p", "01/31/2024 12:00 AM"),
        ("%Y-%m-%d", "%I:%M %p", "2024-01-31 08:15"),  # joined it would not be read
        ("%Y%m%d", "%H:%M", "2024-01-31 08:15"),
    ],
)
def test_the_example_of_a_joined_time_is_one_that_is_read(tmp_path, dates, clocks, example):
    times = moments(50, 45)
    nodes = {"user": [row % 5 for row in range(50)], "item": [row % 4 for row in range(50)]}
    date, clock = [f"{moment:{dates}}" for moment in times], [f"{moment:{clocks}}" for moment in times]
    said = "\n".join(propose(table(tmp_path, {**nodes, "date": date, "time": clock})).reasons)
    assert re.findall(r"such as (.*), and name that one as t", said) == [example]
    if example == f"{date[0]} {clock[0]}":
        joined = [" ".join(pair) for pair in zip(date, clock, strict=True)]
    else:
        joined = [f"{moment:%Y-%m-%d %H:%M}" for moment in times]
    path = table(tmp_path, {**nodes, "when": joined})
    found = propose(path)
    stream = read_events(path, found.columns, file=found.file, time_unit=found.time_unit)
    assert stream.t.tolist() == [int(moment.timestamp()) for moment in times]
    assert "whole days" not in "\n".join(found.reasons)


def test_a_column_of_the_type_of_times_of_day_is_one_too(tmp_path):
    times = moments(200, 7)
    frame = pl.DataFrame(
        {
            "time": [time(moment.hour, moment.minute) for moment in times],
            "date": [moment.date() for moment in times],
            "who": [row % 5 for row in range(200)],
            "what": [row % 7 for row in range(200)],
        }
    )
    frame.write_parquet(tmp_path / "e.parquet")
    found = propose(tmp_path / "e.parquet")
    assert meanings(found.columns) == {"date", "who", "what"}
    assert "such as 2024-01-31 00:00:00, and name" in "\n".join(found.reasons)


@pytest.mark.parametrize(
    ("name", "pattern"), [("hour", "%-H"), ("Stunde", "%-H"), ("time", "%-H%M"), ("time", "%H%M%S")]
)
def test_a_number_named_as_an_hour_beside_a_date_is_a_time_of_day_and_may_be_a_feature(tmp_path, name, pattern):
    times = moments(200, 17)
    columns = {
        "date": [f"{moment:%Y-%m-%d}" for moment in times],
        name: [f"{moment:{pattern}}" for moment in times],
        "who": [row % 5 for row in range(200)],
        "what": [row % 7 for row in range(200)],
    }
    found = propose(table(tmp_path, columns))
    assert (found.columns.src, found.columns.dst, found.columns.t) == ("who", "what", "date")
    assert (found.columns.features, found.columns.categorical) == ((name,), ())
    assert f"and {name} holds the time of day" in "\n".join(found.reasons)


@pytest.mark.parametrize("others", [{}, {"born": ["1999-01-31", "2001-02-03"] * 25}])
def test_a_number_named_time_that_never_begins_again_is_the_time(tmp_path, others):
    nodes = {"who": [row % 5 for row in range(50)], "what": [row % 7 for row in range(50)]}
    assert propose(table(tmp_path, {"time": range(50), **nodes, **others})).columns.t == "time"


def test_a_time_of_day_alone_is_no_time(tmp_path):
    columns = {"time": ["08:15", "8:30", "9:00"], "who": ["a", "b", "a"], "what": ["x", "x", "y"]}
    path = table(tmp_path, columns)
    for look in (propose, lambda path: read_events(path, StreamSchema(src="who", dst="what", t="time"))):
        with pytest.raises(InvalidInput, match="write date and time into one column, as 2024-01-31 08:15"):
            look(path)


@pytest.mark.parametrize("texts", [["25:00", "08:15"], ["08:15", "anna"], ["8:75", "8:15"], ["1:2", "1:3"]])
def test_what_is_not_always_a_time_of_day_is_a_text(tmp_path, texts):
    columns = {"who": texts * 9, "what": ["x", "y", "y"] * 6, "t": range(18)}
    found = propose(table(tmp_path, columns))
    assert (found.columns.src, found.columns.dst) == ("who", "what")


def tied(groups, copies=False):
    """Events in groups of one time each, of different pairs unless `copies`."""
    rows = [(0 if copies else at, 1, number) for number, size in enumerate(groups) for at in range(size)]
    return {"src": [a for a, _, _ in rows], "dst": [b for _, b, _ in rows], "t": [t for _, _, t in rows]}


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([11], "11 of 11 events share their time with 10 or more others (1 different time in all)"),
        ([10] * 9, None),
        ([11, *[1] * 10], "11 of 21 events share their time with 10 or more others (11 different times in all)"),
        ([11, *[1] * 11], None),
        ([40, 3, 30], "70 of 73 events share their time with 10 or more others (3 different times in all)"),
    ],
)
def test_many_events_at_one_time_are_said_by_the_proposal_and_on_reading(tmp_path, caplog, groups, said):
    path = table(tmp_path, {**tied(groups), "x": [row % 3 for row in range(sum(groups))]})
    asked = [reason for reason in propose(path).reasons if "share their time" in reason]
    read_events(path, StreamSchema(features=("x",), bipartite=True))
    assert len(asked) == (said is not None)
    assert caplog.text.count("share their time") == (said is not None)
    if said is not None:
        assert said in asked[0]
        assert said in caplog.text


@pytest.mark.parametrize(("size", "is_alarm"), [(10, True), (11, False)])
def test_events_that_agree_in_everything_are_no_alarm_where_times_are_coarse(tmp_path, caplog, size, is_alarm):
    path = table(tmp_path, tied([size] * 4, copies=True))
    read_events(path, StreamSchema(bipartite=True))
    (warned,) = caplog.messages
    assert f"{4 * size - 4} of {4 * size} events are exact copies of another one" in warned
    assert ("drop them if they are mistakes" in warned) is is_alarm
    assert ("which at such times they may be without a mistake" in warned) is not is_alarm


@pytest.mark.parametrize(("num_filled", "chosen"), [(60, "created_at"), (59, "date")])
def test_of_two_times_the_one_with_a_time_of_day_is_taken_if_it_is_there_as_often(tmp_path, num_filled, chosen):
    day = [f"2024-01-{1 + i // 20:02d}" for i in range(60)]
    moments = [f"{each} {i % 20:02d}:30" if i < num_filled else "" for i, each in enumerate(day)]
    rows = "".join(
        f"{each},{moment},{i % 7},{i % 5}\n" for i, (each, moment) in enumerate(zip(day, moments, strict=True))
    )
    (tmp_path / "e.csv").write_text(f"date,created_at,user,item\n{rows}")
    found = propose(tmp_path / "e.csv")
    assert found.columns.t == chosen
    said = "t created_at: from its name; date has whole days only, so check that both tell the same moment"
    assert (said in found.reasons) is (chosen == "created_at")


@pytest.mark.parametrize(("suffix", "comma"), [("csv", ","), ("csv", "."), ("parquet", ".")])
def test_days_as_excel_counts_them_are_told_to_be_such_and_are_no_seconds(tmp_path, suffix, comma):
    days = [45300 + 1 / 24 + row / 24 for row in range(50)]  # 45300 is 2024-01-09
    frame = pl.DataFrame({"user": [row % 5 for row in range(50)], "item": [row % 7 for row in range(50)], "time": days})
    path = tmp_path / f"e.{suffix}"
    if suffix == "parquet":
        frame.write_parquet(path)
    else:
        texts = [f"{day:.6f}".replace(".", comma) for day in days]
        frame.with_columns(time=pl.Series(texts)).write_csv(path, separator=";")
    with pytest.raises(InvalidInput, match=r"column 'time': .*45300\.0416.* may be days .* is 2024-01-09 01:00: write"):
        propose(path)


@pytest.mark.parametrize("first", [0.5, 32_873.5, 73_051.5])
def test_seconds_with_fractions_from_another_beginning_are_proposed_as_what_is_written(tmp_path, first):
    path = tmp_path / "e.csv"
    path.write_text("src,dst,t\n" + "".join(f"{row % 5},{row % 7},{first + row}\n" for row in range(50)))
    found = propose(path)
    assert (found.time_unit, found.file.time_format) == ("milliseconds", "unix")
    assert any(reason.startswith("time_unit milliseconds, but check it") for reason in found.reasons)
    assert not any("time_unit other" in reason for reason in found.reasons)


@pytest.mark.parametrize(("num_other_days", "chosen"), [(1, "created_at"), (2, "date"), (60, "date")])
def test_the_time_at_which_rows_were_exported_is_no_finer_time_of_their_days(tmp_path, num_other_days, chosen):
    """The finer column is taken where it lies on the day of the date in 98 % of 60 rows, which is in 59 of them."""
    rows = []
    for i in range(60):
        day = f"2023-{1 + i // 20:02d}-{1 + i % 20:02d}"
        written = "2024-06-01" if i < num_other_days else day
        rows.append(f"{day},{written} 03:{i:02d},{i % 7},{i % 5}\n")
    (tmp_path / "e.csv").write_text("date,created_at,user,item\n" + "".join(rows))
    assert propose(tmp_path / "e.csv").columns.t == chosen


def test_days_are_compared_through_other_formats_and_empty_cells(tmp_path):
    """Epoch milliseconds beside a German date; NA and nothing in some rows of either."""
    rows = []
    for i in range(60):
        day = f"{1 + i % 20:02d}.{1 + i // 20:02d}.2023"
        millis = int(datetime(2023, 1 + i // 20, 1 + i % 20, i % 24, 5, tzinfo=UTC).timestamp() * 1000)
        rows.append(f"{'' if i == 7 else day},{'NA' if i == 9 else millis},{i % 7},{i % 5}\n")
    (tmp_path / "e.csv").write_text("date,created_at,user,item\n" + "".join(rows))
    assert propose(tmp_path / "e.csv").columns.t == "created_at"
