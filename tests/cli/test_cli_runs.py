"""`seedbed runs`, `changes`, `gate` and `report` over runs that are already recorded."""

import io
import json
import shutil
from pathlib import Path

import pytest
from cli_world import FLASH, PROJECT, finished, interrupted
from rich.console import Console

from seedbed.contracts import CheckKind, CheckReport, GateReport, Stage, Verdict
from seedbed.records import NOT_APPLICABLE, Store, not_applicable
from seedbed.render.text._gate_text import gate_text

STORE = Path(".seedbed")
DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def two(cli):
    """A run, a replicate of it that did worse, and one that was stopped."""
    finished(STORE, "run-a", ap=0.9)
    finished(STORE, "run-b", ap=0.7, seed=1)
    interrupted(STORE, "run-c")
    return cli


def test_the_list_holds_every_run_with_its_place_status_and_ap(two):
    lines = two("runs", "list").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["run-a", "run-b", "run-c"]
    assert "0.900" in lines[1]
    assert "INTERRUPTED" in lines[3]


def test_the_list_as_json_keeps_what_has_no_commit_apart(two):
    runs = two("runs", "list", "--json").json["runs"]
    assert [(run["run_id"], run["snapshot_seq"]) for run in runs] == [("run-a", 1), ("run-b", 2), ("run-c", None)]


def test_a_run_is_shown_beside_the_predictors_that_learn_nothing(two):
    shown = two("runs", "show", "run-a").out
    assert "[0.890, 0.910]" in shown
    assert "AP: above the strongest baseline (*)" in shown
    assert "pair counter" in shown
    assert f"{FLASH} x 4" in shown
    assert "EFFECTIVE" in shown
    worse = two("runs", "show", "run-b").out
    assert worse.count("below the strongest baseline (*), most recent destination 0.850: the model is worse") == 6


def test_what_happened_in_a_run_is_shown_as_the_input_that_it_is(two):
    shown = two("runs", "show", "run-a").out
    assert "optimizer.lr  from step 41: 0.0005, changed by a proposal: an input of this run" in shown
    assert "STRICT, kept: SDPA, FLASH seen" in shown
    assert "never resumed" in shown


def test_a_shown_run_as_json_is_its_snapshot(two):
    shown = two("runs", "show", "run-a", "--json").json
    assert shown["snapshot"]["metrics"]["test"]["random"]["ap"]["value"] == 0.9
    assert two("runs", "show", "run-c", "--json").json["status"] == "INTERRUPTED"


def test_what_a_record_does_not_hold_is_said_to_be_missing(cli):
    finished(STORE, "bare", documents={}, timing={}, metrics={"test": {"random": {"ap": 0.5}}})
    shown = cli("runs", "show", "bare").out
    assert "test.random.ap    0.5" in shown
    assert "missing" not in shown
    assert "not in the record" in shown


def test_metrics_of_another_kind_are_shown_by_their_names(cli):
    finished(STORE, "other", metrics={"score": {"mean": 0.25}})
    assert "score.mean" in cli("runs", "show", "other").out


def test_latest_is_the_newest_run(two):
    assert "run-c" in two("runs", "show", "latest").out


def test_a_diff_names_the_factor_and_the_metrics_that_moved(two):
    shown = two("runs", "diff", "run-b").out
    assert "run-b since run-a" in shown
    assert "seed" in shown
    assert "-0.2" in shown
    assert "not enough replicates" in shown


def test_named_runs_are_compared_with_the_replicates_of_the_earlier_one(cli):
    for seed, ap in enumerate((0.900, 0.902, 0.901, 0.899)):
        finished(STORE, f"old-{seed}", ap=ap, seed=seed)
    finished(STORE, "new", ap=0.95, config={"training": {"seed": 0, "learning_rate": 1e-4}})
    found = cli("runs", "diff", "new", "old-1", "--json").json["metric_deltas"]["/test/random/ap/value"]
    assert found["noise"] == "exceeds noise of 4 replicates"
    assert "exceeds noise of 4 replicates, z = +" in cli("runs", "diff", "new", "old-1").out


def test_runs_of_two_projects_may_be_compared_with_each_other(cli):
    finished(STORE, "here", ap=0.8)
    run = Store.open(STORE).start("elsewhere", "there", Stage.TRAINING)
    metadata = not_applicable(Stage.TRAINING) | {"cohort_id": "c", "target": "t", "model_family": "m"}
    fingerprints = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
    run.finish(run.draft(metadata, {"test": {"random": {"ap": {"value": 0.5}}}}, fingerprints))
    found = cli("runs", "diff", "here", "there", "--json").json
    assert found["metric_deltas"]["/test/random/ap/value"]["previous"] == 0.5
    assert found["comparable"] is False


def test_a_first_run_has_no_predecessor(two):
    assert "no predecessor" in two("runs", "diff", "run-a").out


def noises(shown):
    return [line.strip() for line in shown.out.splitlines() if line.strip().startswith("noise:")]


def test_a_verdict_on_noise_says_of_which_runs_it_is(cli):
    for seed, ap in enumerate((0.900, 0.902, 0.901, 0.899, 0.9005)):
        finished(STORE, f"run-{seed}", ap=ap, seed=seed)
    recorded, now = "noise: as recorded at its commit, of the runs before it", "noise: with the runs there are now"
    assert noises(cli("runs", "diff", "run-1")) == [recorded]
    assert "not enough replicates: 1 of 4" in cli("runs", "diff", "run-1").out
    for words in (("diff", "run-1", "run-0"), ("diff", "run-1", "--policy", "replicate"), ("why", "run-1")):
        assert noises(cli("runs", *words)) == [now]
    assert "of 4 replicates" in cli("runs", "diff", "run-1", "run-0").out
    found = [cli("runs", "diff", *words, "--json").json["noise_of"] for words in (["run-1"], ["run-1", "run-0"])]
    assert found == ["COMMIT", "NOW"]
    assert noises(cli("runs", "diff", "run-0")) == []


def test_where_the_newest_of_the_group_is_no_replicate_a_replicate_is_named(cli):
    other = {"training": {"seed": 0, "learning_rate": 1e-4}}
    finished(STORE, "plain-0", seed=0)
    finished(STORE, "plain-1", seed=1)
    finished(STORE, "other-0", seed=0, config=other)
    finished(STORE, "plain-2", seed=2)
    told = "run plain-1 is a replicate of it: seedbed runs diff plain-2 plain-1"
    shown = cli("runs", "diff", "plain-2").out
    assert "plain-2 since other-0: no replicate" in shown
    assert told in shown
    assert "policy: REPLICATE" in cli("runs", "diff", "plain-2", "plain-1").out
    for words in (("plain-2", "other-0"), ("plain-1",), ("other-0",), ("plain-2", "--policy", "exact")):
        assert "is a replicate of it" not in cli("runs", "diff", *words).out


def test_the_policy_that_a_summary_names_is_one_that_allows_it(cli):
    finished(STORE, "first", config={"training": {"seed": 0, "rate": 0.1}})
    finished(STORE, "second", config={"training": {"seed": 1, "rate": 0.2}}, seed=1)
    asked = ["--factor", "training.rate", "--factor", "seed"]
    assert f"; comparable as `--policy ablation {' '.join(asked)}`" in " ".join(
        cli("runs", "diff", "second").out.split()
    )
    assert cli("runs", "diff", "second", "first", "--policy", "ablation", *asked).code == 0
    assert cli("runs", "diff", "second", "first", "--policy", "ablation", *asked[2:]).code == 1


def test_values_are_cut_where_they_do_not_differ(cli):
    for run_id, note in (("first", "x" * 100 + "a"), ("second", "x" * 100 + "b")):
        finished(STORE, run_id, config={"note": [note]})
    for word in ("diff", "why"):
        shown = cli("runs", word, "second", "first").out
        assert {'a"]', 'b"]'} <= {part[-3:] for part in shown.split()}


@pytest.mark.slow
def test_a_diff_fails_only_under_a_policy_that_was_asked_for_and_does_not_hold(two):
    assert two("runs", "diff", "run-b", "run-a").code == 0
    assert two("runs", "diff", "run-b", "--policy", "exact").code == 1
    assert two("runs", "diff", "run-b", "run-a", "--policy", "ablation", "--factor", "seed").code == 0
    answer = two("runs", "diff", "run-b", "run-a", "--policy", "exact", "--json")
    assert answer.code == 1
    assert answer.json["comparable"] is False
    assert answer.json["reasons"]


def test_a_diff_without_a_policy_says_which_one_it_used_and_what_the_stricter_ones_found(cli):
    for run_id, config in {
        "first": {"seed": 0, "rate": 0.1},
        "again": {"seed": 0, "rate": 0.1},
        "seeded": {"seed": 1, "rate": 0.1},
        "slower": {"seed": 0, "rate": 0.01},
    }.items():
        finished(STORE, run_id, config={"training": config})
    finished(STORE, "foreign", data="other", config={"training": {"seed": 0, "rate": 0.1}})

    def policies(run):
        return [
            line.strip()
            for line in cli("runs", "diff", run, "first").out.splitlines()
            if "policy:" in line or "no policy" in line or "does not" in line
        ]

    assert policies("again") == ["policy: EXACT, the strictest that allows it"]
    assert policies("seeded") == [
        "policy: REPLICATE, the strictest that allows it",
        "EXACT does not allow it: config/training/seed differs: 0 / 1",
    ]
    assert policies("slower") == [
        "policy: ABLATION, the strictest that allows it",
        "EXACT does not allow it: config/training/rate differs: 0.1 / 0.01",
        "REPLICATE does not allow it: config/training/rate differs: 0.1 / 0.01",
    ]
    assert policies("foreign") == ["no policy allows it"]
    asked = cli("runs", "diff", "again", "first", "--policy", "replicate").out
    assert "policy: REPLICATE, as asked for" in asked
    found = cli("runs", "diff", "slower", "first", "--json").json["policies"]
    assert [(each["policy"], each["comparable"]) for each in found] == [
        ("EXACT", False),
        ("REPLICATE", False),
        ("ABLATION", True),
    ]
    assert found[2]["differ"] == ["/config/training/rate"]
    assert found[0]["reasons"] == ["config/training/rate differs: 0.1 / 0.01"]
    assert "policies" not in cli("runs", "diff", "slower", "first", "--policy", "exact", "--json").json
    assert cli("runs", "diff", "first", "--json").json["policies"] == []


def test_the_diff_of_a_record_of_a_former_version_is_judged_anew(cli):
    shutil.copytree(DATA / "snapshots-2", STORE)
    commit = Store.open(STORE).find("cut").commit
    assert commit is not None
    stored = commit.snapshot.diff_prev
    assert (stored.policy, stored.comparable) == ("REPLICATE", True)
    shown = cli("runs", "diff", "cut").out
    assert "policy: ABLATION, the strictest that allows it" in shown
    assert "REPLICATE does not allow it: lr was changed while it ran: never" in shown


def test_many_reasons_are_cut_short_and_counted(cli):
    finished(STORE, "first", config={"a": 1, "b": 1, "c": 1, "d": 1})
    finished(STORE, "second", config={"a": 2, "b": 2, "c": 2, "d": 2})
    shown = cli("runs", "diff", "second").out
    assert "EXACT does not allow it: config/a differs: 1 / 2; config/b differs: 1 / 2; and 2 more" in shown


def test_an_ablation_must_name_its_factors(two):
    assert two("runs", "diff", "run-b", "run-a", "--policy", "ablation").code == 2
    assert two("runs", "diff", "run-b", "run-a", "--policy", "exact", "--factor", "seed").code == 2
    asked = two("runs", "diff", "run-b", "run-a", "--factor", "seed", "--factor", "sed")
    assert "policy: ABLATION, as asked for" in asked.out
    assert "--factor sed: no input of that name differs; did you mean " in asked.out
    assert "--factor seed:" not in asked.out


def test_what_is_no_number_in_both_runs_is_said_to_differ_and_is_not_compared(cli):
    metrics = {"scores": [0.8, 0.9], "name": "a", "loss": 0.5, "acc": {"value": 0.5, "low": 0.4, "high": 0.6}}
    finished(STORE, "first", metrics=metrics)
    finished(STORE, "second", metrics=metrics | {"scores": [0.2, 0.3], "loss": None})
    finished(STORE, "third", metrics=metrics | {"loss": 0.25})
    shown = cli("runs", "diff", "second", "first").out
    assert "severity MAJOR: the metric /loss is no longer a number" in shown
    assert "not compared, since no single number in both runs: /loss, /scores" in shown
    explained = cli("runs", "why", "second", "first").out
    assert "the metric /loss is no longer a number; no number moved, but /loss differs, and 1 more" in explained
    refused = cli("runs", "why", "second", "first", "--metric", "scores")
    assert (refused.code, "is no number in both runs, so it is not compared" in refused.err) == (2, True)
    for name in ("loss", "metrics.loss", "/loss"):
        assert "/loss moved by -0.25" in cli("runs", "why", "third", "first", "--metric", name).out
    assert "no metric moved" in cli("runs", "why", "third", "first", "--metric", "metrics.acc").out
    assert "did you mean metrics.loss?" in cli("runs", "why", "third", "first", "--metric", "los").err


def test_runs_on_other_data_are_not_comparable(two):
    finished(STORE, "run-d", data="other")
    answer = two("runs", "diff", "run-d", "run-a")
    assert answer.code == 0
    assert "not comparable" in answer.out
    assert "data fingerprint differs" in answer.out


def test_a_whole_run_verifies_and_a_flipped_byte_does_not(two):
    assert two("runs", "verify", "run-a").code == 0
    found = two("runs", "verify", "run-a", "--json").json
    assert list(found) == ["schema_version", "checks", "holds", "run"]
    assert (found["schema_version"], found["holds"]) == (2, True)
    log = next(STORE.glob("runs/*/run-a/*/events.log"))
    log.write_bytes(log.read_bytes().replace(b"0.5", b"0.6"))
    answer = two("runs", "verify", "run-a")
    assert answer.code == 1
    assert "differs" in answer.out


def test_a_damaged_commit_fails_verification_and_is_found_by_fsck(two):
    commit = next(STORE.glob("log/*/*1.json"))
    commit.write_bytes(commit.read_bytes().replace(b"0.9", b"0.8"))
    answer = two("runs", "verify", "run-a", "--json")
    assert answer.code == 1
    assert list(answer.json) == ["schema_version", "checks", "holds", "problem", "run"]
    assert (answer.json["schema_version"], answer.json["holds"]) == (2, False)
    assert "damaged" in answer.err
    listed = two("runs", "list")
    assert (listed.code, "run-b" in listed.out, "0001.json is damaged" in listed.err) == (1, True, True)
    assert two("runs", "show", "run-b").code == 1
    answer = two("runs", "fsck", "--json")
    assert answer.code == 1
    assert list(answer.json) == ["schema_version", "damaged", "findings", "repaired"]
    assert (answer.json["schema_version"], answer.json["damaged"]) == (2, True)
    assert "COMMIT_DAMAGED" in {finding["kind"] for finding in answer.json["findings"]}


def test_fsck_does_not_say_that_all_is_there_where_the_end_of_a_log_is_torn(two):
    assert two("runs", "fsck").out.endswith("no damage: every acknowledged byte is there\n")
    folder = next(STORE.glob("runs/*/run-a/*"))
    (folder / "events.tail").write_bytes(b"SBTAIL1\n" + b"?" * 40)
    said = "no damage: a machine that stops may leave the end of 1 log torn, and all else is there\n"
    for options in ((), ("--repair",)):
        answer = two("runs", "fsck", *options)
        assert (answer.code, answer.out.endswith(said)) == (0, True)
    assert two("runs", "fsck").out.endswith("no damage: every acknowledged byte is there\n")


def test_fsck_repairs_what_is_derived(two):
    assert "no damage" in two("runs", "fsck").out
    view = next(STORE.glob("runs/*/run-a/*/audit_run.json"))
    before = view.read_bytes()
    view.write_bytes(b"{}")
    answer = two("runs", "fsck")
    assert answer.code == 0
    assert "VIEW_STALE" in answer.out
    assert "repaired VIEW_STALE" in two("runs", "fsck", "--repair").out
    assert view.read_bytes() == before


def test_views_are_written_when_somebody_asks_for_them(two):
    names = ("changes", "diff_baseline", "diff_prev", "metadata", "metrics")  # beside snapshot.json and audit_run.json
    answer = two("runs", "views", "run-a", "--json")
    assert (answer.code, answer.json["runs"]) == (0, 1)
    assert sorted(answer.json["paths"]) == [f"runs/{PROJECT}/run-a/TRAINING/{name}.json" for name in names]
    metrics = json.loads((STORE / f"runs/{PROJECT}/run-a/TRAINING/metrics.json").read_bytes())["metrics"]
    assert metrics == two("runs", "show", "run-a", "--json").json["snapshot"]["metrics"]
    assert "2 runs: 5 views written into" in two("runs", "views", "--project", PROJECT).out
    assert "2 runs: 0 views written into" in two("runs", "views").out
    assert "0 runs: 0 views" in two("runs", "views", "--project", "other").out
    refused = two("runs", "views", "run-c")
    assert (refused.code, "has no record" in refused.err) == (2, True)


def test_changes_are_shown_from_the_record(two):
    shown = two("changes", "show", "run-a").out
    assert "effective: optimizer step 41 used 0.0005" in shown
    assert "1 requested: 1 effective" in shown
    assert two("changes", "show", "run-a", "--json").json["effective"] == 1


def test_changes_of_a_run_without_any_are_none(two):
    assert "no change was proposed" in two("changes", "show", "run-c").out


def test_the_gate_passes_fails_and_has_no_data(two):
    assert two("gate", "run-a").code == 0
    answer = two("gate", "run-b", "--json")
    assert answer.code == 1
    assert answer.json["verdict"] == "FAIL"
    answer = two("gate", "run-c", "--json")
    assert answer.code == 3
    assert answer.json["verdict"] == "NO_DATA"


def test_a_gate_file_is_judged_instead_and_a_threshold_inside_the_interval_is_inconclusive(two, tmp_path):
    spec = tmp_path / "gate.yaml"
    spec.write_text("gate: strict\nchecks: ['metrics.test.random.ap >= 0.905 @ 95%']")
    answer = two("gate", "run-a", "--spec", spec)
    assert answer.code == 3
    assert "INCONCLUSIVE" in answer.out


def test_a_broken_contract_ends_with_4(two, tmp_path):
    spec = tmp_path / "gate.yaml"
    spec.write_text("checks: [{metric: audit.degraded, op: '==', value: true, kind: contract}]")
    assert two("gate", "run-a", "--spec", spec).code == 4


def test_a_series_in_the_record_is_judged_through_a_statistic(two, tmp_path):
    spec = tmp_path / "gate.yaml"
    spec.write_text("checks: ['last(metrics.train.loss) <= 0.5']")
    answer = two("gate", "run-a", "--spec", spec, "--calibrate")
    assert answer.code == 0
    assert "last(metrics.train.loss) <= 0.5" in answer.out
    spec.write_text("checks: ['metrics.train.loss <= 0.5']")
    assert two("gate", "run-a", "--spec", spec).code == 2


def test_a_simulated_false_pass_rate_is_said():
    check = CheckReport(
        metric="mean(kpi.x)",
        kind=CheckKind.THRESHOLD,
        expected="> 1 @ 95%",
        found=2.0,
        verdict=Verdict.PASS,
        reason="found 2",
        false_pass_rate=0.0275,
    )
    report = GateReport(gate="g", verdict=Verdict.PASS, exit_code=0, checks=(check,))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(gate_text(report))
    assert "found 2; wrongly passes 2.8 % of such series, by simulation" in console.export_text()


@pytest.mark.parametrize("text", ["checks: ['metrics.test.random.app >= 0.5']", "checks: []", "checks: ["])
def test_a_gate_file_that_is_none_ends_with_2(text, two, tmp_path):
    spec = tmp_path / "gate.yaml"
    spec.write_text(text)
    assert two("gate", "run-a", "--spec", spec).code == 2
    assert two("gate", "run-a", "--spec", tmp_path / "none.yaml").code == 2


def test_the_verdict_leaves_as_prometheus_text(two, tmp_path):
    two("gate", "run-b", "--out", tmp_path / "gate.prom")
    text = (tmp_path / "gate.prom").read_text()
    assert 'seedbed_gate_verdict{gate="flights",verdict="FAIL"} 1.0' in text
    assert 'run_id="run-b"' in text


def test_a_report_is_written_where_it_is_asked_for(two, tmp_path):
    page = tmp_path / "page.html"
    answer = two("report", "run-a", "--out", page)
    assert answer.out.strip() == str(page)
    assert "run-a" in page.read_text()
    beside = Path(two("report", "run-a", "--json").json["report"])
    assert beside.name == "report.html"
    assert beside.is_file()
    assert two("runs", "fsck").code == 0


def test_a_run_without_a_gate_has_a_report_and_no_verdict(cli):
    finished(STORE, "bare", config={})
    assert cli("report", "bare").code == 0
    answer = cli("gate", "bare")
    assert answer.code == 2
    assert "--spec" in answer.err


def test_a_report_opens_only_when_asked(two, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    two("report", "run-a")
    assert opened == []
    two("report", "run-a", "--open")
    assert opened[0].startswith("file://")


def test_brackets_in_a_record_are_brackets(cli):
    finished(STORE, "brackets", config={"gate": ["metrics.score >= 0.5"]}, metrics={"score": 0.9, "[bold]x": 1.0})
    assert "[bold]x" in cli("runs", "show", "brackets").out


def test_a_run_of_a_machine_that_is_gone_is_ended(cli, tmp_path):
    run = Store.open(tmp_path / "store", create=True).start("p", "gone")
    status = json.loads(run.path("attempt-1.json").read_bytes())
    status["process"]["place"] = "0" * 64
    status["heartbeat"] = "2100-01-01T00:00:00Z"
    run.path("attempt-1.json").write_text(json.dumps(status))
    where = ("--store", str(tmp_path / "store"))
    ended = cli("runs", "end", "gone", "--reason", "the node was taken away", *where)
    assert (ended.code, ended.out.strip()) == (0, "gone:TRAINING of p is INTERRUPTED: the node was taken away")
    again = cli("runs", "end", "gone", *where)
    assert again.code == 2
    assert "does not run: it is INTERRUPTED; there is nothing to end" in again.err


def test_a_commit_is_recovered_or_its_loss_is_accepted(two):
    commit = next(STORE.glob("log/*/*1.json"))
    whole = commit.read_bytes()
    commit.write_bytes(whole[:-9])
    shown = two("runs", "show", "run-a")
    assert (shown.code, "is FINISHED (its commit is lost" in shown.out) == (1, True)
    assert "resume it" not in shown.out
    assert two("runs", "diff", "run-a").code == 1
    assert two("runs", "show", "1").code == 1
    recovered = two("runs", "recover", "--json")
    assert [(each["run_id"], each["problem"]) for each in recovered.json["commits"]] == [("run-a", "")]
    assert (recovered.code, commit.read_bytes()) == (0, whole)
    assert "no run's folder holds a commit that its log lacks" in two("runs", "recover").out
    commit.write_bytes(whole[:-9])
    record = commit.relative_to(STORE).as_posix()
    refused = two("runs", "quarantine", record, "--reason", "old disk")
    assert (refused.code, "run `seedbed runs recover`" in refused.err) == (2, True)
    next(STORE.glob("runs/*/run-a/*/snapshot.json")).unlink()
    assert "its bytes are kept at quarantine/" in two("runs", "quarantine", record, "--reason", "old disk").out
    assert two("runs", "list").code == 0
    commit.unlink()
    assert two("runs", "quarantine", record, "--json").json == {"kept": "", "record": record}
    checked = two("runs", "fsck")
    assert (checked.code, "but for 1 file in quarantine" in checked.out) == (0, True)


def test_a_commit_whose_number_another_run_has_comes_back_under_a_new_one(two):
    shutil.copytree(STORE / "log", "before")
    finished(STORE, "run-d", ap=0.8, seed=2)
    shutil.rmtree(STORE / "log")
    shutil.copytree("before", STORE / "log")
    shutil.rmtree(STORE / "latest")
    finished(STORE, "run-e", ap=0.8, seed=3)
    told = two("runs", "recover")
    assert (told.code, told.out) == (0, "brought back commit 3 of flights, run run-d, as number 4\n")
    assert "copy of commit 3 of this log" in " ".join(two("runs", "show", "run-d").out.split())
    assert two("runs", "fsck").code == 0


def test_a_copy_that_cannot_come_back_is_named_with_what_to_do(two):
    finished(STORE, "run-d", ap=0.8, seed=2)
    shutil.copytree(STORE / "runs/flights/run-d", "copy")
    (STORE / f"log/flights/{3:020d}.json").unlink()
    shutil.rmtree(STORE / "runs/flights/run-d")
    shutil.rmtree(STORE / "latest")
    finished(STORE, "run-d", ap=0.5, seed=2)
    shutil.copy("copy/TRAINING/snapshot.json", STORE / "runs/flights/run-d/TRAINING/snapshot.json")
    told = two("runs", "recover")
    assert told.code == 1
    assert "not brought back: commit 3 of flights, run run-d: run-d:TRAINING:1 is committed already" in told.out


def test_another_store_is_merged_and_the_same_merge_again_brings_nothing(two):
    shutil.copytree(STORE, "laptop")
    finished(Path("laptop"), "run-x", ap=0.95)
    finished(STORE, "run-d", ap=0.8)
    assert two("runs", "merge", "laptop", "--dry-run").out.splitlines() == [
        "commit 3 of flights, run run-x, would come",
        "3 commits there: 1 would come, 2 here already",
    ]
    assert [item["seq"] for item in two("runs", "merge", "laptop", "--json").json["commits"]] == [1, 2, 4]
    assert "copy of commit 3 of the store laptop" in " ".join(two("runs", "show", "run-x").out.split())
    again = two("runs", "merge", "laptop")
    assert (again.code, again.out) == (0, "3 commits there: 0 came, 3 here already\n")
    assert two("runs", "fsck").code == 0
    finished(Path("laptop"), "run-d", ap=0.1)
    refused = two("runs", "merge", "laptop")
    assert (refused.code, "attempt 1 of run-d:TRAINING of flights has other content here" in refused.err) == (1, True)
    assert two("runs", "merge", str(STORE)).code == 2
    assert two("runs", "merge", "nowhere").code == 2
