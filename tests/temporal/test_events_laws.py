"""Laws of the door, over generated streams."""

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.temporal import StreamSchema, read_events

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
SUFFIXES = (".parquet", ".arrow", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
# Unicode's White_Space, which means nothing around a name. Python's isspace also has four separators of records.
BLANKS = "".join(mark for mark in map(chr, range(0x3001)) if mark.isspace() and not "\x1c" <= mark <= "\x1f")
BESIDE = st.text(st.sampled_from(BLANKS.replace("\r", "") + "\x1c\u200b\ufeff"), max_size=2)
NAME = st.builds(
    "{}n{}{}".format, BESIDE, st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=4), BESIDE
)
SCHEMA = StreamSchema(features=("x",), late_features=("y",), known_at="known", label="label", event_id="id")


@st.composite
def frames(draw) -> pl.DataFrame:
    """Files that the door lets in, rows in any order."""
    rows = draw(st.lists(st.tuples(NAME, NAME, INT64, INT64, FLOAT32, FLOAT32 | st.none(), FLOAT32), min_size=1))
    src, dst, one, other, x, y, label = (list(column) for column in zip(*rows, strict=True))
    return pl.DataFrame(
        {
            "id": range(len(rows)),
            "src": src,
            "dst": dst,
            "t": np.minimum(one, other),
            "known": np.maximum(one, other),
            "x": x,
            "y": pl.Series(y, dtype=pl.Float32),
            "label": label,
        }
    )


def read(frame, suffix, schema):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"events{suffix}"
        written = io.BytesIO()
        write = {".parquet": frame.write_parquet, ".arrow": frame.write_ipc, ".jsonl": frame.write_ndjson}
        write.get(suffix.removesuffix(".gz"), frame.write_csv)(written)
        path.write_bytes(gzip.compress(written.getvalue()) if suffix.endswith(".gz") else written.getvalue())
        return read_events(path, schema, sort=True)


def without_blanks(names):
    return [name.strip(BLANKS) for name in names]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_id_ends_before_a_form_feed_or_a_fixed_space_in_every_container(suffix):
    frame = pl.DataFrame({"src": ["n\x0c", "\xa0n", "n"], "dst": ["m\u2003", "m", "m\u200b"], "t": [1, 2, 3]})
    assert read(frame, suffix, StreamSchema()).names == ("n", "m", "m\u200b")  # no width, and yet no blank


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_without_any_value_is_one_of_missing_values_in_every_container(suffix):
    frame = pl.DataFrame({"src": ["n"] * 2, "dst": ["m"] * 2, "t": [1, 2], "x": [None, None], "k": [None, None]})
    stream = read(frame, suffix, StreamSchema(features=("x", "k"), categorical=("k",)))
    assert (stream.feature_names, np.isnan(stream.features).all(), stream.features.shape) == (("x",), True, (2, 1))
    with pytest.raises(InvalidInput, match="row 1, column 'x': expected a value"):
        read(frame, suffix, StreamSchema(t="x"))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(frame=frames(), bipartite=st.booleans(), suffix=st.sampled_from(SUFFIXES))
def test_what_is_read_is_what_was_written_in_time_order_without_blanks_around_names(frame, bipartite, suffix):
    stream = read(frame, suffix, SCHEMA.model_copy(update={"bipartite": bipartite}))
    expected = frame.sort("t", maintain_order=True)
    assert [stream.names[node] for node in stream.src] == without_blanks(expected["src"])
    assert [stream.names[node] for node in stream.dst] == without_blanks(expected["dst"])
    assert stream.t.tolist() == expected["t"].to_list()
    assert stream.known_at.tolist() == expected["known"].to_list()
    np.testing.assert_array_equal(stream.features[:, 0], expected["x"].cast(pl.Float32).to_numpy())
    np.testing.assert_array_equal(stream.late[:, 0], expected["y"].to_numpy())
    np.testing.assert_array_equal(stream.labels, expected["label"].cast(pl.Float32).to_numpy())


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(frame=frames(), bipartite=st.booleans())
def test_every_node_has_one_id_in_the_order_of_its_first_event(frame, bipartite):
    stream = read(frame, ".parquet", SCHEMA.model_copy(update={"bipartite": bipartite}))
    seen = [stream.src, stream.dst] if bipartite else [np.stack([stream.src, stream.dst], axis=1).ravel()]
    first = np.concatenate([list(dict.fromkeys(ids.tolist())) for ids in seen])
    assert first.tolist() == list(range(stream.num_nodes))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(frame=frames(), bipartite=st.booleans(), data=st.data())
def test_the_head_of_a_stream_is_the_stream_of_the_head(frame, bipartite, data):
    schema = SCHEMA.model_copy(update={"bipartite": bipartite})
    frame = frame.sort("t", maintain_order=True)
    n = data.draw(st.integers(1, len(frame)))
    assert read(frame, ".parquet", schema).head(n).digest() == read(frame.head(n), ".parquet", schema).digest()
