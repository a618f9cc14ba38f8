"""Every way in which a file of events is refused, and the place that the refusal names."""

import re
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from seedbed.errors import InvalidInput, NotFound
from seedbed.temporal import StreamSchema, read_events

SCHEMA = StreamSchema(
    features=("weight", "kind"),
    late_features=("delay",),
    known_at="known",
    categorical=("kind",),
    label="label",
    event_id="id",
)
GOOD = {
    "id": [10, 11, 12],
    "src": ["a", "b", "a"],
    "dst": ["b", "c", "d"],
    "t": [5, 5, 9],
    "weight": [1.0, 2.5, -3.0],
    "kind": ["x", "y", "x"],
    "delay": [0.5, 0.0, 1.0],
    "known": [6, 7, 9],
    "label": [0, 1, 0],
}


def write(folder, suffix=".parquet", **changed) -> Path:
    frame = pl.DataFrame({**GOOD, **changed}, strict=False)
    path = folder / f"events{suffix}"
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path)
    return path


def refused(path, row, column, *words, schema=SCHEMA, **options):
    with pytest.raises(InvalidInput) as caught:
        read_events(path, schema, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: row {row}, column {column!r}: ")
    for word in words:
        assert word.lower() in message.lower()


both_formats = pytest.mark.parametrize("suffix", [".parquet", ".csv"])


@both_formats
def test_a_good_file_is_read_as_declared(tmp_path, suffix):
    stream = read_events(write(tmp_path, suffix), SCHEMA)
    assert stream.names == ("a", "b", "c", "d")
    assert (stream.src.tolist(), stream.dst.tolist()) == ([0, 1, 0], [1, 2, 3])
    assert stream.t.tolist() == [5, 5, 9]
    assert stream.known_at.tolist() == [6, 7, 9]
    assert stream.feature_names == ("weight", "kind=x", "kind=y")
    assert stream.features.tolist() == [[1, 1, 0], [2.5, 0, 1], [-3, 1, 0]]
    assert stream.late.tolist() == [[0.5], [0], [1]]
    assert stream.labels is not None
    assert stream.labels.tolist() == [0, 1, 0]
    assert not stream.bipartite
    # torch.from_numpy warns of arrays that cannot be written to.
    assert all(getattr(stream, name).flags.writeable for name in ("src", "dst", "t", "features", "late", "known_at"))


def test_both_formats_make_the_same_stream(tmp_path):
    assert read_events(write(tmp_path), SCHEMA).digest() == read_events(write(tmp_path, ".csv"), SCHEMA).digest()


@both_formats
@pytest.mark.parametrize(
    ("column", "values", "row", "words"),
    [
        ("t", [5, 5, 4], 3, ["before the previous row's 5", "4"]),
        ("t", [5.0, 5.5, 9.0], 2, ["whole number", "5.5"]),
        ("t", [5.0, float("nan"), 9.0], 2, ["whole number", "nan"]),
        ("t", [5.0, 5.0, float("inf")], 3, ["whole number", "inf"]),
        ("t", [5, None, 9], 2, ["expected a value", "an empty cell"]),
        (
            "t",
            ["01.01.2013", "02.01.2013", "03.01.2013"],
            1,
            ["whole number", "01.01.2013", "time_format to '%d.%m.%Y'"],
        ),
        ("weight", [1.0, float("nan"), 0.0], 2, ["finite", "nan"]),
        ("weight", [1.0, 2.0, float("-inf")], 3, ["finite", "-inf"]),
        ("weight", [1.0, 2.0, 1e39], 3, ["finite"]),
        ("weight", ["heavy", "light", "light"], 1, ["number", "heavy"]),
        ("delay", [1.0, 0.0, float("nan")], 3, ["finite"]),
        ("label", ["maybe", "no", "no"], 1, ["number", "maybe"]),
        ("src", [0, -1, 2], 2, ["0 .. 2**63 - 1", "-1"]),
        ("dst", [0, 1, 2**63], 3, ["0 .. 2**63 - 1", str(2**63)]),
        ("src", ["a", None, "b"], 2, ["expected a value", "an empty cell"]),
        ("dst", ["a", "", "b"], 2, ["expected an id"]),
        ("id", [10, 11, 10], 3, ["no earlier row", "10"]),
        ("known", [6, 4, 9], 2, ["before the event's own", "4"]),
        ("known", [6, None, 9], 2, ["expected a value"]),
    ],
)
def test_a_bad_cell_is_refused_with_its_place(tmp_path, suffix, column, values, row, words):
    refused(write(tmp_path, suffix, **{column: values}), row, column, *words)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("t", ["5", "6", "7"], ["whole numbers", "the text '5'"]),
        ("t", [True, True, True], ["whole numbers", "Boolean"]),
        ("weight", ["1", "2", "3"], ["numbers", "the text '1'"]),
        ("src", [0.0, 1.0, 2.0], ["whole numbers or text", "Float64"]),
        ("kind", [0.5, 1.5, 2.5], ["whole numbers or text", "Float64"]),
    ],
)
def test_parquet_columns_of_another_type_are_refused(tmp_path, column, values, words):
    refused(write(tmp_path, **{column: values}), 1, column, *words)


@both_formats
@pytest.mark.parametrize("column", sorted(GOOD))
def test_a_missing_column_is_named(tmp_path, suffix, column):
    frame = pl.DataFrame({name: values for name, values in GOOD.items() if name != column})
    path = tmp_path / f"events{suffix}"
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path)
    refused(path, 1, column, "no such column")


@both_formats
def test_an_empty_stream_is_refused(tmp_path, suffix):
    path = write(tmp_path, suffix, **{name: [] for name in GOOD})
    with pytest.raises(InvalidInput, match=re.escape(f"{path}: expected at least 1 event, found none")):
        read_events(path, SCHEMA)


def test_a_parquet_file_cut_at_any_byte_is_refused(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match=re.escape(f"{path}: ")):
            read_events(path, SCHEMA)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 garbage PAR1", b"a,b\n1,2,3\n", b"src\n\xff\xfe\n"])
@both_formats
def test_garbage_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"events{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=re.escape(f"{path}: ")):
        read_events(path, SCHEMA)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        read_events(tmp_path / "events.parquet", SCHEMA)
    (tmp_path / "events.xlsx").write_bytes(b"x")
    with pytest.raises(InvalidInput, match=r"\.parquet or \.csv"):
        read_events(tmp_path / "events.xlsx", SCHEMA)


def test_a_category_too_many_is_refused_where_it_first_stands(tmp_path):
    number = range(300)
    frame = pl.DataFrame({"src": number, "dst": number, "t": number, "kind": [f"{i:03d}" for i in number]})
    path = tmp_path / "events.parquet"
    frame.write_parquet(path)
    refused(path, 257, "kind", "at most 256", schema=StreamSchema(features=("kind",), categorical=("kind",)))


def test_sorting_is_asked_for_and_keeps_the_order_of_equal_times(tmp_path):
    path = write(tmp_path, t=[9, 5, 5], known=[9, 9, 9])
    stream = read_events(path, SCHEMA, sort=True)
    assert stream.t.tolist() == [5, 5, 9]
    assert stream.features[:, 0].tolist() == [2.5, -3, 1]
    assert stream.names == ("b", "c", "a", "d")


def test_a_sorted_read_still_names_the_row_of_the_file(tmp_path):
    refused(write(tmp_path, t=[9, 5, 5], known=[9, 9, 4]), 3, "known", "found 4", sort=True)


def test_times_stay_exact_to_the_last_unit(tmp_path):
    nanoseconds = [1_357_016_400_000_000_001, 1_357_016_400_000_000_002, 2**63 - 1]
    schema = StreamSchema()
    for suffix in (".parquet", ".csv"):
        assert read_events(write(tmp_path, suffix, t=nanoseconds), schema).t.tolist() == nanoseconds


def test_whole_floats_are_times_while_no_other_number_is_the_same_float(tmp_path):
    huge = [-(2.0**53), 5.0, 9.0]
    refused(write(tmp_path, ".parquet", t=huge), 1, "t", "whole number", schema=StreamSchema())
    assert read_events(write(tmp_path, ".csv", t=huge), StreamSchema()).t.tolist() == [-(2**53), 5, 9]  # text is exact
    for suffix in (".parquet", ".csv"):
        assert read_events(write(tmp_path, suffix, t=[0.0, 36.0, 77.0]), StreamSchema()).t.tolist() == [0, 36, 77]


@both_formats
def test_an_empty_feature_is_missing_and_an_empty_category_is_none_of_them(tmp_path, suffix):
    path = write(tmp_path, suffix, weight=[1.0, None, 2.0], kind=["x", None, "y"])
    stream = read_events(path, SCHEMA)
    assert stream.features[1, 0] != stream.features[1, 0]
    assert stream.features[:, 1:].tolist() == [[1, 0], [0, 0], [0, 1]]


def test_a_bipartite_stream_keeps_equal_names_apart_and_puts_sources_first(tmp_path):
    path = write(tmp_path, src=[7, 8, 7], dst=[7, 7, 9])
    stream = read_events(path, StreamSchema(bipartite=True))
    assert stream.names == ("7", "8", "7", "9")
    assert stream.num_sources == 2
    assert (stream.src.tolist(), stream.dst.tolist()) == ([0, 1, 0], [2, 2, 3])
    assert read_events(path, StreamSchema()).names == ("7", "8", "9")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"src": "t"}, "'t' is declared twice"),
        ({"features": ["x"], "late_features": ["x"], "known_at": "k"}, "'x' is declared twice"),
        ({"categorical": ["x"]}, "'x' is in neither"),
        ({"late_features": ["x"]}, "go together"),
        ({"known_at": "k"}, "go together"),
        ({"source": "a"}, "source"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(mapping, words):
    with pytest.raises(ValidationError, match=words):
        StreamSchema.model_validate(mapping)


def test_a_schema_is_read_from_the_mapping_of_a_yaml_file():
    mapping = {"src": "user", "dst": "item", "t": "when", "features": ["a", "b"], "bipartite": True}
    schema = StreamSchema.model_validate(mapping)
    assert schema.columns == ("user", "item", "when", "a", "b")


def test_contacts_are_read_as_undirected_and_two_kinds_of_node_cannot_be(tmp_path):
    path = write(tmp_path)
    assert read_events(path, StreamSchema(undirected=True)).undirected
    assert not read_events(path, StreamSchema()).undirected
    with pytest.raises(ValidationError, match="bipartite and undirected exclude each other"):
        StreamSchema(bipartite=True, undirected=True)
