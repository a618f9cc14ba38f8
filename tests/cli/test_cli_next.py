"""What a command says after its answer: only what makes sense for this run, and what its gate did not ask."""

import shlex
from pathlib import Path

import pytest
from cli_world import finished, small_job

from seedbed.cli.training._job import _next
from seedbed.cli.training._request import Request
from seedbed.cli.training._resumed import repeating
from seedbed.stages import TrainConfig

STORE = Path(".seedbed")
NO_CHANGES = {
    **dict.fromkeys(("requested", "effective", "clamped", "blocked", "no_op", "failed", "unknown", "superseded"), 0),
    "changes": [],
}
REQUEST = Request(("demo",), None, None, None, None, None, None, None, None, str(STORE), False)


def proposed(commit) -> str:
    return _next(REQUEST, str(STORE), commit, Path("report.html")).plain


def test_a_first_run_without_changes_is_not_sent_to_commands_that_have_nothing_to_say(cli):
    text = proposed(finished(STORE, "alone", documents={"changes": NO_CHANGES}))
    assert "runs verify alone" in text
    assert "runs diff" not in text
    assert "changes show" not in text


def test_a_run_with_a_predecessor_and_a_change_is_sent_to_both(cli):
    finished(STORE, "before")
    text = proposed(finished(STORE, "after", seed=1))
    assert "runs diff after" in text
    assert "changes show after" in text


def offered(answer) -> list[str]:
    """The words of the command that `train` offers for another seed, without `seedbed`; empty if it offers none."""
    line = answer.out.partition("how much is chance\n")[2].strip().splitlines()[0].strip()
    return shlex.split(line)[1:] if line.startswith("seedbed ") else []


@pytest.mark.slow
def test_the_command_for_another_seed_states_what_a_resumed_run_began_with_and_runs_as_it_is_printed(cli, tmp_path):
    job = small_job(tmp_path)
    options = ("--epochs", "2", "--threads", "1", "--events", "500", "--seed", "4")
    cli(*job, *options, "--inject", "math-attention")
    resumed = cli(*job, "--resume", "latest")
    assert resumed.code == 0, resumed.err
    replicate = cli(*offered(resumed))
    assert replicate.code == 0, replicate.err
    first, second = (cli("runs", "show", str(n), "--json").json["snapshot"]["config"] for n in (1, 2))
    assert second["training"].pop("seed") == first["training"].pop("seed") + 1 == 5
    assert second == first
    cli(*job, *options, "--inject", "math-attention")
    without = cli(*job[:2], "--no-open", "--resume", "latest")
    assert offered(without) == []
    assert "the command that the run began with, and --seed 5" in without.out


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        ({}, ""),
        ({"training": {"epochs": 5, "seed": 3}}, " --epochs 5 --seed 3"),
        (
            {"data": {"limit": 70}, "runtime": {"threads": 1, "mode": "compat"}},
            " --mode COMPAT --events 70 --threads 1",
        ),
        ({"runtime": {"threads": 2, "cdc": "off"}}, None),
        ({"data": {"columns": {"src": "who"}}}, None),
        ({"gate": ["changes.failed == 0"]}, None),
        ({"project": "other"}, None),
    ],
)
def test_settings_are_stated_by_options_or_the_command_is_not_offered(ran, words, monkeypatch):
    monkeypatch.delenv("SEEDBED_RUNTIME_THREADS", raising=False)
    repeated = repeating(REQUEST, TrainConfig(), TrainConfig.model_validate(ran))
    assert (repeated and repeated.again()) == (None if words is None else f"seedbed demo{words}")


def test_the_command_that_reads_sessions_has_the_configuration_of_the_one_that_wrote_them(cli, tmp_path):
    (tmp_path / "my events.csv").write_text("who,dst,t\n" + "".join(f"{i % 3},{i % 4},{i}\n" for i in range(30)))
    (tmp_path / "a job.yaml").write_text("data: {columns: {src: who}, time_unit: other}")
    answer = cli("shard", "my events.csv", "--out", "in parts", "--by", "10", "--config", "a job.yaml")
    assert answer.err.splitlines()[-1] == "  seedbed train 'in parts' --config 'a job.yaml'"


def test_why_names_the_run_that_has_no_predecessor(cli):
    finished(STORE, "alone")
    answer = cli("runs", "why", "latest")
    assert answer.code == 2
    assert "run alone has no predecessor" in answer.err


@pytest.mark.parametrize(
    ("ap", "verdict", "is_told"), [(0.82, "PASS", True), (0.9, "PASS", False), (0.7, "FAIL", False)]
)
def test_a_gate_that_passes_a_model_below_the_strongest_baseline_says_so(cli, ap, verdict, is_told):
    """The best baseline has 0.85, and the gate asks for 0.8 only."""
    finished(STORE, "judged", ap=ap)
    shown = " ".join(cli("gate", "judged").out.split())
    assert f"gate: {verdict}" in shown
    told = "the gate passes, but the model is below the strongest baseline: AP, random negatives"
    assert (told in shown) == is_told
