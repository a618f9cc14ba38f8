"""`seedbed runs promote`, `demote` and `baselines`."""

import shutil
from pathlib import Path

import pytest
from cli_world import finished

STORE = Path(".seedbed")


@pytest.fixture
def three(cli):
    for number, ap in enumerate((0.7, 0.9, 0.8)):
        finished(STORE, f"run-{number}", ap=ap, seed=number)
    return cli


def test_a_run_is_promoted_by_hand_listed_and_demoted(three):
    assert "no baseline" in three("runs", "baselines").out
    promoted = three("runs", "promote", "run-0", "--reason", "the release").out
    assert "PROMOTED" in promoted
    assert "the release" in promoted
    made = finished(STORE, "later", ap=0.95, seed=9)
    assert made.snapshot.diff_baseline.prev_run_id == "run-0"
    assert [item["run_id"] for item in three("runs", "baselines", "--json").json["baselines"]] == ["run-0"]
    assert "DEMOTED" in three("runs", "demote", "later").out
    assert "no baseline" in three("runs", "demote", "later").out
    assert len(three("runs", "baselines", "--history", "--json").json["baselines"]) == 2


def test_the_best_of_a_group_is_promoted(three):
    finished(STORE, "elsewhere", ap=0.2, data="other")
    found = three("runs", "promote", "--best", "metrics.test.random.ap", "--json").json["baselines"]
    assert [item["run_id"] for item in found] == ["run-1", "elsewhere"]
    assert found[0]["reason"] == "the best by metrics.test.random.ap higher"
    worst = three("runs", "promote", "--best", "metrics.test.random.ap", "--better", "lower", "--json").json[
        "baselines"
    ]
    assert worst[0]["run_id"] == "run-0"
    assert "has no number 'metrics.nothing'" in three("runs", "promote", "--best", "metrics.nothing").err


def test_a_rule_promotes_what_finishes_better_until_it_is_ended(three):
    three("runs", "promote", "--rule", "metrics.test.random.ap", "--project", "flights")
    finished(STORE, "better", ap=0.95, seed=5)
    shown = three("runs", "baselines").out
    assert "better" in shown
    assert "promoted by rule: metrics.test.random.ap higher" in shown
    assert three("runs", "promote", "--rule", "").out.count("RULE") == 1
    assert "promoted by rule" not in three("runs", "baselines").out
    assert "None" not in three("runs", "baselines", "--history").out.splitlines()[1]


def test_the_best_loss_is_the_lowest_and_a_name_that_says_nothing_needs_a_side(cli):
    for number, loss in enumerate((0.5, 0.2, 0.9)):
        finished(STORE, f"run-{number}", metrics={"test": {"loss": loss, "gap": loss}}, seed=number)
    best = cli("runs", "promote", "--best", "test.loss", "--json").json["baselines"]
    assert [(item["run_id"], item["reason"]) for item in best] == [("run-1", "the best by metrics.test.loss lower")]
    for words in (["--best", "test.gap"], ["--rule", "test.gap"]):
        refused = cli("runs", "promote", *words)
        assert (refused.code, "--better" in refused.err) == (2, True)
        assert cli("runs", "baselines", "--history", "--json").json["baselines"] == best
    cli("runs", "promote", "--rule", "test.loss")
    finished(STORE, "worse", metrics={"test": {"loss": 0.3}}, seed=7)
    finished(STORE, "better", metrics={"test": {"loss": 0.1}}, seed=8)
    assert [item["run_id"] for item in cli("runs", "baselines", "--json").json["baselines"]] == ["better"]
    worst = cli("runs", "promote", "--best", "test.gap", "--better", "higher", "--json").json["baselines"]
    assert [item["run_id"] for item in worst] == ["run-2"]


def test_a_baseline_whose_commit_is_lost_is_marked_also_once_the_loss_is_accepted(three):
    three("runs", "promote", "run-1")
    three("runs", "promote", "run-0")
    assert (three("runs", "baselines").code, "lost" in three("runs", "baselines").out) == (0, False)
    (STORE / "log/flights/00000000000000000001.json").unlink()
    shutil.rmtree(STORE / "runs/flights/run-0")
    three("runs", "quarantine", "log/flights/00000000000000000001.json")
    answer = three("runs", "baselines")
    assert (answer.code, "1, lost" in answer.out) == (1, True)
    assert "a baseline whose commit is lost: run-0; `seedbed runs fsck`" in answer.err
    told = three("runs", "baselines", "--history", "--json")
    assert told.code == 1
    assert [(item["run_id"], item["is_lost"]) for item in told.json["baselines"]] == [("run-1", False), ("run-0", True)]
    three("runs", "promote", "run-2")
    assert three("runs", "baselines").code == 0


def test_exactly_one_way_of_promoting_is_asked_for(three):
    for words in ([], ["run-0", "--best", "metrics.test.random.ap"]):
        refused = three("runs", "promote", *words)
        assert refused.code == 2
        assert "one of the three" in refused.err
