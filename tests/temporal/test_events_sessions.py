"""Sessions on disk come back exactly, or are refused by name."""

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from seedbed.temporal import EventStream, load_flights, read_sessions, write_sessions

DAY = 86_400
FLOAT32 = st.floats(width=32, allow_nan=False) | st.just(float("nan"))


def make(num_days=3, bipartite=True, labelled=True) -> EventStream:
    n = 4 * num_days
    number = np.arange(n)
    return EventStream(
        src=(number % 3).astype(np.int32),
        dst=(3 + number % 2).astype(np.int32),
        t=number * DAY // 4,
        features=np.stack([number, number**2], axis=1).astype(np.float32),
        late=np.where(number % 4 == 1, np.nan, number)[:, None].astype(np.float32),
        known_at=number * DAY // 4 + 100,
        names=("a", "b", "c", "x", "y"),
        num_sources=3 if bipartite else 5,
        feature_names=("t", "src"),
        late_names=("delay",),
        labels=number.astype(np.float32) if labelled else None,
    )


@pytest.fixture
def folder(tmp_path):
    write_sessions(make(), tmp_path / "sessions")
    return tmp_path / "sessions"


@pytest.mark.parametrize("bipartite", [True, False])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_stream_comes_back_exactly(tmp_path, bipartite, labelled):
    stream = make(bipartite=bipartite, labelled=labelled)
    assert write_sessions(stream, tmp_path) == 3
    back = read_sessions(tmp_path)
    assert back.digest() == stream.digest()
    assert back.bipartite == bipartite
    assert back.features.flags.c_contiguous
    # torch.from_numpy warns of arrays that cannot be written to.
    assert all(getattr(back, name).flags.writeable for name in ("src", "dst", "t", "features", "late", "known_at"))


def test_sessions_say_that_a_stream_is_undirected_and_say_nothing_of_a_directed_one(tmp_path):
    for undirected in (False, True):
        stream = replace(make(bipartite=False), undirected=undirected)
        folder = tmp_path / str(undirected)
        write_sessions(stream, folder)
        assert read_sessions(folder).undirected == undirected
        assert read_sessions(folder).digest() == stream.digest()
        meta = json.loads((folder / "000000" / "meta.json").read_text())
        assert ("undirected" in meta["stream"]) == undirected


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data(), by=st.integers(1, 2**62))
def test_any_stream_comes_back_exactly(data, by):
    t = sorted(data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=12)))
    n, width, late = len(t), data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    node = st.integers(0, 3)
    stream = EventStream(
        src=np.array(data.draw(st.lists(node, min_size=n, max_size=n)), np.int32),
        dst=np.array(data.draw(st.lists(node, min_size=n, max_size=n)), np.int32),
        t=np.array(t, np.int64),
        features=np.array(data.draw(st.lists(FLOAT32, min_size=n * width, max_size=n * width)), np.float32).reshape(
            n, width
        ),
        late=np.array(data.draw(st.lists(FLOAT32, min_size=n * late, max_size=n * late)), np.float32).reshape(n, late),
        known_at=np.full(n, 2**63 - 1),
        names=("", "ä", "b\n", "4"),
        num_sources=4,
        feature_names=("f", "late:f")[:width],
        late_names=("g", "h")[:late],
    ).head(n)
    with tempfile.TemporaryDirectory() as folder:
        assert write_sessions(stream, Path(folder), by=by) <= n
        assert read_sessions(Path(folder)).digest() == stream.digest()


@pytest.mark.slow
def test_flights_come_back_exactly_one_session_a_day(tmp_path):
    flights = load_flights(2_500)
    assert write_sessions(flights, tmp_path) == 3
    assert read_sessions(tmp_path).digest() == flights.digest()


def test_a_session_says_what_it_holds(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["000000", "000001", "000002"]
    meta = json.loads((folder / "000001" / "meta.json").read_bytes())
    assert (meta["schema_version"], meta["session"], meta["num_events"], meta["num_nodes"]) == (1, 1, 4, 5)
    assert (meta["first_t"], meta["last_t"]) == (DAY, 2 * DAY - DAY // 4)
    assert meta["stream"]["digest"] == make().digest()
    edges = pl.read_parquet(folder / "000001" / "edges.parquet")
    assert edges.columns == ["src", "dst", "t", "known_at", "label", "feature:t", "feature:src", "late:delay"]
    assert pl.read_parquet(folder / "000001" / "nodes.parquet")["name"].to_list() == ["a", "b", "c", "x", "y"]


def test_a_length_of_time_cuts_sessions_and_empty_stretches_make_none(tmp_path):
    stream = make().head(3)
    assert write_sessions(stream, tmp_path / "short", by=60) == 3
    assert write_sessions(stream, tmp_path / "long", by=10**9) == 1


@pytest.mark.parametrize("name", ["nodes.parquet", "edges.parquet", "meta.json"])
@pytest.mark.parametrize("fault", ["cut", "emptied", "flipped", "removed"])
def test_a_torn_session_is_refused_by_name(folder, name, fault):
    path = folder / "000001" / name
    content = path.read_bytes()
    if fault == "removed":
        path.unlink()
    else:
        flipped = content[:9] + bytes([content[9] ^ 1]) + content[10:]
        path.write_bytes({"cut": content[:-1], "emptied": b"", "flipped": flipped}[fault])
    with pytest.raises(InvalidInput, match=f"000001/{name}: (torn|missing)"):
        read_sessions(folder)


def test_a_missing_session_is_refused_by_name(folder):
    shutil.rmtree(folder / "000002")
    with pytest.raises(InvalidInput, match=r"000002/meta\.json: missing"):
        read_sessions(folder)


def test_a_session_in_anothers_place_is_refused(folder):
    shutil.rmtree(folder / "000002")
    shutil.copytree(folder / "000001", folder / "000002")
    with pytest.raises(InvalidInput, match=r"000002/meta\.json: session: expected 2, found 1"):
        read_sessions(folder)


def test_a_session_of_another_stream_is_refused(folder, tmp_path):
    write_sessions(make(labelled=False), tmp_path / "other")
    shutil.rmtree(folder / "000001")
    shutil.copytree(tmp_path / "other" / "000001", folder / "000001")
    with pytest.raises(InvalidInput, match=r"000001/meta\.json: stream: expected .*a folder of its own"):
        read_sessions(folder)


@pytest.mark.parametrize("field", ["num_events", "num_nodes", "first_t", "last_t"])
def test_a_session_that_states_another_count_or_range_is_refused(folder, field):
    path = folder / "000001" / "meta.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, field: document[field] + 1}))
    with pytest.raises(InvalidInput, match=rf"000001/meta\.json: {field}: expected {document[field]}, found"):
        read_sessions(folder)


def test_sessions_whose_digests_were_forged_one_by_one_still_fail_as_a_whole(folder):
    for meta in folder.glob("*/meta.json"):
        document = json.loads(meta.read_bytes())
        document["stream"]["digest"] = "0" * 64
        meta.write_text(json.dumps(document))
    with pytest.raises(InvalidInput, match="expected a stream of digest 000"):
        read_sessions(folder)


@pytest.mark.slow
def test_a_bit_flipped_anywhere_in_a_meta_json_is_refused(tmp_path):
    write_sessions(make().head(3), tmp_path)
    path = tmp_path / "000000" / "meta.json"
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        with pytest.raises(InvalidInput):
            read_sessions(tmp_path)
    path.write_bytes(content)
    read_sessions(tmp_path)


def test_a_newer_version_is_refused_as_such(folder):
    path = folder / "000000" / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": 2, "novelty": True}))
    with pytest.raises(InvalidInput, match="expected schema version 1, found 2; upgrade"):
        read_sessions(folder)


def test_a_folder_that_is_not_there_or_holds_no_sessions_is_refused(tmp_path):
    with pytest.raises(NotFound, match="no such folder"):
        read_sessions(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match=r"000000/meta\.json: missing"):
        read_sessions(tmp_path)


def test_writing_again_changes_nothing_and_finishes_what_was_interrupted(folder):
    before = {path: path.read_bytes() for path in folder.glob("*/*")}
    (folder / "000001" / "meta.json").unlink()
    shutil.rmtree(folder / "000002")
    write_sessions(make(), folder)
    assert {path: path.read_bytes() for path in folder.glob("*/*")} == before


def test_other_sessions_are_never_overwritten(folder):
    before = {path: path.read_bytes() for path in folder.glob("*/*")}
    stream = make()
    assert stream.labels is not None
    with pytest.raises(Conflict, match="choose another folder"):
        write_sessions(replace(stream, labels=stream.labels + 1), folder)
    assert {path: path.read_bytes() for path in folder.glob("*/*")} == before


def test_a_failing_disk_acknowledges_nothing(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnavailable):
        write_sessions(make(), tmp_path)
    with pytest.raises(InvalidInput, match="missing"):
        read_sessions(tmp_path)


def test_what_cannot_come_back_exactly_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="some node has no event"):
        write_sessions(replace(make(), names=(*make().names, "unseen")), tmp_path)
    with pytest.raises(InvalidInput, match="at least 1 time unit, found 0"):
        write_sessions(make(), tmp_path, by=0)
    assert list(tmp_path.iterdir()) == []
