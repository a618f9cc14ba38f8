"""`seedbed runs stats`, `gc` and `index`."""

import json
import os
from pathlib import Path

import pytest
from cli_world import finished

from seedbed.contracts import Stage
from seedbed.records import Store

STORE = Path(".seedbed")


@pytest.fixture
def three(cli):
    for number in range(3):
        finished(STORE, f"r{number}", ap=0.9 + number / 100)
    return cli


def orphan():
    store = Store.open(STORE)
    blob = store.work / store.blobs.key(store.blobs.put(b"left behind"))
    os.utime(blob, (0, 0))
    return blob


def test_stats_show_what_takes_space(three):
    printed = three("runs", "stats").out
    assert "commits" in printed
    assert "flights" in printed
    assert "`seedbed runs gc` would free 0 B" in printed


def test_stats_name_the_largest_blobs_and_who_uses_them(three):
    orphan()
    run = Store.open(STORE).start("flights", "r9", Stage.TRAINING)
    weights = run.save_blob("weights", os.urandom(9000))
    run.failed("no matter")
    assert f"{weights[:12]}…" in three("runs", "stats").out
    found = three("runs", "stats", "--json").json
    assert found["largest"][0] == {"digest": weights, "size_bytes": 9000, "project": None, "run_id": None}
    assert found["size_bytes"] == sum(kind["size_bytes"] for kind in found["usage"])


def test_stats_as_json_say_first_which_version_of_their_keys_they_have(three):
    found = three("runs", "stats", "--json").json
    assert next(iter(found.items())) == ("schema_version", 2)
    assert set(found["usage"][0]) == {"kind", "num_files", "size_bytes"}
    assert "rooms" not in found


def test_stats_of_a_damaged_store_point_to_fsck(three):
    next((STORE / "log").rglob("0*1.json")).write_bytes(b"{}")
    assert "seedbed runs fsck" in three("runs", "stats").out


def test_every_reader_tells_of_the_lost_end_of_a_log(three):
    newest = max((STORE / "log").rglob("0*.json"))
    lost = newest.relative_to(STORE).as_posix()
    [name] = [view.run_id for view in Store.open(STORE).runs() if view.commit and view.commit.seq == 3]
    newest.unlink()
    for words in (
        ["list"],
        ["stats"],
        ["diff", "1"],
        ["export", "csv", "all.csv"],
        ["trend", "r1", "--metric", "test.random.ap"],
    ):
        answer = three("runs", *words)
        assert (answer.code, lost in answer.err) == (1, True), words
    assert "run `seedbed runs recover`" in three("runs", "gc").err
    assert three("runs", "recover").code == 0
    assert three("runs", "show", name).code == 0


def test_what_was_recorded_is_shown_where_the_run_before_is_lost(three):
    gone = next((STORE / "log").rglob("0*2.json"))
    [(name, before)] = [
        (view.run_id, view.commit.snapshot.diff_prev.prev_run_id)
        for view in Store.open(STORE).runs()
        if view.commit and view.commit.seq == 3
    ]
    gone.unlink()
    answer = three("runs", "diff", name)
    assert (answer.code, f"{name} since {before}" in answer.out, "as recorded" in answer.out) == (1, True, True)
    assert "0002.json is missing" in answer.err
    asked = three("runs", "diff", name, "--policy", "exact")
    assert "there is no record log/" in asked.err
    assert "`seedbed runs fsck` says what can be done" in asked.err
    assert "`seedbed runs fsck` says what can be done" in three("runs", "show", "2").err


def test_stats_of_an_empty_store_are_empty(cli):
    Store.open(STORE, create=True)
    assert "in all" in cli("runs", "stats").out
    assert cli("runs", "stats", "--json").json["projects"] == []


def test_gc_shows_what_would_be_deleted_and_deletes_it_without_dry_run(three):
    blob = orphan()
    assert "1 unused file written before" in three("runs", "gc", "--dry-run").out
    assert blob.exists()
    assert three("runs", "gc", "--json").json["deleted"] == [blob.relative_to(STORE).as_posix()]
    assert not blob.exists()
    assert "0 files deleted" in three("runs", "gc").out


def test_gc_with_rules_lets_the_payloads_of_old_commits_expire(three):
    Path("retention.yaml").write_text("rules: [{keep_last: 1}]\n")
    wanted = ("runs", "gc", "--retention", "retention.yaml")
    assert "flights: 2 commits expire by rule */* keep_last 1" in three(*wanted, "--dry-run").out
    found = three(*wanted, "--json").json
    assert next(iter(found.items())) == ("schema_version", 2)
    assert found["expiries"] == [{"commits": [1, 2], "project": "flights", "rule": "*/* keep_last 1"}]
    assert "lettings" not in found
    assert three("runs", "fsck").code == 0


def test_a_rule_that_decides_about_nothing_is_named(three):
    rules = ["{project: flight, keep_last: 1}", "{project: 'fl*', keep_last: 5}", "{project: flights, keep_days: 1}"]
    Path("retention.yaml").write_text(f"rules: [{', '.join([*rules, '{keep_last: 9}'])}]\n")
    answer = three("runs", "gc", "--retention", "retention.yaml", "--dry-run")
    assert answer.code == 0
    assert [line for line in answer.err.splitlines() if line.startswith("warning: ")] == [
        "warning: the rule flight/* keep_last 1 covers no project of the store; there are flights",
        "warning: the rule flights/* keep_days 1 decides about nothing: rules before it cover all that it covers",
        "warning: the rule */* keep_last 9 decides about nothing: rules before it cover all that it covers",
    ]
    Path("retention.yaml").write_text("rules: [{project: 'f[k-m]*', keep_last: 5}, {keep_days: 9, project: 'f*s'}]\n")
    Store.open(STORE).start("fans", "r1").failed("no matter")
    assert "warning" not in three("runs", "gc", "--retention", "retention.yaml", "--dry-run").err


def test_verify_says_what_expired(three):
    Path("retention.yaml").write_text("rules: [{keep_days: 0}]\n")
    three("runs", "gc", "--retention", "retention.yaml", "--grace", "1")
    for log in (STORE / "runs").rglob("r0/*/events.log"):
        log.unlink()  # as a sweep does once the run is older than its grace
    verified = three("runs", "verify", "r0")
    assert verified.code == 0
    assert "expired" in verified.out
    assert "by rule */* keep_days 0" in verified.out


def test_gc_says_what_it_keeps_and_for_which_run(three):
    store = Store.open(STORE)
    store.blobs.put(b"just written")
    run = store.start("flights", "under-way", Stage.TRAINING)
    printed = three("runs", "gc").out
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    gone = {**claim, "process": {**claim["process"], "start_ticks": 1}}
    run.path("attempt-1.json").write_text(json.dumps(gone))
    crashed = three("runs", "gc").out
    run.failed("no matter")
    assert "1 unused file younger than that kept" in printed
    assert "run under-way is running: files that it may use are kept" in printed
    assert (
        "run under-way has stopped without an end, and may be started again: files that it may use are kept" in crashed
    )


def test_a_grace_that_writers_could_not_rely_on_is_refused(three):
    refused = three("runs", "gc", "--grace", "0.5")
    assert refused.code == 2
    assert "expected at least" in refused.err


def test_the_index_is_written_into_the_store(three):
    assert "3 runs listed" in three("runs", "index").out
    assert three("runs", "index", "--json").json["entries"] == 3
    assert "r1:TRAINING" in (STORE / "snapshot_index.json").read_text()


def test_a_merge_makes_the_store_that_it_brings_runs_into_where_it_is_asked_to(three):
    refused = three("runs", "merge", STORE, "--store", "all")
    assert (refused.code, "`Store.open(FOLDER, create=True)`" in refused.err) == (2, True)
    planned = three("runs", "merge", STORE, "--store", "all", "--create", "--dry-run")
    assert (planned.code, planned.out.splitlines()[-1]) == (0, "3 commits there: 3 would come, 0 here already")
    assert three("runs", "merge", "nowhere", "--store", "all", "--create").code == 2
    assert not Path("all").exists()
    for came, known in ((3, 0), (0, 3)):
        done = three("runs", "merge", STORE, "--store", "all", "--create")
        assert (done.code, done.out.splitlines()[-1]) == (0, f"3 commits there: {came} came, {known} here already")
    planned = three("runs", "merge", STORE, "--store", "all", "--create", "--dry-run")
    assert planned.out == "3 commits there: 0 would come, 3 here already\n"
    assert [run["run_id"] for run in three("runs", "list", "--store", "all", "--json").json["runs"]] == [
        "r0",
        "r1",
        "r2",
    ]


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_recover_and_quarantine_change_leaves_no_stale_catalog(three, is_asked):
    second = STORE / "log/flights/00000000000000000002.json"
    three("runs", "list")
    second.unlink()
    if is_asked:
        three("runs", "list")  # which fills the catalog without the lost commit
    assert three("runs", "recover").code == 0
    assert three("runs", "fsck", "--json").json["findings"] == []
    second.unlink()
    next((STORE / "runs/flights/r1").glob("*/snapshot.json")).unlink()
    assert three("runs", "quarantine", "log/flights/00000000000000000002.json").code == 0
    assert [item["kind"] for item in three("runs", "fsck", "--json").json["findings"]] == ["QUARANTINED"]
    (STORE / "catalog.sqlite3").unlink()
    third = STORE / "log/flights/00000000000000000003.json"
    third.unlink()
    assert three("runs", "recover").code == 0
    assert not (STORE / "catalog.sqlite3").exists(), "where there is no catalog, none is made"
