"""What the commands say of runs whose data nobody told, and of causes in plain words."""

from pathlib import Path

from cli_world import finished

from seedbed.records import UNKNOWN, digest

STORE = Path(".seedbed")
NOBODY = "nobody said which data either run used"


def silent(name, **fields):
    told = {each: digest(each) for each in ("split", "target", "feature")}
    return finished(STORE, name, fingerprints={**told, "data": UNKNOWN}, **fields)


def test_every_command_that_compares_two_such_runs_says_what_it_rests_on(cli):
    silent("run-a", seed=0)
    silent("run-b", seed=1, ap=0.8)
    for asked in (["diff", "run-b"], ["diff", "run-b", "run-a"], ["why", "run-b", "run-a"]):
        told = " ".join(cli("runs", *asked).out.split())
        assert f"{NOBODY}: this rests on it being the same" in told
    told = cli("runs", "why", "run-b").out
    assert (
        "REPLICATE allows it: the seed and what follows from it may differ; that both had the same "
        "/fingerprints/data is assumed, nobody said it"
    ) in told
    assert "may differ: /fingerprints/data UNKNOWN -> UNKNOWN" in cli("runs", "diff", "run-b").out


def test_where_nothing_else_differs_exactness_fails_by_the_data_alone(cli):
    silent("run-a")
    silent("run-b")
    told = cli("runs", "diff", "run-b").out
    assert f"EXACT does not allow it: {NOBODY}, so whether it differs is not known" in told
    assert "severity NONE: nothing that is told differs" in told


def test_exit_codes_follow_the_policy_that_is_asked_for(cli):
    silent("run-a")
    silent("run-b")
    assert cli("runs", "diff", "run-b", "--policy", "exact").code == 1
    assert cli("runs", "diff", "run-b", "--policy", "replicate").code == 0
    assert cli("runs", "diff", "run-b", "--factor", "data").code == 0


def test_known_data_are_not_comparable_with_unknown_ones_and_it_is_said_who_is_silent(cli):
    silent("run-a")
    finished(STORE, "run-b")
    refused = cli("runs", "diff", "run-b", "run-a", "--policy", "replicate")
    assert refused.code == 1
    assert "nobody said which data the earlier run used" in refused.out


def test_of_many_causes_the_first_are_named_in_words(cli):
    finished(STORE, "run-a", config={f"setting{number}": 0 for number in range(9)})
    finished(STORE, "run-b", config={f"setting{number}": 1 for number in range(9)}, ap=0.5)
    told = cli("runs", "why", "run-b").out
    head = "what differs, the likeliest to matter first:"
    assert f"{head} config/setting0 differs: 0 / 1; config/setting1 differs: 0 / 1; " in told
    assert " and 3 more\n" in told
