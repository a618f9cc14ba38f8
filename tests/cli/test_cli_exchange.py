"""`seedbed runs import` and `export`: what they print, how they end, and what they leave."""

import sys
from pathlib import Path

import polars as pl
import pytest
from cli_world import PROJECT, finished

GIVEN = ("--project", "outside", "--target", "delay", "--cohort", "y2013")
RUNS = """\
{"run": "a", "params": {"lr": 0.1}, "metrics": {"ap": 0.9}}
{"run": "a", "step": 1, "metrics": {"loss": 0.5}}
{"run": "b", "params": {"lr": 0.2}, "metrics": {"ap": 0.8}}
"""


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(RUNS, encoding="utf-8")
    return path


def mlflow_installed():
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")


def test_an_import_lists_every_run(cli, lines):
    answer = cli("runs", "import", "jsonl", lines, *GIVEN)
    assert answer.code == 0
    assert [line.split() for line in answer.out.splitlines()[1:]] == [
        ["a", "jsonl-a", "IMPORTED", "1"],
        ["b", "jsonl-b", "IMPORTED", "2"],
    ]
    assert "2 imported" in answer.err


def test_imported_runs_are_found_by_what_they_were_and_scored(cli, lines):
    cli("runs", "import", "jsonl", lines, *GIVEN, "--view", "all", "--model-family", "mlp", "--data", "flights")
    found = cli("runs", "list", "--where", "params.lr<0.15 and metrics.ap>0.5 and model_family=mlp", "--json").json
    assert [run["run_id"] for run in found["runs"]] == ["jsonl-a"]
    assert "jsonl-a" in cli("runs", "diff", "jsonl-b").out


def test_an_import_prints_one_json_object(cli, lines):
    first = cli("runs", "import", "jsonl", lines, *GIVEN, "--json").json
    assert first["runs"][0] == {
        "source_id": "a",
        "run_id": "jsonl-a",
        "outcome": "IMPORTED",
        "snapshot_seq": 1,
        "reason": "",
    }
    again = cli("runs", "import", "jsonl", lines, *GIVEN, "--json").json
    assert [(run["outcome"], run["snapshot_seq"]) for run in again["runs"]] == [("PRESENT", 1), ("PRESENT", 2)]


def test_a_dry_run_makes_no_store(cli, lines):
    answer = cli("runs", "import", "jsonl", lines, *GIVEN, "--dry-run", "--json")
    assert answer.json["dry_run"] is True
    assert [run["outcome"] for run in answer.json["runs"]] == ["IMPORTED", "IMPORTED"]
    assert not Path(".seedbed").exists()
    assert "dry run, nothing is written: 2 imported" in cli("runs", "import", "jsonl", lines, *GIVEN, "--dry-run").err


def test_a_refused_run_is_named_and_ends_the_command_with_2(cli, lines):
    cli("runs", "import", "jsonl", lines, *GIVEN)
    lines.write_text(RUNS.replace("0.9", "0.95") + '{"run": "c"}\n', encoding="utf-8")
    answer = cli("runs", "import", "jsonl", lines, *GIVEN, "--json")
    assert answer.code == 2
    assert [run["outcome"] for run in answer.json["runs"]] == ["REFUSED", "PRESENT", "IMPORTED"]
    assert "changed after its import" in answer.json["runs"][0]["reason"]


def test_a_file_with_a_bad_line_is_refused_whole(cli, lines):
    lines.write_text(RUNS + "?\n", encoding="utf-8")
    answer = cli("runs", "import", "jsonl", lines, *GIVEN)
    assert answer.code == 2
    assert "line 4: " in answer.err
    assert not Path(".seedbed").exists()


def test_an_empty_file_has_no_run_to_import(cli, lines):
    lines.write_text("", encoding="utf-8")
    answer = cli("runs", "import", "jsonl", lines, *GIVEN)
    assert (answer.code, answer.err.strip()) == (0, "there is no run to import")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("jsonl", "absent.jsonl"), "there is no file at absent.jsonl"),
        (("tensorboard", "."), "there is no event file of TensorBoard in"),
        (("mlflow", "absent.db"), "there is no MLflow store at absent.db"),
        (("jsonl", "runs.jsonl", "--experiment", "x"), "--experiment is for mlflow only, jsonl has no experiments"),
        (("wandb", "runs"), "'wandb' is not one of 'jsonl', 'mlflow', 'tensorboard'"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(cli, lines, arguments, problem):
    answer = cli("runs", "import", *arguments, *GIVEN)
    assert answer.code == 2
    assert problem in " ".join(answer.err.replace("│", " ").split())


@pytest.mark.slow
def test_a_log_folder_of_tensorboard_is_imported(cli, tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "logs" / "a")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    answer = cli("runs", "import", "tensorboard", tmp_path / "logs", *GIVEN, "--json")
    assert (answer.code, answer.json["runs"][0]["run_id"]) == (0, "tensorboard-a")


@pytest.mark.parametrize("system", ["mlflow", "tensorboard"])
def test_a_system_whose_library_is_missing_is_refused_with_how_to_install_it(cli, lines, monkeypatch, system):
    monkeypatch.setitem(sys.modules, system, None)
    answer = cli("runs", "import", system, ".", *GIVEN)
    assert answer.code == 2
    assert f"run `pip install 'seedbed[{system}]'`" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize(("form", "read"), [("parquet", pl.read_parquet), ("csv", pl.read_csv)])
def test_finished_runs_are_exported_as_a_table(cli, tmp_path, form, read):
    for number, ap in enumerate((0.7, 0.9, 0.8)):
        finished(tmp_path / ".seedbed", f"r{number}", ap=ap)
    answer = cli("runs", "export", form, "--out", f"runs.{form}")
    assert (answer.code, answer.out) == (0, f"3 runs written to runs.{form}\n")
    assert read(f"runs.{form}")["run_id"].to_list() == ["r0", "r1", "r2"]
    assert (
        cli("runs", "export", form, "--out", "best", "--where", "metrics.test.random.ap>0.75", "--json").json["written"]
        == 2
    )
    assert read("best")["metrics.test.random.ap.value"].to_list() == [0.9, 0.8]
    assert cli("runs", "export", form, "--out", "none", "--project", "other", "--json").json == {
        "written": 0,
        "present": 0,
    }


@pytest.mark.slow
def test_finished_runs_go_to_mlflow_once(cli, tmp_path):
    mlflow_installed()
    finished(tmp_path / ".seedbed", "r0")
    assert "without their steps" not in cli("runs", "export", "mlflow", "--out", "mlflow.db").err
    finished(tmp_path / ".seedbed", "r1")
    (tmp_path / ".seedbed" / "runs" / PROJECT / "r1" / "TRAINING" / "events.log").unlink()
    answer = cli("runs", "export", "mlflow", "--out", "mlflow.db")
    assert (answer.code, answer.out) == (0, "1 runs written to mlflow.db; 1 were there already\n")
    assert "fsck` shows: r1" in answer.err
    assert cli("runs", "export", "mlflow", "--out", "mlflow.db").out.endswith("; 2 were there already\n")
    answer = cli("runs", "import", "mlflow", "mlflow.db", *GIVEN, "--experiment", PROJECT, "--json")
    assert [run["outcome"] for run in answer.json["runs"]] == ["IMPORTED", "IMPORTED"]
    found = cli("runs", "show", answer.json["runs"][0]["run_id"], "--json").json["snapshot"]
    assert found["metrics"]["test.random.ap.value"] == 0.9
    assert found["config"]["training.learning_rate"] == 1e-3


def test_a_query_that_is_not_understood_exports_nothing(cli, tmp_path):
    finished(tmp_path / ".seedbed", "r0")
    answer = cli("runs", "export", "csv", "--out", "runs.csv", "--where", "params.lr <")
    assert (answer.code, Path("runs.csv").exists()) == (2, False)
