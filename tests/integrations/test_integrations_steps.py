import shutil

import pytest
from integrations_world import DESCRIBED, imported

from seedbed.errors import NotFound
from seedbed.integrations import JsonLines, import_runs, standing_events
from seedbed.records import LocalFiles, Store, SystemClock
from seedbed.records._place import Place
from seedbed.records._store import check_marker


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"run": "a", "step": 1, "metrics": {"loss": 0.5}}\n{"run": "b"}', encoding="utf-8")
    return JsonLines(path)


def test_a_run_that_logged_nothing_has_no_steps(lines, tmp_path):
    imported(lines, tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert [len(standing_events(store, commit)) for commit in store.log(DESCRIBED.project).commits()] == [1, 0]


def test_steps_are_read_on_a_machine_that_never_ran_the_run(lines, tmp_path):
    Store.open(tmp_path / "store", create=True)
    files, work = LocalFiles(tmp_path / "store"), tmp_path / "work"
    check_marker(files, "store")
    store = Store(Place("store", files, work, apart=True), SystemClock())
    list(import_runs(lines, store, DESCRIBED))
    shutil.rmtree(work)
    [event] = standing_events(store, store.log(DESCRIBED.project).read(1))
    assert (event.step, event.values) == (1, {"loss": 0.5})


def test_steps_that_are_gone_are_not_taken_for_none(lines, tmp_path):
    imported(lines, tmp_path / "store")
    store = Store.open(tmp_path / "store")
    commit = store.log(DESCRIBED.project).read(1)
    (store.folder(DESCRIBED.project, "jsonl-a", commit.snapshot.stage) / "events.log").unlink()
    with pytest.raises(NotFound):
        standing_events(store, commit)
