import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from integrations_world import DESCRIBED, bytes_under, commit_of, imported, steps_of

from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations import ImportOutcome, JsonLines
from seedbed.records import NOT_APPLICABLE, Store, fsck

RUNS = """\
{"run": "a", "params": {"lr": 0.001, "optimizer": {"betas": [0.9, 0.99]}}, "tags": {"by": "sweep 3"}}

{"run": "a", "step": 1, "metrics": {"loss": 0.9}}
{"run": "b/c", "step": 7, "metrics": {"loss": Infinity, "ap": 0.5}}
{"run": "a", "step": 2, "metrics": {"loss": NaN}}
{"run": "a", "metrics": {"test": {"ap": 0.91, "worst": NaN, "curve": [1.0, -Infinity]}}}
{"run": "a", "params": {"lr": 0.001, "seed": 3}}
"""
PROGRAM = Path(__file__).with_name("integrations_kill_program.py")


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(RUNS, encoding="utf-8")
    return path


def refused(tmp_path, data):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(InvalidInput) as error:
        JsonLines(path)
    return str(error.value)


def test_each_run_becomes_one_commit_with_its_settings_results_and_steps(lines, tmp_path):
    done = imported(JsonLines(lines), tmp_path / "store")
    assert [(item.source_id, item.outcome, item.seq) for item in done] == [
        ("a", ImportOutcome.IMPORTED, 1),
        ("b/c", ImportOutcome.IMPORTED, 2),
    ]
    snapshot = commit_of(tmp_path / "store").snapshot
    assert snapshot.run_id == "jsonl-a"
    assert snapshot.config == {"lr": 0.001, "optimizer": {"betas": [0.9, 0.99]}, "seed": 3}
    assert snapshot.documents == {"tags": {"by": "sweep 3"}}
    assert (snapshot.target, snapshot.view, snapshot.metadata["cohort_id"]) == ("delay", NOT_APPLICABLE, "y2013")
    assert snapshot.schema_versions["metadata"] == "IMPORTED/1"
    assert snapshot.process == {"steps": 2}
    assert snapshot.timing == {}
    assert steps_of(tmp_path / "store") == [(1, {"loss": "0.9"}), (2, {"loss": "nan"})]
    assert fsck(Store.open(tmp_path / "store")) == []


def test_results_that_are_not_finite_are_named_among_the_metrics(lines, tmp_path):
    imported(JsonLines(lines), tmp_path / "store")
    snapshot = commit_of(tmp_path / "store").snapshot
    assert snapshot.metrics == {"test": {"ap": 0.91, "worst": "NaN", "curve": [1, "-Infinity"]}}


def test_a_run_without_results_has_the_last_value_of_each_step_metric(lines, tmp_path):
    imported(JsonLines(lines), tmp_path / "store")
    snapshot = commit_of(tmp_path / "store", 2).snapshot
    assert snapshot.metrics == {"ap": 0.5, "loss": "Infinity"}
    assert steps_of(tmp_path / "store", 2) == [(7, {"ap": "0.5", "loss": "inf"})]


def test_importing_again_changes_no_byte(lines, tmp_path):
    imported(JsonLines(lines), tmp_path / "store")
    before = bytes_under(tmp_path / "store")
    again = imported(JsonLines(lines), tmp_path / "store")
    assert [(item.outcome, item.seq) for item in again] == [(ImportOutcome.PRESENT, 1), (ImportOutcome.PRESENT, 2)]
    assert bytes_under(tmp_path / "store") == before


def test_a_run_that_changed_since_it_was_imported_is_refused_and_its_commit_stays(lines, tmp_path):
    imported(JsonLines(lines), tmp_path / "store")
    with lines.open("a") as file:
        file.write('{"run": "a", "step": 3, "metrics": {"loss": 0.1}}\n')
    before = bytes_under(tmp_path / "store")
    first, second = imported(JsonLines(lines), tmp_path / "store")
    assert (first.outcome, first.seq, second.outcome) == (ImportOutcome.REFUSED, 1, ImportOutcome.PRESENT)
    assert "the run changed after its import; import it into another project" in first.reason
    assert bytes_under(tmp_path / "store") == before


def test_a_dry_run_reads_everything_and_writes_nothing(lines, tmp_path):
    imported(JsonLines(lines), tmp_path / "store", dry=True)
    assert list(bytes_under(tmp_path / "store")) == ["seedbed.json"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "number"), [("log", 1), ("log", 2), ("log", 3), ("finish", 1), ("finish", 2), ("between", 1)]
)
def test_an_import_that_was_killed_is_gone_on_with(lines, tmp_path, point, number):
    whole, store = tmp_path / "whole", tmp_path / "store"
    imported(JsonLines(lines), whole)
    command = [sys.executable, str(PROGRAM), str(lines), str(store), point, str(number)]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == -9
    committed = Store.open(store).log(DESCRIBED.project).head()
    done = imported(JsonLines(lines), store)
    assert [item.seq for item in done] == [1, 2]
    assert [item.outcome for item in done[:committed]] == [ImportOutcome.PRESENT] * committed
    for seq in (1, 2):
        assert steps_of(store, seq) == steps_of(whole, seq)
        mine, theirs = commit_of(store, seq).snapshot, commit_of(whole, seq).snapshot
        assert (mine.config, mine.metrics, mine.inputs) == (theirs.config, theirs.metrics, theirs.inputs)
    assert [finding.kind for finding in fsck(Store.open(store)) if finding.kind.is_damage] == []


def test_every_bad_line_is_named_and_nothing_is_imported(tmp_path):
    said = refused(
        tmp_path,
        "\n".join(
            (
                '{"run": "a", "params": {"lr": 1}}',
                "no json",
                '["run"]',
                '{"params": {}}',
                '{"run": "", "params": {}}',
                '{"run": 7}',
                '{"run": "a", "seed": 3}',
                '{"run": "a", "step": 1.5, "metrics": {"x": 1}}',
                '{"run": "a", "step": true, "metrics": {"x": 1}}',
                '{"run": "a", "step": 1, "metrics": {"x": "high"}}',
                '{"run": "a", "step": 1, "metrics": {"x": false}}',
                '{"run": "a", "step": 1, "metrics": {"x": {"y": 1}}}',
                '{"run": "a", "step": 1, "params": {"x": 1}}',
                '{"run": "a", "step": 1}',
                '{"run": "a", "params": {"lr": 2}}',
                '{"run": "a", "run": "b"}',
                "[" * 100000,
            )
        ),
    )
    assert "bad.jsonl is refused, nothing was imported:" in said
    found = [int(fault.partition(":")[0]) for fault in said.split("\n  - line ")[1:]]
    assert found == list(range(2, 18))
    for fault in (
        "line 4: run: it is missing",
        "line 7: seed: no field has this name",
        "metrics.x at a step is 'high', expected a number",
        "line 14: a line with a step has metrics, and neither params nor tags",
        "line 15: params.lr is 2, but an earlier line says 1",
        "line 16: the key 'run' appears twice in one object; keep one of them",
    ):
        assert fault in said


def test_of_very_many_bad_lines_the_first_are_named_and_the_rest_counted(tmp_path):
    said = refused(tmp_path, "?\n" * 50)
    assert "line 20:" in said
    assert "line 21:" not in said
    assert said.endswith("and 30 more")


def test_what_is_no_text_or_no_file_is_refused(tmp_path):
    assert "line 2: 'utf-8' codec can't decode" in refused(tmp_path, b'{"run": "a"}\n\xff\n')
    with pytest.raises(NotFound, match="there is no file at"):
        JsonLines(tmp_path / "absent.jsonl")
    with pytest.raises(InvalidInput, match="is a folder"):
        JsonLines(tmp_path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"params": {"lr": math.nan}}, "/params/lr"),
        ({"params": {"n": 2**60}}, "/params/n"),
        ({"metrics": {"n": 2**60}}, "/metrics/n"),
        ({"step": 2**60, "metrics": {"n": 1}}, "/step"),
        ({"step": 1, "metrics": {"/home/alice/x": 1, "/home/bob/x": 2}}, "the same after redaction"),
    ],
)
def test_a_run_that_no_record_can_hold_is_refused_and_leaves_nothing_behind(tmp_path, line, fault):
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in ({"run": "bad", **line}, {"run": "good"})))
    bad, good = imported(JsonLines(path), tmp_path / "store")
    assert (bad.outcome, bad.seq, good.outcome, good.seq) == (ImportOutcome.REFUSED, None, ImportOutcome.IMPORTED, 1)
    assert fault in bad.reason
    assert not any("jsonl-bad" in name for name in bytes_under(tmp_path / "store"))
