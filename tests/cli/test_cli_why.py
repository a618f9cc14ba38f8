"""`seedbed runs why`."""

from pathlib import Path

from cli_world import finished

STORE = Path(".seedbed")


def test_two_runs_are_explained_the_likeliest_first(cli):
    finished(STORE, "run-a", ap=0.9)
    finished(STORE, "run-b", ap=0.7, factors={"seed": 0, "threads": 4}, config={"training": {"seed": 0, "rate": 0.5}})
    lines = cli("runs", "why", "run-b", "--metric", "metrics.test.random.ap.value").out.splitlines()
    assert lines[0].startswith("run-b since run-a: /test/random/ap/value moved by -0.2")
    assert "unknown whether by chance" in lines[0]
    named = [line.split()[0] for line in lines if line.startswith("/")]
    assert named[-1] == "/factors/threads"
    assert "/config/training/rate" in named[:-1]
    found = cli("runs", "why", "run-b", "run-a", "--metric", "metrics.test.random.auc.value", "--json").json
    assert (found["metric"], found["other"]) == ("/test/random/auc/value", "run-a")
    assert found["causes"][0]["name"].startswith("/config/")
    assert found["delta"]["noise"].startswith("not enough replicates")


def test_what_forbids_comparing_is_said_first(cli):
    finished(STORE, "run-a")
    finished(STORE, "run-b", data="other")
    shown = cli("runs", "why", "run-b", "run-a").out
    assert "not comparable: data fingerprint differs" in shown


def test_for_each_policy_it_is_said_whether_it_allows_the_comparison(cli):
    finished(STORE, "run-a", seed=0)
    finished(STORE, "run-b", seed=1)
    finished(STORE, "run-c", seed=0, data="other")

    def policies(*arguments):
        lines = cli("runs", "why", *arguments).out.splitlines()
        return [line.strip() for line in lines if "allow it" in line or "allows it" in line]

    exact, replicate, ablation = policies("run-b", "run-a")
    assert exact.startswith("EXACT does not allow it: config/")
    assert replicate == "REPLICATE allows it: the seed and what follows from it may differ"
    assert ablation.startswith("ABLATION allows it: /config/")
    refused = policies("run-c", "run-a")
    assert [line.partition(":")[0] for line in refused] == ["EXACT does not allow it", "REPLICATE does not allow it"]
    assert all("data fingerprint differs" in line for line in refused)
    found = cli("runs", "why", "run-b", "run-a", "--json").json["policies"]
    assert {each["policy"]: each["comparable"] for each in found} == {
        "EXACT": False,
        "REPLICATE": True,
        "ABLATION": True,
    }


def test_a_first_run_has_nothing_to_be_explained_by(cli):
    finished(STORE, "run-a")
    refused = cli("runs", "why", "run-a")
    assert refused.code == 2
    assert "name the run to compare it with" in refused.err
    finished(STORE, "run-b", seed=0)
    assert "no recorded setting, fingerprint, change or kernel differs" in cli("runs", "why", "run-b").out
