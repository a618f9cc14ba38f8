import json

import polars as pl
import pytest
from integrations_world import DESCRIBED, imported

from seedbed.integrations import JsonLines, write_csv, write_parquet
from seedbed.records import Store

RUNS = [
    {
        "run": "a",
        "params": {"lr": 0.1, "n": 1, "on": True, "mixed": 1, "list": [1, 2]},
        "metrics": {"ap": 1, "t": "é,"},
    },
    {"run": "b", "params": {"lr": 1e-300, "n": 2, "on": False, "mixed": "x", "o": {"deep": 2}}, "metrics": {"ap": 0.1}},
    {"run": "c", "params": {"lr": 3, "n": None}},
]


@pytest.fixture
def commits(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(json.dumps(run) for run in RUNS), encoding="utf-8")
    imported(JsonLines(path), tmp_path / "store")
    return list(Store.open(tmp_path / "store").log(DESCRIBED.project).commits())


def test_a_table_has_a_row_for_each_commit_and_a_column_for_each_value(commits, tmp_path):
    path = tmp_path / "deep" / "runs.parquet"
    assert write_parquet(commits, path) == 3
    table = pl.read_parquet(path)
    assert table["run_id"].to_list() == ["jsonl-a", "jsonl-b", "jsonl-c"]
    assert table["seq"].to_list() == [1, 2, 3]
    assert table["digest"].to_list() == [commit.digest for commit in commits]
    assert table["params.lr"].to_list() == [0.1, 1e-300, 3.0]
    assert table["params.n"].to_list() == [1, 2, None]
    assert table["params.on"].to_list() == [True, False, None]
    assert table["params.mixed"].to_list() == ["1", "x", None]
    assert table["params.list"].to_list() == ["[1, 2]", None, None]
    assert table["params.o.deep"].to_list() == [None, 2, None]
    assert table["metrics.ap"].to_list() == [1.0, 0.1, None]
    assert table["metrics.t"].to_list() == ["é,", None, None]
    assert [table.schema[name] for name in ("params.n", "params.lr", "params.on")] == [
        pl.Int64(),
        pl.Float64(),
        pl.Boolean(),
    ]


def test_columns_stand_in_the_same_order_whatever_the_order_of_commits(commits, tmp_path):
    write_parquet(commits, tmp_path / "one.parquet")
    write_parquet(reversed(commits), tmp_path / "two.parquet")
    assert pl.read_parquet(tmp_path / "one.parquet").columns == pl.read_parquet(tmp_path / "two.parquet").columns


def test_csv_holds_the_same_to_the_last_digit(commits, tmp_path):
    assert write_csv(commits, tmp_path / "runs.csv") == 3
    write_parquet(commits, tmp_path / "runs.parquet")
    table, typed = pl.read_csv(tmp_path / "runs.csv"), pl.read_parquet(tmp_path / "runs.parquet")
    assert table.columns == typed.columns
    for name in ("params.lr", "metrics.ap", "metrics.t", "seq", "digest", "timestamp"):
        assert table[name].to_list() == typed[name].to_list()


def test_a_table_of_no_commit_has_its_first_columns(tmp_path):
    assert write_parquet([], tmp_path / "none.parquet") == 0
    table = pl.read_parquet(tmp_path / "none.parquet")
    assert table.height == 0
    assert table.columns[:5] == ["project", "seq", "run_id", "stage", "attempt"]
    assert table.schema["seq"] == pl.Int64


def test_a_table_that_is_written_again_replaces_the_first(commits, tmp_path):
    write_parquet(commits, tmp_path / "runs.parquet")
    write_parquet(commits[:1], tmp_path / "runs.parquet")
    assert pl.read_parquet(tmp_path / "runs.parquet").height == 1
    assert sorted(path.name for path in tmp_path.glob("runs.parquet*")) == ["runs.parquet"]
