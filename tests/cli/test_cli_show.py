"""`seedbed runs show` tells all that a record holds, on a terminal of 80 columns and in a pipe."""

import io
import json
import os
from pathlib import Path

import pytest
import torch
from cli_world import finished
from rich.console import Console

import seedbed
from seedbed.contracts import Stage
from seedbed.records import NOT_APPLICABLE, Event, Expired, Expiries, RetentionRule, Store, not_applicable
from seedbed.records.snapshot import Diff, ExcludedFactor
from seedbed.render.text._run_details import _comparison, run_details

STORE = Path(".seedbed")
INTERVAL = {"value": 0.88, "low": 0.86, "high": 0.9, "n": 311, "confidence": 0.9}
# What a reader must find on one line each, or on successive ones.
TOLD = {
    "test.accuracy": "0.6125 [0.5625, 0.6875] at 90%, n = 311",
    "test.by_class.cat": "0.3125",
    "test.by_class.dog": "0.4375",
    "test.confusion.0": "5, 2",
    "test.confusion.1": "1, 7",
    "perplexity": "17.25",
    "train.loss": "2.5, 1.25, 0.625",
    "kept": "true",
    "note": "early",
    "nothing": "null",
    "empty": "{}",
    "curve": "50 values, first 0, last 2401, least 0, most 2401",
}


def foreign(store: Path, run_id: str, metrics: dict, logged: dict[str, list[float]]):
    run = Store.open(store, create=True).start("digits", run_id, Stage.TRAINING)
    for name, values in logged.items():
        for step, value in enumerate(values, 1):
            run.log(step, {name: value})
    metadata = not_applicable(run.stage) | {"cohort_id": "all", "target": "digit", "model_family": "encoder"}
    return run.finish(
        run.draft(metadata, metrics, dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE))
    )


@pytest.fixture
def planted(cli, foreign_metrics):
    logged = {"loss": [2.0, 1.5, 1.25], "grad/norm": [4.0] * 300, "tokens": [float(step) for step in range(40)]}
    return foreign(STORE, "planted", foreign_metrics, logged), cli


def printed(commit, events=(), *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=terminal, color_system=None, highlight=False, markup=False)
    console.print(run_details(commit, events))
    return stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_every_metric_is_told_by_its_dotted_name_at_80_columns(planted, terminal):
    commit, _ = planted
    text = printed(commit, terminal=terminal)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text.partition("\nfingerprints")[0]
    for name, value in TOLD.items():
        assert row_of(text, name).replace("…", "").endswith(value), (name, row_of(text, name))


def row_of(text: str, name: str) -> str:
    """The words of the row that begins with `name`, with those of the lines that go on with it, without curves."""
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if line.split()[:1] == [name])
    after = next(
        (place for place in range(first + 1, len(lines)) if not lines[place].startswith(" ")),
        len(lines),
    )
    words = " ".join(lines[first:after]).split()
    return " ".join(word for word in words if not set(word) <= set("▁▂▃▄▅▆▇█"))


def test_the_series_of_the_steps_are_told_too_in_a_pipe(planted):
    _, cli = planted
    shown = cli("runs", "show", "planted").out
    assert row_of(shown, "loss") == "loss 2, 1.5, 1.25"
    assert row_of(shown, "grad/norm").startswith("grad/norm 300 values, first 4, last 4")
    assert row_of(shown, "tokens") == "tokens 40 values, first 0, last 39, least 0, most 39"
    for invented in ("missing", "negatives", "pair counter", "AUC"):
        assert invented not in shown


def test_values_that_are_not_finite_are_counted(planted):
    commit, _ = planted
    events = [Event(1, 1, {"loss": 0.5}), Event(2, 1, {"loss": float("nan")}), Event(3, 1, {"only": float("inf")})]
    text = printed(commit, events, terminal=False)
    assert row_of(text, "loss") == "loss 0.5, 1 not finite, first at step 2"
    assert row_of(text, "only") == "only 1 not finite, first at step 3"


def test_json_holds_what_it_held_before(planted, foreign_metrics):
    _, cli = planted
    found = cli("runs", "show", "planted", "--json").json
    assert found["snapshot"]["metrics"] == json.loads(json.dumps(foreign_metrics))
    former = {"attempt", "digest", "project", "reason", "run_id", "snapshot", "snapshot_seq", "stage", "status", "when"}
    assert former <= found.keys()


def test_any_baselines_are_shown_and_the_model_below_the_strongest_is_told_so(cli):
    metrics = {
        "test": {"random": {"ap": INTERVAL}},
        "baselines": {
            "pair_counter": {"random": {"ap": 0.934}},
            "pair_recency": {"random": {"ap": 0.956}},
            "boosting": {"random": {"ap": 0.97}},
            "popularity": {"random": {"ap": 0.875}},
        },
    }
    text = " ".join(printed(foreign(STORE, "below", metrics, {}), terminal=False).split())
    assert "boosting 0.970 *" in text
    assert "pair recency 0.956" in text
    assert "popularity 0.875" in text
    assert "AP: below the strongest baseline (*), boosting 0.970: the model is worse" in text


@pytest.mark.parametrize(("stage", "named"), [(Stage.TRAINING, ""), (Stage.TARGET_RANKING, ", Stage.TARGET_RANKING")])
def test_a_run_of_somebodys_own_loop_is_resumed_by_its_own_script(cli, stage, named):
    Store.open(STORE, create=True).start("digits", "own", stage).interrupted("Ctrl-C")
    answer = cli("runs", "show", "own")
    assert answer.code == 0
    assert f"resume it with store.start('digits', 'own'{named}) in the script that started it" in answer.out
    assert "--resume" not in answer.out


@pytest.mark.parametrize("steer", [True, False])
def test_a_run_of_the_door_is_resumed_by_its_script_alone(cli, steer):
    model = torch.nn.Linear(2, 1)
    run = seedbed.start(model, project="p", run="lm", store=STORE, steer=steer, quiet=True)
    run.log(loss=1.0)
    run.abandon("Ctrl-C")
    answer = cli("runs", "show", "lm")
    assert "resume it with the script that started it, which goes on from its checkpoint by" in answer.out
    assert "store.start" not in answer.out


def test_a_run_that_goes_on_shows_its_newest_values_and_its_changes_so_far(cli):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = seedbed.start(model, optimizer, project="p", run="lm", store=STORE, quiet=True)
    for place, _ in run.steps([torch.ones(1, 2)] * 3):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        run.log(loss=place / 4)
        if place == 3:
            run.propose("lr", scale=0.5, why="noisy")
    lines = [line.strip() for line in cli("runs", "show", "lm").out.splitlines()]
    run.abandon("Ctrl-C")
    assert "is RUNNING; its files are in" in lines[0]
    assert lines[1:3] == ["step 3", "loss  0.75  at step 3"]
    assert lines[3:5] == ["changes", "APPLIED  step 3: optimizer.lr 0.1 -> 0.05"]
    assert lines[5].startswith("applied: 0.05 read back")
    assert "loss  0.75  at step 3" in cli("runs", "show", "lm").out


def test_a_run_that_a_command_started_is_resumed_by_it(cli):
    run = Store.open(STORE, create=True).start("digits", "theirs", Stage.TRAINING)
    run.path("job.json").write_text("{}")
    run.interrupted("Ctrl-C")
    assert "resume it with the command that started it and --resume theirs" in cli("runs", "show", "theirs").out


def removed(log: Path) -> None:
    log.unlink()


def overwritten(log: Path) -> None:
    log.write_bytes(b"?" * 9 + log.read_bytes()[9:])


def cut_short(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-5])


def emptied(log: Path) -> None:
    log.write_bytes(b"")


def a_folder(log: Path) -> None:
    log.unlink()
    log.mkdir()


def a_link_to_itself(log: Path) -> None:
    log.unlink()
    log.symlink_to(log.name)


def a_named_pipe(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


@pytest.mark.parametrize("fault", [removed, overwritten, cut_short, emptied, a_folder, a_link_to_itself, a_named_pipe])
def test_a_run_whose_step_log_is_lost_is_still_shown_and_the_loss_is_told(cli, fault):
    finished(STORE, "hurt")
    log = next(STORE.glob("runs/*/hurt/*/events.log"))
    fault(log)
    answer = cli("runs", "show", "hurt")
    assert answer.code == 1
    assert "test, random" in answer.out
    assert ("lost: the step metrics" if fault is removed else "none of its step metrics") in answer.err
    assert "events.log" in answer.err
    told = cli("runs", "show", "hurt", "--json")
    assert (told.code, told.json["run_id"], "step metrics" in told.err) == (1, "hurt", True)
    for command in (("report", "hurt"), ("runs", "steps", "hurt"), ("runs", "steps", "hurt", "--out", "x.csv")):
        answer = cli(*command)
        words = "the step metrics" if fault is removed else "none of its step metrics can be read"
        assert (answer.code, words in answer.err, "events.log" in answer.err) == (1, True, True), command
    found = cli("runs", "fsck", "--json")
    assert found.code == 1
    assert [item["path"] for item in found.json["findings"]] == ["runs/flights/hurt/TRAINING/events.log"]


def test_of_a_step_log_that_is_cut_short_the_whole_records_are_shown(cli):
    run = Store.open(STORE, create=True).start("digits", "cut", Stage.TRAINING)
    for step in (1, 2, 3):
        run.log(step, {"loss": 0.5})
        assert run._events is not None
        run._events.commit()
    unknown = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
    run.finish(run.draft({}, {"loss": 0.5}, unknown))
    cut_short(run.path("events.log"))
    answer = cli("runs", "steps", "cut", "--json")
    assert (answer.code, answer.json["metrics"]["loss"]["values"]) == (1, 2)
    assert "what was logged after step 2 of attempt 1 is lost" in answer.err
    assert "it holds 2 of the 3 records that its commit recorded" in answer.err
    answer = cli("runs", "steps", "cut", "--out", "cut.csv")
    assert (answer.code, Path("cut.csv").read_text().splitlines()[1:]) == (1, ["1,1,loss,0.5", "2,1,loss,0.5"])
    assert cli("report", "cut").code == 1


def test_a_step_log_that_expired_is_no_loss(cli):
    committed = finished(STORE, "old")
    store = Store.open(STORE)
    gone = Expired(snapshot_seq=committed.seq, digest=committed.digest, run_id="old", stage=Stage.TRAINING)
    Expiries(store.files, "flights").record([gone], RetentionRule(keep_last=0), store.clock.now())
    next(STORE.glob("runs/*/old/*/events.log")).unlink()
    when = f"expired on {store.clock.now():%Y-%m-%d} by rule */* keep_last 0"
    for words in (("runs", "show", "old"), ("report", "old")):
        answer = cli(*words)
        assert (answer.code, answer.err.splitlines()[-1]) == (0, f"{when}: the step metrics (events.log)")
    for more in ((), ("--json",), ("--metric", "loss"), ("--follow",), ("--out", "steps.csv")):
        refused = cli("runs", "steps", "old", *more)
        assert (refused.code, refused.out, refused.err) == (2, "", f"error: the step metrics of run old {when}\n")
    assert not Path("steps.csv").exists()


def test_a_blob_or_log_that_is_gone_is_named_and_is_a_loss(cli):
    run = Store.open(STORE, create=True).start("flights", "r1")
    run.save_blob("weights", b"w" * 9000)
    run.save_blob("vocabulary", b"words")
    run.journal("notes").append("note", {})
    unknown = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
    commit = run.finish(run.draft(metrics={"loss": 0.5}, fingerprints=unknown))
    assert (cli("runs", "show", "r1").code, cli("runs", "show", "r1").err) == (0, "")
    gone = commit.snapshot.blobs["weights"]
    for path in (STORE / "blobs").rglob(f"{gone}*"):
        path.unlink()
    for words in (("runs", "show", "r1"), ("runs", "show", "r1", "--json"), ("report", "r1")):
        answer = cli(*words)
        assert (answer.code, answer.err) == (1, "lost: blob weights; `seedbed runs fsck` says what can be done\n")
    next(STORE.glob("runs/*/r1/*/notes.log")).unlink()
    store = Store.open(STORE)
    expired = Expired(snapshot_seq=commit.seq, digest=commit.digest, run_id="r1", stage=Stage.TRAINING)
    Expiries(store.files, "flights").record([expired], RetentionRule(keep_last=0), store.clock.now())
    answer = cli("runs", "show", "r1")
    assert (answer.code, answer.err.splitlines()) == (
        1,
        [
            f"expired on {store.clock.now():%Y-%m-%d} by rule */* keep_last 0: blob weights",
            "lost: the log notes.log; `seedbed runs fsck` says what can be done",
        ],
    )


def test_a_blocked_change_is_shown_with_what_it_asked_for(cli):
    story = ("step 40: stall proposed optimizer.lr 0.001 -> 0.0005 1", "guards: DENY by cooldown, 150 steps must pass")
    blocked = {
        "id": 1, "step": 40, "parameter": "optimizer.lr", "unit": "1", "before": 1e-3, "wanted": 5e-4, "after": 1e-3,
        "reason": "stalled", "proposer": "stall", "outcome": "BLOCKED", "guard": "cooldown", "story": story,
    }  # fmt: skip
    counts = dict.fromkeys(("effective", "clamped", "no_op", "failed", "unknown", "superseded"), 0)
    finished(STORE, "held", documents={"changes": {"requested": 1, "blocked": 1, **counts, "changes": [blocked]}})
    for command in (("runs", "show"), ("changes", "show")):
        shown = cli(*command, "held").out
        assert "step 40: optimizer.lr stays 0.001, 0.0005 was asked for" in shown
        assert "DENY by cooldown" in shown


@pytest.mark.parametrize(
    "command", [["list"], ["show", "latest"], ["trend", "latest", "--metric", "metrics.acc"], ["diff", "r2"]]
)
def test_a_result_that_is_not_finite_is_shown_by_its_name(command, cli):
    foreign(STORE, "r1", {"acc": 0.9, "curve": [0.5, 0.25]}, {})
    foreign(STORE, "r2", {"acc": float("nan"), "curve": [0.5, float("inf")]}, {})
    assert "NaN" in cli("runs", *command).out
    json.loads(cli("runs", *command, "--json").out, parse_constant=pytest.fail)  # JSON has no NaN


def test_a_list_says_how_many_of_its_numbers_are_not_finite(cli):
    foreign(STORE, "r1", {"curve": [0.5, float("inf"), 0.25]}, {})
    assert "0.5, 0.25, 1 not finite" in cli("runs", "show", "latest").out


@pytest.mark.parametrize(("num", "last"), [(5, "/config/s4: 0 -> 1"), (9, "and 4 more, as `runs diff` shows")])
def test_of_many_settings_that_differ_the_summary_shows_five_and_counts_the_rest(num, last):
    factors = tuple(ExcludedFactor(name=f"/config/s{place}", previous=0, current=1) for place in range(num))
    stream = io.StringIO()
    console = Console(file=stream, width=80, highlight=False, markup=False)
    console.print(_comparison(Diff(summary="comparable", excluded_factors=factors)))
    lines = [line.strip() for line in stream.getvalue().splitlines() if line.strip()]
    assert lines[:2] == ["compared with", "comparable"]
    assert lines[2:7] == [f"/config/s{place}: 0 -> 1" for place in range(5)]
    assert lines[-1] == last


def test_settings_fingerprints_metadata_and_times_are_shown_and_of_many_how_many_more(cli):
    settings: dict[str, object] = {"opt": {"lr": 0.5, "name": "adam", "nested": {}, "no\nte": "x\ny\x1b"}}
    settings |= {f"x{number:02}": number for number in range(40)}
    commit = finished(STORE, "a", config=settings, outputs={"rows": 7})
    shown = cli("runs", "show", "a").out
    cells = [line.split(maxsplit=1) for line in shown.splitlines()]
    for row in (
        ["opt.lr", "0.5"],
        ["opt.name", "adam"],
        ["opt.nested", "{}"],
        [r"opt.no\nte", r"x\ny\x1b"],
        ["x25", "25"],
        ["rows", "7"],
        ["cohort_id", "2013"],
        ["max_cs_samples", "null"],
        ["wall_seconds", "75"],
        ["data", f"{commit.snapshot.fingerprints['data'][:12]}…"],
    ):
        assert row in [[word.strip() for word in cell] for cell in cells], row
    assert "and 14 more; --json shows all" in shown  # of 4 + 40 settings
    assert "min_cs" not in shown, "what does not apply is left out"


def test_a_number_of_any_size_is_shown_short(cli):
    foreign(STORE, "r1", {"acc": 1e-200, "tiny": 0.00123, "loss": 2.0}, {})
    foreign(STORE, "r2", {"acc": 1e100, "tiny": 0.0015, "loss": 0.5}, {})
    shown = cli("runs", "diff", "r2").out
    # the change is 1e100, and of 1e-200 that is 1e300 times as much, which are 1e302 percent
    assert row_of(shown, "/acc").split()[1:5] == ["1e-200", "1e+100", "+1e+100", "+1e+302"]
    assert row_of(shown, "/loss").split()[1:5] == ["2", "0.5", "-1.5", "-75.00"]
    shown = cli("runs", "list", "--column", "tiny", "--column", "loss").out
    assert [row_of(shown, run).split()[-2:] for run in ("r1", "r2")] == [["0.00123", "2"], ["0.0015", "0.500"]]


def test_a_series_that_ends_in_infinity_is_said_to_end_so_everywhere(cli):
    curve = [2.0**place for place in range(20)]
    foreign(STORE, "r1", {"curve": [float("nan"), *curve]}, {"loss": [*curve, float("inf")]})
    text = cli("runs", "show", "r1").out
    told = "20 values, first 1, last Infinity, least 1, most 5.243e+05, 1 not finite, first at step 21"
    assert row_of(text, "loss") == f"loss {told}"
    assert row_of(text, "curve") == "curve 20 values, first NaN, last 5.243e+05, least 1, most 5.243e+05, 1 not finite"
    assert "Infinity" in cli("runs", "steps", "r1").out
    assert cli("runs", "steps", "r1", "--follow").out.splitlines()[-1] == "step 21  loss Infinity"
