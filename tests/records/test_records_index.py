import json

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, StoreCorrupt
from seedbed.records import Store, export_index, read_index


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    return store


def document(store):
    return json.loads((store.work / "snapshot_index.json").read_text())


def test_every_run_stands_under_its_project_and_its_name_and_stage(store):
    entries = export_index(store)
    assert document(store)["projects"][PROJECT].keys() == {"r1:TRAINING", "r2:TRAINING"}
    assert [(item.run_id, item.stage, item.snapshot_seq) for item in entries] == [
        ("r1", Stage.TRAINING, 1),
        ("r2", Stage.TRAINING, 2),
    ]
    log = store.log(PROJECT)
    assert entries[1].path == log.key(2)
    assert entries[1].digest == log.read(2).digest
    assert entries[1].timestamp == log.read(2).snapshot.timestamp.isoformat()


def test_the_newest_commit_of_a_stage_stands_for_its_run(store):
    store.log(PROJECT).append(draft("r1", attempt=2), {}, store.clock.now())
    assert {item.run_id: item.snapshot_seq for item in export_index(store)} == {"r1": 3, "r2": 2}


def test_one_file_is_the_same_whoever_exports_it(store):
    export_index(store)
    first = (store.work / "snapshot_index.json").read_bytes()
    export_index(Store.open(store.work))
    assert (store.work / "snapshot_index.json").read_bytes() == first


def test_an_index_is_not_made_of_a_damaged_store(store):
    (store.work / store.log(PROJECT).key(1)).unlink()
    with pytest.raises(StoreCorrupt, match="nothing was done"):
        export_index(Store.open(store.work))
    assert not (store.work / "snapshot_index.json").exists()


@pytest.mark.parametrize(
    ("key", "entry", "run_id"),
    [
        ("r1:TRAINING", {"snapshot_seq": 4}, "r1"),
        ("r1:training", {}, "r1"),
        ("r1", {"stage": "TRAINING", "somewhere": "else"}, "r1"),
        ("a:b", {"stage": "training"}, "a:b"),
        (":TRAINING", {"stage": "TRAINING"}, ":TRAINING"),
    ],
)
def test_old_keys_are_read(key, entry, run_id):
    (found,) = read_index(json.dumps({key: entry}).encode())
    assert (found.run_id, found.stage) == (run_id, Stage.TRAINING)
    assert found.snapshot_seq == entry.get("snapshot_seq")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "expected an object keyed run_id:STAGE"),
        (b'{"r1": {}}', "'r1' cannot be read: stage"),
        (b'{"r1": 7}', "'r1' cannot be read: stage"),
        (b'{"r1:TRAINING": {"snapshot_seq": "x"}}', "snapshot_seq"),
        (b'{"schema_version": 2, "projects": {}}', "cannot be read at /schema_version"),
        (b'{"schema_version": 1, "projects": {"p": {"r:TRAINING": {}}}}', "at /projects/p/r:TRAINING/run_id"),
    ],
)
def test_what_is_no_index_is_refused_with_its_place(data, says):
    with pytest.raises(InvalidInput, match=says):
        read_index(data)
