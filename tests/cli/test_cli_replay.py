"""`seedbed changes replay`: the same result again, and what is printed when it differs."""

import re
import signal
from pathlib import Path

import pytest
import torch
from cli_world import SMALL_CONFIG, finished, signalled, small_job

from seedbed.errors import Conflict, NotFound


@pytest.fixture(autouse=True)
def _threads_as_before():
    """A job sets torch's threads for its whole process; the next test's job may not depend on it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trained(cli, tmp_path):
    """Train with some options; returns the run's name, and the command that replays it."""

    def run(*options):
        job = small_job(tmp_path)
        (tmp_path / "small.yaml").write_text(SMALL_CONFIG.replace("cdc: off", "cdc: off, threads: 1"))
        cli(*job, "--epochs", "2", *options)
        run_id = cli("runs", "list", "--json").json["runs"][0]["run_id"]
        return run_id, ["changes", "replay", run_id, job[1]]

    return run


@pytest.mark.slow
def test_a_replay_is_the_same_and_ends_with_0_and_json_is_alone_on_stdout(cli, trained):
    run_id, words = trained()
    answer = cli(*words, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["same"], answer.json["replay_of"], answer.json["difference"]) == (True, run_id, None)
    assert answer.json["replayed"]
    assert next(iter(answer.json.items())) == ("schema_version", 2)
    assert "train 18/18" in answer.err
    assert answer.json["warnings"] == re.findall("^warning: (.+)$", answer.err, re.MULTILINE) != []
    shown = cli("changes", "show", answer.json["run_id"]).out
    assert f"replay of {run_id}, stall rule proposed optimizer.lr" in shown
    replica = cli("runs", "diff", answer.json["run_id"], run_id, "--policy", "exact")
    assert (replica.code, "every input is the same" in replica.out) == (0, True)
    again = cli("changes", "replay", answer.json["run_id"], words[3])
    assert again.code == 0
    assert "the same: every loss, every validation, the metrics and the predictions" in again.out


@pytest.mark.slow
def test_a_run_whose_changes_were_undone_differs_and_ends_with_1(cli, trained):
    _, words = trained("--inject", "lr-overwrite")
    answer = cli(*words)
    assert answer.code == 1
    assert "not replayed: change 1 of step 6 is FAILED" in answer.out
    assert "it differs first at step " in answer.out
    assert ": loss 0." in answer.out


@pytest.mark.slow
def test_other_events_and_unknown_runs_are_refused(cli, trained, tmp_path):
    _, words = trained()
    (tmp_path / "events.csv").write_text("".join((tmp_path / "events.csv").read_text().splitlines(keepends=True)[:500]))
    refused = cli(*words)
    assert refused.code == Conflict.exit_code
    assert "not be a replay: the run began with events of digest" in refused.err
    assert cli("changes", "replay", "nobody").code == NotFound.exit_code


def test_a_run_of_somebodys_own_loop_cannot_be_replayed(cli):
    finished(Path(".seedbed"), "mine")
    refused = cli("changes", "replay", "mine")
    assert refused.code == NotFound.exit_code
    assert "only runs of `seedbed train` and `seedbed demo` can be replayed" in refused.err.replace("\n", " ").lower()
    assert "no longer" not in refused.err


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(cli, trained):
    _, words = trained()
    with signalled(signal.SIGINT, 7):
        answer = cli(*words, "--json")
    stopped = answer.json
    assert (answer.code, stopped["status"], stopped["reason"]) == (130, "INTERRUPTED", "Ctrl-C")
    assert stopped["resume"] == f"seedbed {' '.join(words)} --resume {stopped['run_id']}"
    resumed = cli(*words, "--resume", stopped["run_id"], "--json")
    assert (resumed.code, resumed.json["run_id"], resumed.json["same"]) == (0, stopped["run_id"], True)
