import getpass
import json
import socket
from typing import Any

import pytest
from integrations_world import DESCRIBED, commit_of, imported

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations import ImportDescription, ImportOutcome, JsonLines, OutsideRun
from seedbed.integrations._extras import require
from seedbed.records import NOT_APPLICABLE, Store, not_applicable


def lines(tmp_path, *items):
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    return JsonLines(path)


@pytest.mark.parametrize(
    ("source_id", "is_kept"),
    [("plain-1.a_b", True), ("x" * 80, True), ("x" * 81, False), ("a/b", False), ("a b", False), ("größe", False)],
)
def test_a_run_is_named_after_its_source_where_that_can_be_a_name(tmp_path, source_id, is_kept):
    [done] = imported(lines(tmp_path, {"run": source_id}), tmp_path / "store")
    assert (done.run_id == f"jsonl-{source_id}") == is_kept
    assert commit_of(tmp_path / "store").snapshot.inputs["source"]["run_id"] == source_id


def test_nothing_that_identifies_the_machine_or_a_secret_reaches_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "host-canary-7")
    monkeypatch.setattr(getpass, "getuser", lambda: "user-canary-7")
    monkeypatch.setenv("SOME_API_KEY", "secret-canary-7")
    canaries = ("host-canary-7", "user-canary-7", "secret-canary-7")
    said = " ".join((*canaries, "/home/path-canary-7/x"))
    runs = [{"run": f"{name}", "params": {"p": said}, "tags": {"t": said}} for name in canaries]
    steps = [{"run": name, "step": 1, "metrics": {f"loss of {name}": 1}} for name in canaries]
    done = imported(lines(tmp_path, *runs, *steps), tmp_path / "store")
    assert [item.outcome for item in done] == [ImportOutcome.IMPORTED] * 3
    for path in (tmp_path / "store").rglob("*"):
        for canary in (*canaries, "path-canary-7"):
            assert canary not in path.name
            assert not path.is_file() or canary.encode() not in path.read_bytes(), path


def test_a_project_whose_run_of_that_name_is_another_is_not_written_to(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    run = store.start(DESCRIBED.project, "jsonl-a", Stage.TRAINING)
    metadata = not_applicable(Stage.TRAINING) | {"cohort_id": "c", "target": "t", "model_family": "m"}
    run.finish(run.draft(metadata, {}, dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)))
    [done] = imported(lines(tmp_path, {"run": "a"}), tmp_path / "store")
    assert (done.outcome, done.seq) == (ImportOutcome.REFUSED, 1)


def test_a_run_that_another_process_is_importing_is_refused_for_now(tmp_path):
    Store.open(tmp_path / "store", create=True).start(DESCRIBED.project, "jsonl-a", Stage.TRAINING)
    [done] = imported(lines(tmp_path, {"run": "a"}), tmp_path / "store")
    assert done.outcome is ImportOutcome.REFUSED
    assert "still runs" in done.reason


def test_what_is_said_of_all_runs_is_refused_once(tmp_path):
    described = ImportDescription("out side", target="", cohort="../up")
    with pytest.raises(InvalidInput) as refused:
        imported(lines(tmp_path, {"run": "a"}, {"run": "b"}), tmp_path / "store", described)
    for fault in ("project is 'out side'", "metadata.cohort_id is '../up'", "metadata.target is ''"):
        assert fault in str(refused.value)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["seedbed.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"lr": 2}},
        {"metrics": {"ap": float("nan")}},
        {"tags": {"a": 1}},
        {"steps": [(1, {"loss": float("inf")})]},
        {"steps": [(2, {"loss": 1.0})]},
        {"data": ["x"]},
        {"notes": {"torn_bytes": 1}},
    ],
)
def test_a_run_that_differs_anywhere_has_another_digest(change):
    fields: dict[str, Any] = {
        "source_id": "a",
        "params": {"lr": 1},
        "metrics": {"ap": 1.0},
        "steps": [(1, {"loss": 1.0})],
    }
    assert OutsideRun(**fields).digest() == OutsideRun(**fields).digest() != OutsideRun(**{**fields, **change}).digest()


def test_a_library_that_is_missing_is_named_with_how_to_install_it():
    with pytest.raises(
        NotFound, match=r"the package no_such_system is not installed; run `pip install 'seedbed\[tb\]'`"
    ):
        require("no_such_system.client", "tb")
