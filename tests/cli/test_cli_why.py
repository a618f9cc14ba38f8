"""`seedbed runs why`."""

from pathlib import Path

from cli_world import PROJECT, finished

from seedbed.records import Store

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


def test_a_metric_that_became_nan_is_said_before_any_that_moved(cli):
    finished(STORE, "run-a", metrics={"loss": 0.5, "acc": 0.5})
    finished(STORE, "run-b", metrics={"loss": float("nan"), "acc": 0.7})
    assert "run-b since run-a: the metric /loss is NaN; /acc moved by +0.2" in cli("runs", "why", "run-b").out
    asked = cli("runs", "why", "run-b", "--metric", "acc").out
    assert "run-b since run-a: /acc moved by +0.2" in asked


def test_a_part_of_an_interval_is_told_from_what_is_no_number(cli):
    finished(STORE, "run-a")
    finished(STORE, "run-b", ap=0.8)
    refused = cli("runs", "why", "run-b", "--metric", "test.random.ap.low")
    assert refused.code == 2
    assert "is a part of an interval" in refused.err
    assert "give --metric test.random.ap\n" in refused.err


def test_what_moved_of_the_model_comes_before_what_moved_of_baselines(cli):
    for run, add in (("run-a", 0), ("run-b", 1)):
        of_baseline = {"ap": 0.5 + add, "hits": [add]}
        metrics = {"test": {"ap": 0.7 + add, "hits": [add]}, "baselines": {"random": of_baseline}, "zeta": add}
        finished(STORE, run, metrics=metrics)
    shown = cli("runs", "diff", "run-b").out
    rows = [line.split()[0] for line in shown.partition("not compared")[0].splitlines() if line.startswith("/")]
    assert rows == ["/test/ap", "/zeta", "/baselines/random/ap"]
    assert "not compared, since no single number in both runs: /test/hits, /baselines/random/hits\n" in shown


def test_of_many_differences_all_are_counted_and_none_is_lost(cli):
    for run, add in (("run-a", 0), ("run-b", 1)):
        metrics = {f"m{number:03}": number + add for number in range(120)} | {"z": 0.5 if add == 0 else float("nan")}
        finished(STORE, run, metrics=metrics)
    shown = cli("runs", "diff", "run-b").out.replace("\n", " ")
    assert "121 keys differ: " in shown
    assert "and 101 more (--json lists all)" in shown
    assert "not compared, since no single number in both runs: /z" in shown
    assert cli("runs", "diff", "run-b", "--json").json["changed_keys"][-1] == "/metrics/z"
    store = Store.open(STORE)
    details = store.log(PROJECT).read(2).snapshot.diff_prev.details or ""
    (STORE / store.blobs.key(details)).unlink()
    cut = cli("runs", "diff", "run-b")
    assert "121 keys differ: " in cut.out
    assert f"only the first 50 keys are shown: there is no blob {details}" in cut.err


def test_a_text_beside_a_number_stands_in_quotes(cli):
    finished(STORE, "run-a", config={"lr": 0.1, "kind": "a"})
    finished(STORE, "run-b", config={"lr": "0.1", "kind": "b"})
    shown = cli("runs", "diff", "run-b", "--factor", "lr", "--factor", "config/kind").out
    assert 'may differ: /config/lr 0.1 -> "0.1"' in shown
    assert "may differ: /config/kind a -> b" in shown
    finished(STORE, "run-c", config={"lr": 1, "kind": "b"})
    assert "config/lr differs: '0.1' / 1" in cli("runs", "diff", "run-c", "run-b").out
    assert (
        "--factor LR: no input of that name differs; did you mean lr?"
        in cli("runs", "diff", "run-b", "--factor", "LR").out
    )


def test_where_only_the_later_run_has_replicates_the_other_order_is_named_and_judges(cli):
    slow = {"training": {"learning_rate": 1e-4}}
    for seed in range(5):
        finished(STORE, f"slow-{seed}", seed=seed, ap=0.8 + seed / 1000, config=slow)
    finished(STORE, "fast")
    told = "slow-4 has enough replicates, and fast has too few: seedbed runs diff fast slow-4"
    for answer in (cli("runs", "diff", "slow-4", "fast"), cli("runs", "why", "slow-4", "fast")):
        assert told in answer.out
    other = cli("runs", "diff", "fast", "slow-4").out
    assert "exceeds noise of 5 replicates" in other
    assert "has enough replicates" not in other
    assert "has enough replicates" not in cli("runs", "diff", "slow-4", "slow-3").out


def test_a_text_that_reads_like_null_and_a_value_that_is_not_there_are_told_apart(cli):
    before = {"training": {"a": None, "b": "null", "c": 1, "d": "x"}}
    finished(STORE, "run-a", config=before)
    finished(STORE, "run-b", config={"training": {"a": "null", "b": None, "d": "y", "e": None}})
    expected = {"a": ("null", '"null"'), "b": ('"null"', "null"), "c": ("1", "absent"), "d": ("x", "y")}
    expected["e"] = ("absent", "null")
    cells = [line.split() for line in cli("runs", "why", "run-b").out.splitlines() if line.startswith("/config")]
    assert {name.rpartition("/")[2]: (one, other) for name, one, other, *_ in cells} == expected
    shown, difference = cli("runs", "show", "run-b").out, cli("runs", "diff", "run-b").out
    for name, (one, other) in expected.items():
        assert f"may differ: /config/training/{name} {one} -> {other}\n" in difference
        assert f"/config/training/{name}: {one} -> {other}" in shown
    causes = {each["name"]: each["op"] for each in cli("runs", "why", "run-b", "--json").json["causes"]}
    assert (causes["/config/training/c"], causes["/config/training/e"]) == ("remove", "add")
