"""`seedbed runs steps`."""

import json
import math
import threading
from pathlib import Path

import polars as pl
import pytest
from cli_world import PROJECT, finished

from seedbed.contracts import Stage
from seedbed.records import Store
from seedbed.render.text._sparkline import sparkline

STORE = Path(".seedbed")


@pytest.fixture
def logged(cli):
    """A run that is still running, of which three steps were logged."""
    run = Store.open(STORE, create=True).start(PROJECT, "r1", Stage.TRAINING)
    for step, loss in enumerate((0.5, math.nan, 0.25)):
        run.log(step, {"loss": loss, "lr": 1})
    run.beat()
    assert run._events is not None
    run._events.commit()
    return run


def test_each_metric_has_its_curve(cli, logged):
    answer = cli("runs", "steps", "r1")
    assert answer.code == 0
    title, loss, rate = answer.out.splitlines()
    assert title.split() == ["metric", "values", "first", "least", "most", "last", "curve"]
    assert loss.split() == ["loss", "3", "0.5", "0.25", "0.5", "0.25", "█x▁"]
    assert rate.split() == ["lr", "3", "1", "1", "1", "1", "▁▁▁"]


def test_a_summary_in_json_says_how_many_values_were_no_numbers(cli, logged):
    found = cli("runs", "steps", "r1", "--metric", "loss", "--json").json
    facts = {"values": 3, "not_finite": 1, "first": 0.5, "last": 0.25, "least": 0.25, "most": 0.5}
    assert found == {"run_id": "r1", "metrics": {"loss": facts}}


def test_values_that_are_no_numbers_are_named_in_json(cli):
    run = Store.open(STORE, create=True).start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"a": math.inf, "b": -math.inf, "c": math.nan})
    run.failed("diverged")
    found = cli("runs", "steps", "r1", "--json").json["metrics"]
    assert [facts["first"] for facts in found.values()] == ["Infinity", "-Infinity", "NaN"]
    assert found["a"]["least"] is None
    assert "Infinity" in cli("runs", "steps", "r1").out


def test_a_run_without_steps_says_so(cli):
    finished(STORE, "r1")
    run = Store.open(STORE).start(PROJECT, "r2", Stage.TRAINING)
    run.failed("at once")
    assert cli("runs", "steps", "r2").out == "r2 logged no metric at any step\n"


def test_what_a_damaged_log_may_have_had_is_not_denied(cli):
    commit = finished(STORE, "r1").snapshot
    log = STORE / f"runs/{PROJECT}/r1/{commit.stage}/events.log"
    log.write_bytes(log.read_bytes()[:50])  # less than its first record
    answer = cli("runs", "steps", "r1")
    assert (answer.code, answer.out) == (1, "nothing that r1 logged at its steps can be read\n")
    assert answer.err.startswith("damage: none of its step metrics can be read: ")
    for metric in ("loss", "los"):
        refused = cli("runs", "steps", "r1", "--metric", metric)
        assert (refused.code, refused.out) == (1, "")
        told = " ".join(refused.err.split())
        assert f"run r1 may have logged '{metric}', but none of its step metrics can be read: " in told
        assert "there are none" not in told


@pytest.mark.parametrize("more", [(), ("--out", "steps.csv"), ("--json",)])
def test_a_metric_that_the_run_did_not_log_is_refused_with_the_nearest(cli, logged, more):
    refused = cli("runs", "steps", "r1", "--metric", "loss", "--metric", "los", *more)
    assert (refused.code, refused.out) == (2, "")
    assert "run r1, at any step, has no number 'los'; did you mean metrics.loss? there are" in refused.err
    assert not Path("steps.csv").exists()
    assert list(cli("runs", "steps", "r1", "--metric", "metrics.loss", "--json").json["metrics"]) == ["loss"]


@pytest.mark.parametrize(("name", "read"), [("s.parquet", pl.read_parquet), ("s.csv", pl.read_csv)])
def test_every_value_is_written_as_a_row(cli, logged, name, read):
    assert cli("runs", "steps", "r1", "--to", name).out == f"6 values written to {name}\n"
    table = read(name)
    assert table.columns == ["step", "attempt", "metric", "value"]
    losses = table.filter(pl.col("metric") == "loss")["value"].to_list()
    assert losses == pytest.approx([0.5, math.nan, 0.25], nan_ok=True)
    assert table["step"].to_list() == [0, 0, 1, 1, 2, 2]


def test_a_file_of_an_unknown_form_is_refused(cli, logged):
    answer = cli("runs", "steps", "r1", "--to", "steps.xlsx")
    assert answer.code == 2
    assert "expected a name that ends in .parquet or .csv" in answer.err
    assert not Path("steps.xlsx").exists()


def test_a_file_is_of_what_is_there_now(cli, logged):
    assert cli("runs", "steps", "r1", "--follow", "--to", "s.csv").code == 2


@pytest.mark.slow
def test_what_comes_is_followed_until_the_run_ends(cli, logged):
    def go_on():
        for step in (3, 4):
            logged.log(step, {"loss": step / 8})
        logged.interrupted("enough")

    writer = threading.Timer(0.1, go_on)
    writer.start()
    answer = cli("runs", "steps", "r1", "--follow", "--metric", "loss")
    writer.join()
    assert answer.out.splitlines() == [
        "step 0  loss 0.5",
        "step 1  loss NaN",
        "step 2  loss 0.25",
        "step 3  loss 0.375",
        "step 4  loss 0.5",
    ]


def test_followed_steps_are_one_json_object_a_line(cli, logged):
    logged.interrupted("enough")
    lines = [json.loads(line) for line in cli("runs", "steps", "r1", "-f", "--json").out.splitlines()]
    assert lines[1] == {"step": 1, "attempt": 1, "values": {"loss": "NaN", "lr": 1}}


def test_a_long_series_fits_its_width():
    assert sparkline([float(number) for number in range(800)], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([], 8) == ""
