"""Files as people have them: each is read as what it means, or refused with the option that reads it."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, propose, read_events
from seedbed.temporal.files._instants import Instants

TABLE = "src,dst,t\nzoë,2,5\n3,4,6\n"
PLAIN = StreamSchema()
X = StreamSchema(features=("x",))


def seconds(year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, hours_east: int = 0) -> int:
    zone = timezone(timedelta(hours=hours_east))
    return int(datetime(year, month, day, hour, minute, tzinfo=zone).timestamp())


def write(folder: Path, content: str | bytes | pl.DataFrame, name: str = "events.csv") -> Path:
    path = folder / name
    if isinstance(content, pl.DataFrame):
        content.write_parquet(path) if path.suffix == ".parquet" else content.write_ipc(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def event_at(time: str) -> str:
    return f"src\tdst\tt\n1\t2\t{time}\n"


def refusal(path: Path, schema: StreamSchema = PLAIN, **options) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_events(path, schema, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-03-01T10:00:00", seconds(2024, 3, 1, 10)),
        ("2024-03-01 10:00:00+02:00", seconds(2024, 3, 1, 10, hours_east=2)),
        ("2024-03-01T10:00:00Z", seconds(2024, 3, 1, 10)),
        ("2024-03-01", seconds(2024, 3, 1)),
        ("2024-02-29 23:59", seconds(2024, 2, 29, 23, 59)),
        ("2024-03-01T10:00:00.000-0500", seconds(2024, 3, 1, 10, hours_east=-5)),
        ("1969-12-31 23:59:59 UTC", -1),
        ("1700000259", 1_700_000_259),
        ("1700000259.0", 1_700_000_259),
    ],
)
def test_a_time_of_iso_8601_is_its_moment_in_unix_seconds(tmp_path, written, meant):
    assert read_events(write(tmp_path, event_at(written), "events.tsv"), StreamSchema()).t.tolist() == [meant]


@pytest.mark.parametrize(
    ("unit", "per_second"),
    [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)],
)
@pytest.mark.parametrize("spelling", ["2023-11-14T22:17:39.25Z", "1700000259.25"])
def test_fractions_are_whole_in_a_finer_unit_and_refused_in_a_coarser_one(tmp_path, unit, per_second, spelling):
    path = write(tmp_path, event_at(spelling), "events.tsv")
    form = FileFormat(time_format=None if "T" in spelling else "unix")
    assert read_events(path, StreamSchema(), file=form, time_unit=unit).t.tolist() == [
        170_000_025_925 * per_second // 100
    ]
    message = refusal(path, file=form)
    assert "row 1, column 't'" in message
    assert "on line 2" in message
    assert "set data.time_unit to milliseconds" in message


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("01.03.2024 10:00", "data.file.time_format to '%d.%m.%Y %H:%M'"),
        ("03/04/2024", "data.file.time_format to '%d/%m/%Y' or to '%m/%d/%Y'"),
        ("13/04/2024 09:30:00", "data.file.time_format to '%d/%m/%Y %H:%M:%S'"),
        ("10h on Friday", "data.file.time_format to its pattern"),
        ("1700000259.25", "data.file.time_format to unix and data.time_unit to milliseconds"),
        ("1700000259.000001", "data.file.time_format to unix and data.time_unit to microseconds"),
        ("2024-02-30", "data.file.time_format"),
        ("2024-03-01T25:00", "data.file.time_format"),
        ("2024-03-01T10:00:00.1234567891", "data.file.time_format"),
    ],
)
def test_any_other_time_is_refused_with_the_format_that_reads_it(tmp_path, written, named):
    assert named in refusal(write(tmp_path, event_at(written), "events.tsv"))


@pytest.mark.parametrize(
    ("pattern", "written", "meant"),
    [
        ("%d.%m.%Y %H:%M", "01.03.2024 10:00", seconds(2024, 3, 1, 10)),
        ("%m/%d/%Y", "03/04/2024", seconds(2024, 3, 4)),
        ("%Y%m%d", "20240301", seconds(2024, 3, 1)),
        ("%d %b %Y %H:%M %z", "01 Mar 2024 10:00 +0200", seconds(2024, 3, 1, 8)),
    ],
)
def test_a_declared_pattern_reads_its_times(tmp_path, pattern, written, meant):
    path = write(tmp_path, event_at(written), "events.tsv")
    assert read_events(path, StreamSchema(), file=FileFormat(time_format=pattern)).t.tolist() == [meant]


def test_the_fraction_of_a_pattern_is_that_of_a_second(tmp_path):
    path, form = (
        write(tmp_path, event_at("01.03.24 10:00:00.5"), "events.tsv"),
        FileFormat(time_format="%d.%m.%y %H:%M:%S.%f"),
    )
    read = read_events(path, StreamSchema(), file=form, time_unit="milliseconds")
    assert read.t.tolist() == [seconds(2024, 3, 1, 10) * 1000 + 500]


@pytest.mark.parametrize(
    ("values", "unit", "meant"),
    [
        ([datetime(2024, 3, 1, 10, tzinfo=UTC)], "seconds", seconds(2024, 3, 1, 10)),
        (
            [datetime(2024, 3, 1, 10, 0, 0, 250_000, UTC).replace(tzinfo=None)],
            "milliseconds",
            seconds(2024, 3, 1, 10) * 1000 + 250,
        ),
        ([date(2024, 3, 1)], "seconds", seconds(2024, 3, 1)),
        ([date(2024, 3, 1)], "days", (date(2024, 3, 1) - date(1970, 1, 1)).days),
    ],
)
@pytest.mark.parametrize("name", ["events.parquet", "events.arrow", "events.Feather"])
def test_columns_of_dates_are_read(tmp_path, values, unit, meant, name):
    path = write(tmp_path, pl.DataFrame({"src": ["a"], "dst": ["b"], "t": values}), name)
    assert read_events(path, StreamSchema(), time_unit=unit).t.tolist() == [meant]


def test_a_date_is_no_time_of_a_unit_without_a_length(tmp_path):
    assert "set data.time_unit to seconds" in refusal(
        write(tmp_path, event_at("2024-03-01"), "e.tsv"), time_unit="other"
    )
    assert "set data.time_unit to seconds" in refusal(
        write(tmp_path, event_at("2024-03-01 10:00"), "e.tsv"), time_unit="days"
    )


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)), st.sampled_from(["T", " "]))
def test_every_time_that_python_writes_is_read_exactly(moment, separator):
    if moment.utcoffset().total_seconds() % 60:
        return  # ISO 8601 has no zones of seconds
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    read = Instants.from_iso(pl.Series([moment.isoformat(separator)]))
    assert read.read.tolist() == [True]
    expected = since // timedelta(microseconds=1)
    assert int(read.seconds[0]) * 10**6 + int(read.nanoseconds[0]) // 1000 == expected


@given(st.decimals(-(10**12), 10**12, places=9))
def test_every_decimal_of_unix_seconds_is_read_exactly(number):
    read = Instants.from_unix(pl.Series([format(number, "f")]))
    assert read.read.tolist() == [True]
    assert 0 <= read.nanoseconds[0] < 10**9
    assert int(read.seconds[0]) * 10**9 + int(read.nanoseconds[0]) == int(number * 10**9)


@given(st.lists(st.floats(-1e9, 4e9, allow_nan=False), min_size=2))
def test_a_float_is_a_time_only_where_no_two_of_them_can_become_one(times):
    read = Instants.from_unix(pl.Series(times, dtype=pl.Float64))
    kept = [time for time, is_read in zip(times, read.read, strict=True) if is_read]
    ticks = (read.seconds * 10**6 + read.nanoseconds // 1000)[read.read].tolist()
    assert [tick / 10**6 for tick in ticks] == kept


def json_lines(text: str) -> str:
    header, *rows = (line.split(",") for line in text.splitlines())
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("events.CSV.zst", zstandard.compress(TABLE.encode())),
        ("events.tsv", TABLE.replace(",", "\t")),
        ("events.txt", TABLE.replace(",", ";")),
        ("events.TXT", TABLE.replace(",", " ")),
        ("events.csv", TABLE.replace(",", "|")),
        ("events.CSV", TABLE),
        ("events.jsonl", json_lines(TABLE)),
        ("events.ndjson", json_lines(TABLE) + "\n"),
        ("events.jsonl.gz", gzip.compress(json_lines(TABLE).encode(), mtime=0)),
        ("events.csv", TABLE.encode("utf-16")),
        ("events.csv", TABLE.encode("utf-8-sig")),
        ("events.csv.gz", gzip.compress(TABLE.encode("utf-8-sig"), mtime=0)),
        ("events.jsonl", json_lines(TABLE).encode("utf-8-sig")),
        ("events.jsonl", json_lines(TABLE).replace("\n", "\r")),
        ("events.jsonl", json_lines(TABLE).replace("\n", "\r\n")),
        ("events.jsonl.gz", gzip.compress(json_lines(TABLE).encode("utf-8-sig"), mtime=0)),
        ("events.csv", TABLE.replace("\n", "\r\n")),
        ("events.csv", TABLE + "\n\n"),
        (
            "events.csv",
            "".join(f"{place},{line}\n" for place, line in zip(["", "0", "1"], TABLE.splitlines(), strict=True)),
        ),
    ],
)
def test_the_same_table_in_any_wrapping_is_the_same_stream(tmp_path, name, content):
    stream = read_events(write(tmp_path, content, name), StreamSchema())
    assert (stream.names, stream.t.tolist()) == (("zoë", "2", "3", "4"), [5, 6])


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
@pytest.mark.parametrize("packed", [False, True])
def test_another_encoding_is_refused_with_the_option_and_read_with_it(tmp_path, encoding, packed):
    content = TABLE.encode(encoding)
    path = write(tmp_path, gzip.compress(content, mtime=0), "e.csv.gz") if packed else write(tmp_path, content, "e.csv")
    assert "set data.file.encoding" in refusal(path)
    assert read_events(path, StreamSchema(), file=FileFormat(encoding=encoding)).names[0] == "zoë"


def test_a_byte_of_another_encoding_far_down_is_named_by_its_line(tmp_path):
    path = write(tmp_path, b"src,dst,t\n" + b"1,2,3\n" * 20_000 + "zoë,2,4\n".encode("latin-1"))
    assert "line 20002: expected text in UTF-8, found byte 0xeb; set data.file.encoding" in refusal(path)


@pytest.mark.parametrize("content", [gzip.compress(TABLE.encode(), mtime=0)[:-9], TABLE.encode(), b""])
def test_what_is_not_packed_as_its_suffix_says_is_refused(tmp_path, content):
    assert "torn" in refusal(write(tmp_path, content, "events.csv.gz"))
    assert "torn" in refusal(write(tmp_path, content, "events.csv.zst"))


@pytest.mark.parametrize(
    ("broken", "line"), [('{"src": 1\n', 3), ("[1, 2]\n", 3), ("1,2,3\n", 3)], ids=["torn", "a list", "a row of CSV"]
)
def test_a_bad_line_of_json_is_named(tmp_path, broken, line):
    path = write(tmp_path, '{"src": "a", "dst": "b", "t": 5}\n\n' + broken, "events.jsonl")
    assert f"line {line}: expected one JSON object" in refusal(path)


@pytest.mark.parametrize("header", ["user_id,item_id,ts", "Kunde,Geschäft,Zeit", "from,to,when"])
def test_other_names_are_refused_with_the_way_to_name_them(tmp_path, header):
    path = write(tmp_path, f"{header}\n1,2,3\n")
    message = refusal(path)
    assert header.replace(",", ", ") in message
    assert "seedbed init" in message
    src, dst, t = header.split(",")
    assert read_events(path, StreamSchema(src=src, dst=dst, t=t)).t.tolist() == [3]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_a_file_without_a_header_is_refused_with_the_option_and_read_with_it(tmp_path, separator):
    path = write(tmp_path, "7,8,9\n7,9,10\n".replace(",", separator), "events.txt")
    assert "data.file.header to false" in refusal(path)
    schema = StreamSchema(src="column_1", dst="column_2", t="column_3")
    assert read_events(path, schema, file=FileFormat(header=False)).t.tolist() == [9, 10]


@pytest.mark.parametrize("word", ["NA", "NaN", "null", "-", "n/a", "?", "None"])
def test_a_word_for_nothing_is_refused_with_the_option_and_empty_with_it(tmp_path, word):
    path = write(tmp_path, f"src,dst,t,x\n1,2,3,1.5\n1,2,4,{word}\n1,2,5,\n")
    message = refusal(path, X)
    assert "row 2, column 'x'" in message
    assert "on line 3" in message
    assert "means an empty cell, add it to data.file.null" in message
    feature = read_events(path, X, file=FileFormat(null=(word,))).features[:, 0]
    assert feature[0] == 1.5
    assert (feature != feature).tolist() == [False, True, True]


def test_a_nan_of_a_column_of_floats_is_refused_with_the_option_and_empty_with_it(tmp_path):
    path = write(tmp_path, pl.DataFrame({"src": [1], "dst": [2], "t": [3], "x": [float("nan")]}), "events.parquet")
    assert "data.file.null" in refusal(path, X)
    feature = read_events(path, X, file=FileFormat(null=("NaN",))).features
    assert feature[0, 0] != feature[0, 0]


@pytest.mark.parametrize("row", ["a,,5", ",b,5", "a,b,"])
def test_an_empty_end_or_time_is_refused_with_its_line(tmp_path, row):
    message = refusal(write(tmp_path, f'src,dst,t\n"two\nlines",b,4\n{row}\n'))
    assert "row 2, column" in message
    assert "found an empty cell on line 4" in message


@pytest.mark.parametrize("words", ["true/false", "TRUE/False", "0/1", "yes/no", "Y/N", "on/off", "t/f"])
def test_booleans_of_every_spelling_are_1_and_0(tmp_path, words):
    one, other = words.split("/")
    stream = read_events(write(tmp_path, f"src,dst,t,x\n1,2,3,{one}\n1,2,4,{other}\n1,2,5,\n"), X)
    truth = [0.0, 1.0] if words == "0/1" else [1.0, 0.0]
    assert stream.features[:2, 0].tolist() == truth
    assert stream.features[2, 0] != stream.features[2, 0]


@pytest.mark.parametrize("name", ["events.csv", "events.parquet"])
@pytest.mark.parametrize("values", [["red", "blue", "green", "grey"], ["a", "b"], ["yes", "no", "maybe"]])
def test_a_text_feature_is_refused_with_the_option_and_one_column_for_each_value_with_it(tmp_path, name, values):
    frame = pl.DataFrame({"src": ["a"] * len(values), "dst": ["b"] * len(values), "t": range(len(values)), "x": values})
    path = write(tmp_path, frame if name.endswith(".parquet") else frame.write_csv(), name)
    assert f"add x to data.columns.categorical to make each of its {len(values)} values" in refusal(path, X)
    stream = read_events(path, StreamSchema(features=("x",), categorical=("x",)))
    assert stream.feature_names == tuple(f"x={value}" for value in sorted(values))
    assert stream.features.sum(axis=1).tolist() == [1] * len(values)


def test_a_text_of_too_many_values_is_no_category(tmp_path):
    rows = "".join(f"1,2,{i},word-{i}\n" for i in range(300))
    assert "it has 300 different values" in refusal(write(tmp_path, f"src,dst,t,x\n{rows}"), X)


@pytest.mark.parametrize(("written", "meant"), [("1,5", 1.5), ("-0,25", -0.25), ("12", 12.0)])
def test_a_decimal_comma_is_refused_with_the_option_and_read_with_it(tmp_path, written, meant):
    path = write(tmp_path, f"src;dst;t;x\n1;2;3;{written}\n1;2;4;0,5\n")
    assert 'data.file.decimal to ","' in refusal(path, X)
    assert read_events(path, X, file=FileFormat(decimal=",")).features[:, 0].tolist() == [meant, 0.5]
    pointed = write(tmp_path, "src;dst;t;x\n1;2;3;1.23\n")
    assert "points may only stand between thousands" in refusal(pointed, X, file=FileFormat(decimal=","))


def test_unsorted_events_are_refused_with_the_option(tmp_path):
    assert "--sort" in refusal(write(tmp_path, "src,dst,t\n1,2,2024-03-02\n1,2,2024-03-01\n"))


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ("".join(f"1,2,{1_700_000_259_250 + i}\n" for i in range(3)), "data.time_unit to milliseconds"),
        ("1,2,1700000259250000\n", "data.time_unit to microseconds"),
        ("1,2,1700000259250000000\n", "data.time_unit to nanoseconds"),
        ("1,2,3\n" * 51, "50 of 51 events are exact copies"),
        ("1,2,3\n1,3,3\n1,2,3\n", "1 of 3 events are exact copies"),
        ("1,2,3\n2,1,3\n3,2,4\n2,3,4\n", "every event also stands in the other direction"),
        ("1,1,3\n1,2,4\n2,2,5\n", "2 of 3 events have one node at both ends"),
    ],
)
def test_what_is_often_a_mistake_is_read_with_a_warning(tmp_path, caplog, content, warned):
    read_events(write(tmp_path, f"src,dst,t\n{content}"), StreamSchema())
    assert warned in caplog.text


@pytest.mark.parametrize(
    ("schema", "unit", "content"),
    [
        (StreamSchema(), "milliseconds", "1,2,1700000259250,0\n"),
        (StreamSchema(), "other", "1,2,1700000259250,0\n"),
        (StreamSchema(), "seconds", "1,2,1,0\n1,2,100000,1\n"),
        (StreamSchema(bipartite=True), "seconds", "1,1,3,0\n"),
        (StreamSchema(features=("x",)), "seconds", "1,2,3,0\n1,2,3,1\n"),
        (StreamSchema(event_id="x"), "seconds", "1,2,3,0\n1,2,3,1\n"),
    ],
)
def test_what_is_no_mistake_is_read_without_a_warning(tmp_path, caplog, schema, unit, content):
    read_events(write(tmp_path, f"src,dst,t,x\n{content}"), schema, time_unit=unit)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"encoding": "klingon"}, "no encoding"),
        ({"time_format": "%H:%M"}, "has no year"),
        ({"time_format": "%Y-%m-%d %f"}, r"written \.%f"),
        ({"separator": "ab"}, "separator"),
        ({"decimal": "'"}, "decimal"),
    ],
)
def test_a_format_that_nothing_is_written_in_is_refused(setting, words):
    with pytest.raises(ValidationError, match=words):
        FileFormat.model_validate(setting)


BLANKS = "t, src,dst ,x\n5, 3,4 , 1.5\n 6,4 ,\t3, \n7 ,3, 4,\n"


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.parquet"])
def test_blanks_around_a_cell_mean_nothing(tmp_path, name):
    rows = [line.split(",") for line in BLANKS.splitlines()]
    texts = [dict(zip(("t", "src", "dst", "x"), row, strict=True)) for row in rows[1:]]
    if name == "e.csv":
        path = write(tmp_path, BLANKS, name)
    elif name == "e.jsonl":
        path = write(tmp_path, "".join(json.dumps(row) + "\n" for row in texts), name)
    else:  # in Parquet a text is no number
        ids = [{**row, "t": int(row["t"]), "x": float(row["x"].strip() or "nan")} for row in texts]
        path = write(tmp_path, pl.DataFrame(ids), name)
    form = FileFormat(null=("NaN",))
    stream = read_events(path, X, file=form)
    assert (stream.names, stream.src.tolist(), stream.t.tolist()) == (("3", "4"), [0, 1, 0], [5, 6, 7])
    assert stream.features[0, 0] == 1.5
    assert (stream.features[1:] != stream.features[1:]).all()
    columns = propose(path).columns
    assert (columns.src, columns.dst, columns.t) == ("src", "dst", "t")


def test_a_cell_of_two_quotes_is_an_empty_one(tmp_path):
    path = write(tmp_path, '"src","dst","t","x"\n"1","2","3","1.5"\n"1","2","4",""\n')
    assert (feature := read_events(path, X).features[1, 0]) != feature
    kinds = read_events(path, StreamSchema(features=("x",), categorical=("x",)))
    assert (kinds.feature_names, kinds.features.tolist()) == (("x=1.5",), [[1], [0]])


@pytest.mark.parametrize("header", ["src,dst,t,x, x", "src,dst,t, x, x", "src,dst,t,x\t,x "])
def test_names_that_differ_only_by_blanks_are_one_name_that_stands_twice(tmp_path, header):
    path = write(tmp_path, f"{header}\n1,2,3,4,5\n1,3,4,4,5\n")
    for read in (lambda: read_events(path, X), lambda: propose(path)):
        with pytest.raises(InvalidInput, match="line 1: column 'x' stands there twice; remove or rename one"):
            read()


@pytest.mark.parametrize("cell", ["\u0663", "\u0968", "\uff13"])
@pytest.mark.parametrize("time_format", [None, "unix"])
def test_digits_of_other_scripts_are_no_time_and_the_refusal_names_them(
    tmp_path: Path, cell: str, time_format: str | None
) -> None:
    path = write(tmp_path, f"src,dst,t\n1,2,3\n1,2,{cell}\n")
    with pytest.raises(InvalidInput, match=cell):
        read_events(path, PLAIN, file=FileFormat(time_format=time_format))


@pytest.mark.parametrize("text", ["\\ud800x", "\\udbffx", "\\u0000x"])
def test_half_of_a_pair_is_refused_as_two_names_may_be_read_as_one(tmp_path: Path, text: str) -> None:
    path = write(
        tmp_path, '{"src": "' + text + '", "dst": 2, "t": 3}\n{"src": "y", "dst": 2, "t": 4}\n', "events.jsonl"
    )
    with pytest.raises(InvalidInput, match="column 'src' holds a text with a zero byte or half of a UTF-16 pair"):
        read_events(path, PLAIN)
