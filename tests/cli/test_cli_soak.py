"""`seedbed soak`: run, verify and gate as a person or a script calls them."""

import io
import json
import re
import shlex
import signal
import sys
import urllib.request
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from seedbed.cli.soak import _driver
from seedbed.gate import Series, parse_gate
from seedbed.gate._record_values import record_values
from seedbed.soak import Soak, SoakFolder, assemble
from seedbed.soak._assemble import kpis_of
from seedbed.soak._readback import read_soak
from seedbed.soak.reports._lint import refuse_unknown_metrics
from seedbed.soak.reports._reports import soak_gate_record
from seedbed.testing.soak import CORRUPTIONS, Scene
from seedbed.testing.soak._forge import Logs

SOAKS = Path("artifacts/soak")
RUN = ("soak", "run", "--mock", "--auto-tune", "--iterations", "24")


@pytest.mark.slow
def test_a_soak_runs_is_verified_and_judged(cli):
    ran = cli(*RUN)
    assert (ran.code, "gate: PASS, exit code 0" in ran.out) == (0, True)
    assert "24/24  ramp down" in ran.err
    assert "base_spread_bps 22 -> 19.8" in ran.err
    latest = SOAKS / "latest"
    assert {path.name for path in latest.iterdir() if not path.name.startswith((".", "ITER"))} == {
        "DELTA_VERIFY_REPORT.md",
        "KPIS.svg",
        "POST_SOAK_METRICS.prom",
        "POST_SOAK_SNAPSHOT.json",
        "TUNING_REPORT.json",
        "changes.log",
        "evidence.log",
        "runtime_overrides.json",
        "soak.json",
    }
    assert len(list(latest.glob("ITER_SUMMARY_*.json"))) == 24
    first = json.loads((latest / "ITER_SUMMARY_1.json").read_text())
    assert len(first["summary"]["state_hash"]) == 64
    verified = cli("soak", "verify", "--path", SOAKS, "--strict")
    assert (verified.code, "PASSED" in verified.out) == (0, True)
    seal = re.search(r"^seal: ([0-9a-f]{64})$", ran.out, re.MULTILINE)
    assert seal is not None
    assert cli("soak", "verify", "--anchor", seal[1][:16]).code == 0
    assert cli("soak", "verify", "--anchor", "0" * 16).code == 4
    judged = cli("soak", "gate", "--prometheus", "--json")
    assert (judged.code, judged.json["verdict"]) == (0, "PASS")
    assert "this soak ended" not in judged.err
    name = latest.resolve().name
    for words in (("latest",), (name,), (name, "--path", SOAKS)):
        assert cli("soak", "verify", *words).code == 0
        assert cli("soak", "gate", *words, "--json").json["soak_id"] == name


@pytest.mark.slow
def test_the_drawing_marks_every_iteration_with_a_proposal(cli):
    ran = cli(*RUN, "--json")
    drawing = ElementTree.parse(SOAKS / "latest" / "KPIS.svg")
    marks = [each.get("class") for each in drawing.iter() if (each.get("class") or "").startswith("mark ")]
    tally = ran.json["tally"]
    assert marks.count("mark full") == tally["full"]
    assert marks.count("mark skipped") == tally["skipped"]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "code"), [("dropped", 4), ("clamped", 1)])
def test_a_fault_is_the_exit_code_of_run_and_gate_but_no_accusation(cli, fault, code):
    assert cli(*RUN, "--inject", fault).code == code
    assert cli("soak", "gate").code == code
    verified = cli("soak", "verify", "--json")
    assert (verified.code, verified.json["clean"], verified.json["passes"]) == (1, True, False)


@pytest.mark.slow
def test_the_progress_says_what_is_rolled_back_and_counts_in_iterations_only(cli):
    told = cli("soak", "run", "--mock", "--auto-tune", "--iterations", "12", "--inject", "dropped").err
    assert re.search(r"^    base_spread_bps rolled back: 14.4 -> 16$", told, re.MULTILINE)
    assert re.search(r"^change 12 of base_spread_bps failed: at iteration 9: .* 1 iteration after$", told, re.MULTILINE)
    assert not re.search(r"\bsteps?\b", told)


@pytest.mark.slow
def test_an_altered_file_is_named_and_ends_with_4(cli):
    cli(*RUN)
    overrides = SOAKS / "latest" / "runtime_overrides.json"
    overrides.write_text(overrides.read_text().replace('"base_spread_bps":', '"base_spread_bps":1'))
    before = {path.name: path.read_bytes() for path in (SOAKS / "latest").iterdir()}
    verified = cli("soak", "verify")
    assert verified.code == 4
    assert "runtime_overrides.json" in verified.out
    judged = cli("soak", "gate")
    assert (judged.code, "runtime_overrides.json" in judged.err) == (4, True)
    assert {path.name: path.read_bytes() for path in (SOAKS / "latest").iterdir()} == before


def interrupted(cli, *options):
    """Run a soak that Ctrl-C stops when nine iterations are decided."""
    iterate = Soak._iterate

    def iterate_until_ctrl_c(soak):
        iterate(soak)
        if len(soak._decided) == 9:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Soak, "_iterate", iterate_until_ctrl_c)
        return cli(*RUN, *options)


@pytest.mark.slow
def test_an_interrupted_soak_goes_on_to_the_same_end(cli):
    whole = cli(*RUN, "--json").json
    stopped = interrupted(cli, "--json")
    assert (stopped.code, "--resume" in stopped.err) == (130, True)
    judged = cli("soak", "gate", "latest")
    said, again = judged.err.splitlines()
    assert (judged.code, said) == (1, "this soak was interrupted after 9 of 24 iterations; resume it with")
    words = " ".join(judged.out.split())
    assert "found false, expected == true: 9 of 24 iterations were measured" in words
    resumed = cli(*shlex.split(again)[1:], "--json")
    assert resumed.code == 0
    assert "measuring again gave the same samples" in resumed.err
    same = ("settings", "tally", "windows", "anomalies", "verdict")
    assert {name: resumed.json[name] for name in same} == {name: whole[name] for name in same}


@pytest.mark.slow
def test_a_soak_that_is_judged_between_two_interruptions_is_not_accused(cli):
    interrupted(cli)
    judged = cli("soak", "gate", "latest")
    resume = shlex.split(judged.err.splitlines()[1])[1:]
    iterate, num_done = Soak._iterate, []

    def iterate_until_ctrl_c(soak):
        iterate(soak)
        num_done.append(len(soak._decided))
        if len(num_done) == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Soak, "_iterate", iterate_until_ctrl_c)
        assert cli(*resume).code == 130
    assert cli("soak", "gate", "latest").code == 1
    assert cli("soak", "verify", "--json").json["clean"]
    assert not SoakFolder.find(SOAKS).snapshot_path.exists(), "it would be that of another soak when this one goes on"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["gate", "verify"])
def test_a_soak_that_still_runs_is_neither_accused_nor_called_interrupted(cli, command):
    interrupted(cli)
    folder = SoakFolder.find(SOAKS)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    with folder.locked():
        asked, told = cli("soak", command), cli("soak", command, "--json")
    said = f"the soak {folder.path.name} still runs; ask again when it has ended"
    assert (asked.code, asked.out, asked.err.strip()) == (3, "", said)
    assert (told.code, told.json) == (3, {"soak_id": folder.path.name, "runs": True, "exit_code": 3})
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    assert not folder.is_locked()


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("mean(kpi.fil_rate) > 0.1", "kpi.fil_rate: did you mean kpi.fill_rate"),
        ("finisched == true", "finisched: did you mean finished"),
        ("mean(kpi.slippage_bps) < 5 in [0, 100] @ 95%", "kpi.slippage_bps: did you mean"),
        ("mean(iteration.maker_share_mean) < 5", "iteration.maker_share_mean: "),
        ("kpi.fill_rate > 0.1", "kpi.fill_rate is a series; ask for a statistic of it"),
        ("mean(finished) > 0.1", "finished is one value and no series"),
    ],
)
def test_a_gate_that_asks_for_what_no_soak_records_is_refused_before_it_begins(cli, check, said):
    Path("gate.yaml").write_text(f"checks:\n- '{check}'\n")
    refused = cli("soak", "run", "--mock", "--iterations", "3", "--spec", "gate.yaml", "--out", "soaks")
    assert (refused.code, said in " ".join(refused.err.split())) == (2, True)
    assert not Path("soaks").exists()


def test_a_gate_may_ask_for_everything_that_a_soak_records(short_soak):
    folder = SoakFolder(short_soak)
    plan = folder.plan()
    record = soak_gate_record(read_soak(folder, plan, assemble(plan)), verified=True)
    values = record_values(record)
    checks = [f"count({name}) >= 0" if isinstance(value, Series) else f"{name} == x" for name, value in values.items()]
    asked = plan.model_copy(update={"gate": parse_gate({"checks": checks})})
    refuse_unknown_metrics(asked, assemble(plan), kpis_of(plan))


@pytest.fixture
def short_soak(cli):
    """A soak of three iterations that only measures."""
    assert cli("soak", "run", "--mock", "--iterations", "3", "--seed", "5", "--out", "soaks").code == 3
    return next(path for path in Path("soaks").iterdir() if path.name != "latest")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--iterations 50", "--iterations states another plan than the soak {} began with (iterations was 3, not 50)"),
        ("--seed 6", "(seed was 5, not 6)"),
        ("--plant market", "(plant was mock, not market)"),
        ("--profile quick", "(profile was standard, not quick)"),
        ("--no-control", "(it began with a control arm, not without one)"),
        ("--auto-tune --tuner model", "(tuner was none, not model)"),
        ("--inject late --inject-at 2", "(inject was none, not late; inject-at was 8, not 2)"),
        ("--spec own.yaml", "(its gate was that of its profile, not 'gate' with `stuck == 0`)"),
        ("--seed 6 --iterations 4", "resume it without --iterations and --seed, or start a new soak"),
    ],
)
def test_a_resumed_soak_goes_on_by_its_plan_and_what_states_another_is_refused(cli, short_soak, words, said):
    Path("own.yaml").write_text("checks: [stuck == 0]\n")
    before = {path.name: path.read_bytes() for path in short_soak.iterdir()}
    refused = cli("soak", "run", "--resume", "latest", "--out", "soaks", *shlex.split(words))
    assert refused.code == 2
    assert said.format(short_soak.name) in refused.err
    assert {path.name: path.read_bytes() for path in short_soak.iterdir()} == before


def test_what_the_plan_says_may_be_stated_again(cli, short_soak):
    same = "--iterations 3 --seed 5 --mock --plant market --tuner rules --profile standard --control --inject-at 8"
    resumed = cli("soak", "run", "--resume", "latest", "--out", "soaks", *shlex.split(same), "--hours", "9")
    assert (resumed.code, "resumed after iteration 3" in resumed.err) == (3, True)


def test_a_soak_whose_folder_is_named_in_place_of_its_name_is_told_of_the_option(cli, short_soak):
    name = short_soak.name
    for words, option in ((("verify",), "--path"), (("gate",), "--path"), (("run", "--resume"), "--out")):
        refused = cli("soak", *words, f"soaks/{name}")
        assert (refused.code, f"name its parent by {option} soaks, and the soak {name}" in refused.err) == (2, True)
        refused = cli("soak", *words, "soaks")
        assert (refused.code, f"soaks is a folder: name it by {option} soaks" in refused.err) == (2, True)
    assert cli("soak", "verify", name, "--path", "soaks").code == 0


def test_without_proposals_verification_says_that_there_were_none(cli, short_soak):
    page = (short_soak / "DELTA_VERIFY_REPORT.md").read_text()
    for strict in ((), ("--strict",)):
        shown = cli("soak", "verify", "--path", "soaks", *strict)
        assert shown.code == 0
        assert "no proposals were made" in shown.out
        assert "must have" not in shown.out
    assert "at least 95% of proposals must have\nbeen seen in use whole." in page  # as former versions wrote it


def test_a_plan_without_a_seal_is_said_to_have_none(cli, short_soak):
    plan = short_soak / "soak.json"
    body = json.loads(plan.read_text())
    del body["digest"]
    plan.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n")
    answer = cli("soak", "gate", "--path", "soaks")
    assert (answer.code, "soak.json: it has no seal" in answer.err, "None" in answer.err) == (4, True, False)


@pytest.mark.slow
def test_its_metrics_are_served_while_it_runs(cli, monkeypatch):
    scraped: list[str] = []
    iterated = _driver._Watcher.iterated

    def scraping(watcher, progress):
        iterated(watcher, progress)
        if progress.iteration == 12:
            url = re.search(r"http://127\.0\.0\.1:\d+/metrics", stream.getvalue())
            assert url is not None
            scraped.append(urllib.request.urlopen(url[0]).read().decode())

    stream = io.StringIO()
    monkeypatch.setattr(_driver._Watcher, "iterated", scraping)
    monkeypatch.setattr(sys, "stderr", stream)
    assert cli(*RUN, "--metrics-port", "0").code == 0
    assert "soak_delta_full_count 6.0" in scraped[0]
    assert "soak_delta_full_apply_ratio 1.0" in scraped[0]


@pytest.mark.slow
def test_when_the_time_is_up_it_ramps_down_and_ends(cli):
    ended = cli("soak", "run", "--mock", "--auto-tune", "--hours", "0", "--json")
    assert (ended.json["tally"]["iterations"], ended.json["verified"]) == (2, True)
    assert cli("soak", "verify").code == 0


@pytest.mark.slow
def test_a_gate_of_ones_own_judges_and_leaves_the_snapshot(cli):
    cli(*RUN)
    before = (SOAKS / "latest" / "POST_SOAK_SNAPSHOT.json").read_bytes()
    Path("own.yaml").write_text("gate: own\nchecks: [p95(kpi.latency_ms) < 1]\n")
    judged = cli("soak", "gate", "--spec", "own.yaml")
    assert judged.code == 1
    assert "p95(kpi.latency_ms) < 1" in judged.out
    assert (SOAKS / "latest" / "POST_SOAK_SNAPSHOT.json").read_bytes() == before
    Path("own.yaml").write_text("gate: own\nchecks: [p95(kpi.latncy_ms) < 1]\n")
    refused = cli("soak", "gate", "--spec", "own.yaml", "--prometheus")
    assert (refused.code, "the soak's own gate" in refused.err) == (2, True)
    refused = cli("soak", "gate", "--spec", "own.yaml")
    assert (refused.code, "did you mean kpi.latency_ms" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--mock", "--inject", "nope"), "'dropped', 'late'"),
        (("run", "--mock", "--iterations", "6", "--inject", "dropped", "--inject-at", "6"), "(--inject-at) is 6"),
        (("run", "--mock", "--iterations", "6", "--inject", "dropped"), "(--inject-at) is 8, expected less than the 6"),
        (("run", "--mock", "--iterations", "6", "--auto-tune"), "none of 6 iterations tunes"),
        (("run", "--mock", "--iterations", "4", "--auto-tune", "--profile", "quick"), "expected more than 4"),
        (("run", "--plant", "training", "--iterations", "3", "--auto-tune"), "expected more than 3"),
        (("run", "--mock", "--profile", "nope"), "no profile 'nope'"),
        (("run", "--resume", "nope"), "no soak at"),
        (("verify", "--path", "nowhere"), "no soak at nowhere"),
        (("gate", "--path", "nowhere"), "no soak at nowhere"),
        (("gate", "nope"), "no soak at artifacts/soak/nope"),
        (("verify", "nope", "--path", "nowhere"), "no soak at nowhere/nope"),
    ],
)
def test_bad_input_ends_with_2_and_nothing_is_written(cli, words, said):
    refused = cli("soak", *words)
    assert refused.code == 2
    assert said in refused.err
    assert not SOAKS.exists()


@pytest.mark.slow
def test_a_soak_that_is_run_by_another_process_is_left_alone(cli):
    cli(*RUN)
    with SoakFolder.find(SOAKS).locked():
        refused = cli("soak", "run", "--resume", "latest")
    assert (refused.code, "another process runs the soak" in refused.err) == (2, True)


@pytest.mark.slow
def test_tampered_samples_end_a_resume_with_4_and_the_file_is_named(cli):
    assert interrupted(cli).code == 130
    logs = Logs.of((SOAKS / "latest").resolve())
    logs.evidence[logs.measured()[-1]].payload["samples"]["net_bps"][0] += 1.0
    logs.sign()
    before = {path.name: path.read_bytes() for path in (SOAKS / "latest").iterdir()}
    resumed = cli("soak", "run", "--resume", "latest")
    assert (resumed.code, "evidence.log" in resumed.err, "internal error" in resumed.err) == (4, True, False)
    assert {path.name: path.read_bytes() for path in (SOAKS / "latest").iterdir()} == before


@pytest.mark.slow
def test_a_forged_drawing_and_an_edited_gate_end_with_4_and_a_stranger_is_a_remark(cli):
    cli(*RUN)
    drawing = SOAKS / "latest" / "KPIS.svg"
    true = drawing.read_bytes()
    (SOAKS / "latest" / "notes.txt").write_text("seen by me")
    verified = cli("soak", "verify", "--strict")
    assert (verified.code, "remark  notes.txt" in verified.out) == (0, True)
    assert re.search("counted +result", verified.out)
    assert "consumer's word" not in verified.out
    drawing.write_bytes(true.replace(b"PASS", b"FAIL"))
    for words in (("verify",), ("verify", "--strict"), ("gate",)):
        assert cli("soak", *words).code == 4
    first, shown, accused = cli("soak", "gate").err.splitlines()
    assert first == "verify.clean is false, by one accusation; to see all that was found"
    assert accused.startswith("accused  report, KPIS.svg: ")
    assert "KPIS.svg" in cli(*shlex.split(shown)[1:]).out
    drawing.write_bytes(true)
    anchored = cli("soak", "gate", "--anchor", "0" * 16)
    assert (anchored.code, "accused  anchor, POST_SOAK_SNAPSHOT.json: has the digest" in anchored.err) == (4, True)
    assert f"--anchor {'0' * 16}" in anchored.err
    assert cli("soak", "gate").code == 0
    CORRUPTIONS["plan-gate"].inflict(Scene((SOAKS / "latest").resolve(), Path(), Random(0)))
    assert cli("soak", "verify", "--strict").code == 4
    assert cli("soak", "gate").code == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--inject", "dropped", "--inject-at", "23", "--auto-tune"), "choose fault_from (--inject-at) from 1 to 22"),
        (("--inject", "dropped"), "without a tuner, no settings are delivered"),
    ],
)
def test_a_fault_that_cannot_come_about_ends_with_2_and_nothing_is_written(cli, words, said):
    refused = cli("soak", "run", "--mock", "--iterations", "24", *words)
    assert (refused.code, said in refused.err) == (2, True)
    assert not SOAKS.exists()
