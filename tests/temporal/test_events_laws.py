"""Laws of the door, over generated streams."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.temporal import StreamSchema, read_events

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1, max_size=4).map(
    "n{}o".format
)  # blanks around a name mean nothing
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
        frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path)
        return read_events(path, schema, sort=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(frame=frames(), bipartite=st.booleans(), suffix=st.sampled_from([".parquet", ".csv"]))
def test_what_is_read_is_what_was_written_in_time_order(frame, bipartite, suffix):
    stream = read(frame, suffix, SCHEMA.model_copy(update={"bipartite": bipartite}))
    expected = frame.sort("t", maintain_order=True)
    assert [stream.names[node] for node in stream.src] == expected["src"].to_list()
    assert [stream.names[node] for node in stream.dst] == expected["dst"].to_list()
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
