"""What a file says twice or in two ways is refused or warned of, not read as something else."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, propose, read_events, read_sessions, write_sessions
from seedbed.temporal._oddities import _same_number
from seedbed.temporal.files._json_lines import repeated_key

FEATURE = StreamSchema(features=("f",))


def written(folder, text, name="events.csv"):
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("start", "step", "pattern"),
    [
        (datetime(2024, 3, 25, tzinfo=UTC), timedelta(days=1), "%Y%m%d"),
        (datetime(2023, 12, 31, 22, tzinfo=UTC), timedelta(hours=1), "%Y%m%d%H%M"),
        (datetime(2023, 12, 31, 23, 59, tzinfo=UTC), timedelta(seconds=7), "%Y%m%d%H%M%S"),
    ],
)
def test_dates_that_look_like_numbers_are_proposed_as_dates_and_warned_of_as_numbers(
    tmp_path, caplog, start, step, pattern
):
    times = [start + step * number for number in range(15)]
    rows = "".join(f"{number % 4},{number % 3 + 9},{time:{pattern}}\n" for number, time in enumerate(times))
    path = written(tmp_path, "src,dst,t\n" + rows)
    proposal = propose(path)
    assert (proposal.file.time_format, proposal.time_unit) == (pattern, "seconds")
    read = read_events(path, proposal.columns, file=proposal.file)
    assert read.t.tolist() == [int(time.timestamp()) for time in times]
    assert caplog.messages == []
    read_events(path, StreamSchema(), time_unit="other")
    assert f"set data.file.time_format to {pattern}" in caplog.text


def test_whole_numbers_of_which_one_is_no_date_stay_numbers(tmp_path, caplog):
    path = written(tmp_path, "src,dst,t\n1,2,20240229\n1,3,20240230\n1,2,20240301\n")
    assert propose(path).file.time_format is None
    read_events(path, StreamSchema())
    assert caplog.messages == []


@pytest.mark.parametrize(("header", "name"), [("src,dst,t,t", "t"), ("src,dst,t,dst", "dst")])
def test_a_column_that_stands_twice_is_refused_with_its_name(tmp_path, header, name):
    with pytest.raises(InvalidInput, match=f"line 1: column '{name}' stands there twice"):
        read_events(written(tmp_path, f"{header}\n1,2,5,9\n"), StreamSchema())


def test_a_key_that_stands_twice_in_a_line_is_refused_and_in_a_text_or_record_it_is_not(tmp_path):
    good = json.dumps({"src": "dst", "dst": 'a"t":', "t": 3, "more": {"t": 1}})
    path = written(tmp_path, f"{good}\n", "events.jsonl")
    assert read_events(path, StreamSchema()).t.tolist() == [3]
    path = written(tmp_path, f'{good}\n\n{{"src": 1, "dst": 2, "t": 4, "t": 9}}\n', "events.jsonl")
    with pytest.raises(InvalidInput, match="line 3: column 't' stands there twice"):
        read_events(path, StreamSchema())


@pytest.mark.parametrize("other", ['{"src": 1, "dst": 2, "t": 4}', '{"src": 1, "dst": 2, "t": 4, "f": 1}'])
@pytest.mark.parametrize("again", ['"f": 2.0', '"\\u0066": 2.0', '"\\u0066" : 2.0', '"more": 1, "f": 3'])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_key_that_stands_twice_in_one_line_and_never_in_another_is_refused(tmp_path, at, again, other):
    lines = [other] * 3
    lines[at] = f'{{"src": 1, "dst": 2, "t": 3, "f": 1.0, {again}}}'
    path = written(tmp_path, "\n".join(lines), "events.jsonl")
    for read in (lambda: read_events(path, FEATURE), lambda: propose(path)):
        with pytest.raises(InvalidInput, match=f"line {at + 1}: column 'f' stands there twice"):
            read()


@pytest.mark.parametrize(
    "key", ["t", "a/b", 'a"b', "a\\b", "zoë", "a\tb", "\U0001f331"], ids=["plain", "slash", "quote", *"1234"]
)
def test_a_key_that_stands_twice_is_found_in_every_spelling(key):
    escaped = "".join(f"\\u{unit:04x}" for unit in np.frombuffer(key.encode("utf-16-le"), "<u2"))
    spelled = {
        json.dumps(key),
        json.dumps(key, ensure_ascii=False),
        f'"{escaped}"',
        json.dumps(key).replace("/", "\\/"),
    }
    for first, second in product(spelled, repeat=2):
        line = f'{{{first}: 1, "note": "a \\" : b", {second}: 2}}'
        assert repeated_key(f"{{}}\n{{{first}: 1}}\n{line}\n".encode(), ["note", key]) == (3, key)
        assert repeated_key(f'{{{first}: 1}}\n{{"more": {line}, {second}: 1}}\n'.encode(), ["note", key]) is None


@pytest.mark.parametrize("key", ['"f"', '"\\u0066"'])
def test_a_number_under_a_key_in_any_spelling_beside_texts_is_seen(tmp_path, key):
    rows = [f'{{"src": 1, "dst": "f", "t": 3, {key}: 1.5}}', '{"src": 1, "dst": "f", "t": 4, "f": "x"}']
    path = written(tmp_path, "\n".join(rows), "events.jsonl")
    with pytest.raises(InvalidInput, match="line 1: 'f' is a number with a fraction"):
        read_events(path, StreamSchema(features=("f",), categorical=("f",)))


def test_a_truth_value_among_numbers_is_named(tmp_path):
    rows = ['{"src": 1, "dst": 2, "t": 1, "f": true}', '{"src": 1, "dst": 2, "t": 2, "f": 2}']
    for order in (rows, rows[::-1]):
        with pytest.raises(
            InvalidInput,
            match=r"line 2: 'f' is (true or false|a number), and (true or false|a number) in line 1; write one kind",
        ):
            read_events(written(tmp_path, "\n".join(order), "events.jsonl"), FEATURE)


@given(st.lists(st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{0,3})?([eE][+-]?[0-3])?|[a-c]", fullmatch=True), unique=True))
def test_two_names_are_the_same_number_where_python_says_so(names):
    numbers = [float(name) + 0.0 if name[-1] not in "abc" else name for name in names]
    repeated = next((i for i, number in enumerate(numbers) if str(number) in map(str, numbers[:i])), None)
    found = _same_number(tuple(names))
    assert (found is None) == (repeated is None)
    assert found is None or (found[1] == names[repeated] and float(found[0]) == float(found[1]))


def test_ids_that_are_one_number_but_two_nodes_are_warned_of(tmp_path, caplog):
    read_events(written(tmp_path, "src,dst,t\n7,8,1\n7.0,9,2\n"), StreamSchema())
    assert "'7' and '7.0' are two nodes" in caplog.text
    read_events(written(tmp_path, "src,dst,t\n1e3,8,1\n1000,9,2\n"), StreamSchema())
    assert "'1e3' and '1000' are two nodes" in caplog.text
    caplog.clear()
    read_events(written(tmp_path, "src,dst,t\n7,07,1\n"), StreamSchema(bipartite=True))
    assert caplog.messages == []


def test_init_says_what_is_wrong_with_the_cells_of_a_column_named_time(tmp_path):
    rows = "".join(f"{i},{i + 9},2024-01-01 0{i}:00:00 EST\n" for i in range(5))
    with pytest.raises(InvalidInput, match=r"column 'time': expected times.*00:00:00 EST'; EST may be the name"):
        propose(written(tmp_path, "user,item,time\n" + rows))


def test_the_first_day_of_each_month_is_a_date_and_its_distance_none(tmp_path):
    days = [date(2024, month, 1) for month in range(1, 13)]
    path = written(tmp_path, "src,dst,t\n" + "".join(f"1,2,{day:%Y%m%d}\n" for day in days))
    read = read_events(path, StreamSchema(), file=FileFormat(time_format="%Y%m%d"), time_unit="days")
    assert [b - a for a, b in pairwise(read.t.tolist())] == [(b - a).days for a, b in pairwise(days)]


def test_a_session_longer_than_64_bits_holds_every_time_of_one_sign(tmp_path):
    stream = read_events(written(tmp_path, "src,dst,t\n1,2,-5\n1,2,3\n2,1,9223372036854775806\n"), StreamSchema())
    assert write_sessions(stream, tmp_path / "sessions", by=2**70) == 2
    assert read_sessions(tmp_path / "sessions").t.tolist() == stream.t.tolist()


KINDS = {"an object": '{"id": "a"}', "a list": "[]", "true or false": "true"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["src", "f"])
def test_an_object_a_list_or_a_truth_beside_a_text_in_json_lines_is_no_name(tmp_path, column, kind):
    row = {"src": "a", "dst": "b", "t": 3, "f": "1"}
    other = json.dumps({**row, "t": 4, column: "?"}).replace('"?"', KINDS[kind])
    path = written(tmp_path, f"{json.dumps(row)}\n\n{other}\n", "events.jsonl")
    told = f"line 3: '{column}' is {kind}, and a text in line 1"
    for categorical in ((), ("f",)):
        with pytest.raises(InvalidInput, match=told):
            read_events(path, StreamSchema(features=("f",), categorical=categorical))
    with pytest.raises(InvalidInput, match=told):
        propose(path)


@pytest.mark.parametrize("number", ["1.5", "1.0", "1e3"])
@pytest.mark.parametrize(
    ("column", "schema"), [("src", StreamSchema()), ("f", StreamSchema(features=("f",), categorical=("f",)))]
)
def test_a_number_with_a_fraction_beside_a_text_in_json_lines_is_no_name(tmp_path, column, schema, number):
    row = {"src": "a", "dst": "b", "t": 3, "f": "x"}
    other = json.dumps({**row, "t": 4, column: "?"}).replace('"?"', number)
    path = written(tmp_path, f"{json.dumps(row)}\n{other}\n", "events.jsonl")
    with pytest.raises(InvalidInput, match=f"line 2: '{column}' is a number with a fraction"):
        read_events(path, schema)


def test_whole_numbers_beside_names_are_names_and_words_beside_fractions_are_empty_cells(tmp_path):
    rows = [
        {"src": "a", "dst": 7, "t": 3, "f": "NA"},
        {"src": 5, "dst": "[b]", "t": 4, "f": 1.5},
        {"src": "true", "dst": '{"x": 1}', "t": 5, "f": "2.5"},
    ]
    path = written(tmp_path, "\n".join(map(json.dumps, rows)), "events.jsonl")
    read = read_events(path, FEATURE, file=FileFormat(null=("NA",)))
    assert set(read.names) == {"a", "5", "true", "7", "[b]", '{"x": 1}'}
    assert read.features[1:].ravel().tolist() == [1.5, 2.5]


@pytest.mark.parametrize(("value", "kind"), [("[2]", "a list"), ('{"a": 2}', "an object"), ("true", "true or false")])
@pytest.mark.parametrize("column", ["t", "other"])
def test_another_kind_beside_numbers_in_json_lines_is_told_with_both_lines(tmp_path, column, value, kind):
    row = {"src": 1, "dst": 2, "t": 3, "other": 4}
    other = json.dumps(row | {column: "?"}).replace('"?"', value)
    path = written(tmp_path, f"{json.dumps(row)}\n{other}\n", "events.jsonl")
    with pytest.raises(InvalidInput, match=f"line 2: '{column}' is {kind}, and a number in line 1; write one kind"):
        read_events(path, StreamSchema())


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("value", ["{}", "[1, {}]", '{{"deep": [{}]}}'])
def test_a_number_that_json_does_not_know_is_told_with_its_line_and_key(tmp_path, word, value):
    good = '{"src": 1, "dst": 2, "t": 3, "note": "NaN"}'
    bad = good.replace('"NaN"', '"NaN", "f": ' + value.format(word))
    path = written(tmp_path, f"{good}\n\n{bad}\n", "events.jsonl")
    told = f"line 3: 'f' holds {word}, which JSON does not know; write null"
    with pytest.raises(InvalidInput, match=told):
        read_events(path, StreamSchema())
    with pytest.raises(InvalidInput, match=told):
        propose(path)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("1e400", "1e400"), ("-1e99999", "-1e99999"), ("1" * 5000, "1" * 20 + "…, of 5000 characters")],
)
@pytest.mark.parametrize("value", ["{}", '["a", {{"deep": {}}}]'])
@pytest.mark.parametrize("before", ["1", '"x"'])
def test_a_number_beyond_all_floats_is_told_with_its_line_and_key(tmp_path, number, shown, value, before):
    good = '{"src": 1, "dst": 2, "t": 3, "f": ?}'
    path = written(
        tmp_path, f"{good.replace('?', before)}\n\n{good.replace('?', value.format(number))}\n", "events.jsonl"
    )
    for read in (lambda: read_events(path, StreamSchema()), lambda: propose(path)):
        with pytest.raises(InvalidInput, match=f"line 3: 'f' holds the number {shown}, beyond all floats; write a"):
            read()


def test_a_number_that_json_does_not_know_is_told_where_its_key_stands_twice(tmp_path):
    path = written(tmp_path, '{"src": 1, "dst": 2, "t": NaN, "t": 3}\n', "events.jsonl")
    with pytest.raises(InvalidInput, match="line 1: 't' holds NaN, which JSON does not know"):
        read_events(path, StreamSchema())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_json_lines_that_are_nested_too_deeply_are_refused_before_a_reader_crashes_on_them(tmp_path, opening, closing):
    for depth in (99, 100, 600, 5000):  # of the value; the object of the line is one more
        value = opening * depth + '"{["' + closing * depth
        text = f'{{"src": "b", "dst": 2, "t": 3}}\n{{"src": "{"{[" * 99}", "dst": 2, "t": 3, "f": {value}}}\n'
        path = written(tmp_path, text, "events.jsonl")
        if depth < 100:
            assert len(read_events(path, StreamSchema())) == 2
            continue
        with pytest.raises(InvalidInput, match="line 2: it is nested too deeply"):
            read_events(path, StreamSchema())
