"""Every released format of a store, as it was written then, is read by this version; its bytes stay what they are."""

import shutil
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict
from seedbed.records import NOT_APPLICABLE, Journal, Store, diff, fsck, read_step_events, repair, verify

STORES = sorted((Path(__file__).parents[1] / "data").glob("store-*"))


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=STORES, ids=lambda path: path.name)
def store(request, tmp_path):
    return Store.open(shutil.copytree(request.param, tmp_path / "store"))


def test_an_old_store_is_whole_and_every_digest_holds_by_the_rules_of_its_time(store):
    before = files_of(store.work)
    assert fsck(store) == []
    assert repair(store) == []
    finished = [run for run in store.runs() if run.status == RunStatus.FINISHED]
    assert len(finished) == 5
    assert all(check.holds for run in finished for check in verify(store, run))
    assert files_of(store.work) == before


def test_an_old_run_says_what_it_knew_and_invents_nothing(store):
    second = store.find("second").commit.snapshot
    assert (second.run_id, second.attempt_id, second.target, second.view) == ("second", 1, "destination", "departures")
    assert second.metrics == {"test": {"ap": 0.91, "events": 9000}}
    assert second.diff_prev.prev_run_id == "first"
    assert second.diff_prev.num_changes == len(second.diff_prev.changed_keys) == 4
    assert second.diff_prev.severity is None  # nobody judged it then
    assert (second.symbol, second.experiment_id) == (NOT_APPLICABLE, NOT_APPLICABLE)
    assert set(second.fingerprints) == {"data", "split", "code", "config", "deterministic_config"}
    assert second.diff_baseline.comparable is None
    folder = store.find("second").folder
    assert [event.step for event in read_step_events(folder / "events.log")] == [1, 2]
    with Journal.open(folder / "changes.log") as journal:
        assert journal.entries()[0].payload == {"value": 1}


def test_an_old_store_goes_on_with_new_commits_and_attempts(store):
    made = commit(store, "new")
    assert made.seq == 6
    assert made.snapshot.diff_prev.prev_run_id is None  # the old runs do not say what their target was
    found = diff(store.find("second").commit, made.snapshot)
    assert found.comparable is False
    assert "target fingerprint" in " ".join(found.reasons)
    resumed = store.start(PROJECT, "stopped", Stage.TRAINING)
    assert resumed.attempt == 2
    resumed.finish(draft("stopped", attempt=2))
    assert fsck(store) == []
    with pytest.raises(Conflict, match="is finished, as commit 2"):
        store.start(PROJECT, "second", Stage.TRAINING)
