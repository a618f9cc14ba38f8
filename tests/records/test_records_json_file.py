"""One JSON document in one file: durable, whole, and known by the hash of what it holds."""

import errno
from pathlib import Path

import pytest

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import atomic_write_json, digest, read_json_with_hash
from seedbed.testing import durable_faults, fails_with


def test_what_is_written_is_read_with_the_same_hash(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    state_hash, size = atomic_write_json(path, {"b": 1.5, "a": [1, True, None]})
    assert (state_hash, size) == (digest({"a": [1, True, None], "b": 1.5}), path.stat().st_size)
    assert read_json_with_hash(path) == ({"a": [1, True, None], "b": 1.5}, state_hash)


def test_the_hash_is_that_of_the_content_however_it_is_spelled(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state_hash, _ = atomic_write_json(path, {"a": 1, "b": 2})
    path.write_text('{ "b": 2.0,\n "a": 1 }')
    assert read_json_with_hash(path)[1] == state_hash


def test_the_write_is_durable_and_a_failed_one_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    atomic_write_json(path, {"a": 1})
    with durable_faults() as calls:
        atomic_write_json(path, {"a": 1})
    assert calls.index("replace") > calls.index("fsync")
    assert calls[-1] == "fsync"
    for at in range(1, calls.index("replace") + 2):
        with durable_faults(at=at, fault=fails_with(errno.EIO)), pytest.raises(StoreUnavailable):
            atomic_write_json(path, {"a": 2})
        assert read_json_with_hash(path)[0] == {"a": 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, object()])
def test_what_is_not_json_is_refused_and_nothing_is_written(tmp_path: Path, value: object) -> None:
    with pytest.raises(InvalidInput, match="/a"):
        atomic_write_json(tmp_path / "state.json", {"a": value})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_one_that_holds_no_object_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with pytest.raises(NotFound, match="no file at"):
        read_json_with_hash(path)
    for text in ('{"a": ', "[1]", '{"a": NaN}'):
        path.write_text(text)
        with pytest.raises(StoreCorrupt, match="holds no JSON object"):
            read_json_with_hash(path)
