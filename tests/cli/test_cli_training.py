"""`seedbed train`, `demo`, `init` and `doctor`, run for real on a job that takes a second."""

import json
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_world import SMALL_CONFIG, signalled, small_job

from seedbed.cli.training._init import TEMPLATE
from seedbed.cli.training._job import cohort_of
from seedbed.cli.training._reading import note_reading
from seedbed.stages import TrainConfig, load_config
from seedbed.stages._draft import lint_gate
from seedbed.temporal import FileFormat


@pytest.mark.slow
def test_training_ends_with_the_gates_code_a_summary_and_a_report(cli, tmp_path):
    job = small_job(tmp_path)
    answer = cli(*job)
    assert answer.code == 0, answer.err
    for part in (
        "test, random negatives",
        "pair counter",
        "strongest baseline",
        "EFFECTIVE",
        "SDPA",
        "gate: PASS",
        "try next",
    ):
        assert part in answer.out
    run_id = answer.out.split("seedbed runs verify ")[1].split()[0]
    assert next(Path(".seedbed").glob(f"runs/small/{run_id}/TRAINING/report.html")).is_file()
    assert f"seedbed {' '.join(job[:4])} --seed 1" in answer.out
    assert "train 9/9" in answer.err
    assert "events/s" in answer.err


@pytest.mark.slow
def test_a_second_run_finds_its_predecessor_and_json_is_alone_on_stdout(cli, tmp_path):
    job = small_job(tmp_path)
    first, second = cli(*job, "--json").json, cli(*job, "--json").json
    assert second["metrics"] == first["metrics"]
    assert second["gate"]["verdict"] == "PASS"
    shown = cli("runs", "diff", second["run_id"], "--json").json
    assert shown["prev_run_id"] == first["run_id"]


@pytest.mark.slow
def test_events_kept_as_sessions_train_to_the_same_metrics(cli, tmp_path):
    command, events, *options = small_job(tmp_path)
    whole = cli(command, events, *options, "--json").json
    assert cli("shard", events, "sessions", "--by", "100", *options[:2], "--json").json["sessions"] > 1
    assert cli(command, "sessions", *options, "--json").json["metrics"] == whole["metrics"]
    assert cli("shard", events, "elsewhere", "--by", "week").code == 2


@pytest.mark.slow
def test_options_win_over_the_configuration(cli, tmp_path):
    cli(*small_job(tmp_path), "--seed", "7", "--epochs", "2", "--events", "400")
    config = cli("runs", "show", "latest", "--json").json["snapshot"]["config"]
    assert (config["training"]["seed"], config["training"]["epochs"], config["data"]["limit"]) == (7, 2, 400)


def test_strict_stops_with_4_and_names_the_kernel_and_the_run(cli, tmp_path):
    answer = cli(*small_job(tmp_path), "--inject", "math-attention")
    assert answer.code == 4
    assert "_scaled_dot_product_attention_math ran instead" in answer.err
    assert "seedbed runs show " in answer.err
    assert answer.out == ""
    assert cli("runs", "list", "--json").json["runs"][0]["status"] == "FAILED"


@pytest.mark.slow
def test_compat_warns_and_goes_on_degraded(cli, tmp_path):
    answer = cli(*small_job(tmp_path), "--inject", "math-attention", "--mode", "compat", "--json")
    assert "warning: Runtime degraded" in answer.err
    assert answer.json["audit_run"]["degraded"] is True
    assert answer.json["audit_run"]["settings"]["mode"] == {"value": "COMPAT", "source": "CODE"}


@pytest.mark.slow
def test_a_change_that_is_undone_fails_the_gate(cli, tmp_path):
    answer = cli(*small_job(tmp_path), "--inject", "lr-overwrite", "--epochs", "3")
    assert answer.code == 1
    assert "LambdaLR" in answer.err
    assert "LambdaLR" in answer.out.split("changes", 1)[1]
    assert "FAILED" in answer.out


@pytest.mark.slow
def test_a_torn_log_is_cut_and_the_run_goes_on_to_the_same_metrics(cli, tmp_path):
    job = small_job(tmp_path)
    whole, torn = cli(*job, "--json"), cli(*job, "--inject", "torn-log", "--json")
    assert torn.code == 0
    assert torn.json["metrics"] == whole.json["metrics"]
    assert "events.log ended in a torn record" in torn.err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "named"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_with_130_and_says_which_it_was_and_how_to_go_on(number, named, cli, tmp_path):
    job = small_job(tmp_path)
    whole = cli(*job, "--epochs", "3", "--json").json
    with signalled(number, 14):
        stopped = cli(*job, "--epochs", "3", "--json")
    assert stopped.code == 130
    assert (stopped.json["status"], stopped.json["reason"]) == ("INTERRUPTED", named)
    assert f"interrupted by {named}: run {stopped.json['run_id']} is checkpointed" in stopped.err
    assert stopped.json["warnings"] == whole["warnings"]
    assert f" --resume {stopped.json['run_id']}" in stopped.json["resume"]
    resumed = cli(*job, "--resume", stopped.json["run_id"][:-1], "--json").json
    assert resumed["run_id"] == stopped.json["run_id"]
    assert resumed["metrics"] == whole["metrics"]


def test_a_run_is_resumed_only_by_the_job_that_it_began_with(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = cli(*job, "--inject", "math-attention") and cli("runs", "list", "--json").json["runs"][0]["run_id"]
    (tmp_path / "small.yaml").write_text(SMALL_CONFIG.replace("project: small", "project: other"))
    answer = cli(*job, "--resume", run_id)
    assert answer.code == 2
    assert "small.yaml states other settings than the run began with (project was small, not other)" in answer.err


def test_a_run_is_not_resumed_with_other_settings_than_it_began_with(cli, tmp_path):
    job = small_job(tmp_path)
    assert cli(*job, "--inject", "math-attention", "--epochs", "2").code == 4
    others = SMALL_CONFIG.replace("batch_size: 50", "batch_size: 40").replace("patience: 1", "patience: 2")
    (tmp_path / "small.yaml").write_text(others)
    answer = cli(*job, "--resume", "latest")
    assert answer.code == 2
    assert "change.patience was 1, not 2; training.batch_size was 50, not 40" in answer.err
    assert "resume it without --config, or start a new run" in answer.err


def begun(cli, *job):
    """Begin a run that ends at its first step, and return its name."""
    assert cli(*job, "--inject", "math-attention").code == 4
    return cli("runs", "list", "--json").json["runs"][0]["run_id"]


@pytest.mark.parametrize(
    ("began", "edit", "options", "said", "without"),
    [
        ((), ("epochs: 1", "epochs: 3"), (), "training.epochs was 1, not 3", "--config"),
        ((), ("training: {", "training: {seed: 4, "), (), "training.seed was 0, not 4", "--config"),
        ((), ("", ""), ("--epochs", "3"), "training.epochs was 1, not 3", "--epochs"),
        ((), ("", ""), ("--mode", "compat"), "runtime.mode was strict, not compat", "--mode"),
        (("--epochs", "6"), ("epochs: 1", "epochs: 3"), (), "training.epochs was 6, not 3", "--config"),
        (
            ("--seed", "2"),
            ("batch_size: 50", "batch_size: 40"),
            ("--seed", "4"),
            "training.batch_size was 50, not 40; training.seed was 2, not 4",
            "--config and --seed",
        ),
        (
            (),
            ("changes.failed == 0]", "metrics.test.random.ap >= 0.9 @ 95%, changes.unknown == 0]"),
            (),
            "gate check 2 was `changes.failed == 0`, not `metrics.test.random.ap >= 0.9 @ 95%`; "
            "gate check 3 `changes.unknown == 0` is new",
            "--config",
        ),
        ((), ("failed == 0]", "failed == 1]"), (), "gate check 2 was `changes.failed == 0`, not `== 1`", "--config"),
        (
            (),
            (", kind: contract", ""),
            (),
            "gate check 1 `audit.degraded == false`: kind was contract, not threshold",
            "--config",
        ),
    ],
)
def test_whatever_is_stated_otherwise_on_resume_is_refused_by_one_rule(
    began, edit, options, said, without, cli, tmp_path
):
    job = small_job(tmp_path)
    run_id = begun(cli, *job, *began)
    (tmp_path / "small.yaml").write_text(SMALL_CONFIG.replace(*edit) if edit[0] else SMALL_CONFIG)
    before = {path: path.read_bytes() for path in Path(".seedbed").rglob("*") if path.is_file()}
    answer = cli(*job, "--resume", run_id, *options)
    assert answer.code == 2
    assert f"than the run began with ({said}), and a run goes on as it began" in answer.err
    assert f"resume it without {without}, or start a new run" in answer.err
    assert {path: path.read_bytes() for path in Path(".seedbed").rglob("*") if path.is_file()} == before


def goes_on(cli, *words):
    """Whether the run is begun again: it stops at the same fault, and not because of what was stated."""
    answer = cli(*words, "--inject", "math-attention")
    return answer.code == 4 and "warning: the resumed run goes on as it began" not in answer.err


def test_what_something_stronger_overrode_when_the_run_began_may_still_be_stated(cli, tmp_path, monkeypatch):
    job = small_job(tmp_path)
    monkeypatch.setenv("SEEDBED_RUNTIME_THREADS", "2")
    options = ("--epochs", "3", "--threads", "1")
    run_id = begun(cli, *job, *options)
    assert goes_on(cli, *job, *options, "--resume", run_id)
    assert goes_on(cli, *job, "--resume", run_id)
    monkeypatch.setenv("SEEDBED_RUNTIME_THREADS", "3")
    answer = cli(*job, "--resume", run_id)
    assert "SEEDBED_RUNTIME_THREADS states other settings than the run began with (runtime.threads was 1, not 3)" in (
        answer.err
    )


def test_where_a_former_version_did_not_note_what_was_overridden_it_is_a_warning(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = begun(cli, *job, "--epochs", "3")
    (path,) = Path(".seedbed").rglob("job.json")
    document = json.loads(path.read_bytes())
    del document["overridden"]
    path.write_text(json.dumps(document | {"schema_version": 3}))
    answer = cli(*job, "--resume", run_id, "--inject", "math-attention")
    assert answer.code == 4
    assert "warning: the resumed run goes on as it began: training.epochs was 3, not 1" in answer.err


def test_a_run_of_any_project_is_resumed_without_its_configuration(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = begun(cli, *job)
    assert goes_on(cli, *job[:2], "--no-open", "--resume", run_id)
    assert goes_on(cli, *job[:2], "--no-open", "--resume", run_id[:-2])


def test_of_a_name_that_several_projects_hold_the_file_says_which_is_meant(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = begun(cli, *job)
    copied = shutil.copytree(f".seedbed/runs/small/{run_id}", f".seedbed/runs/other/{run_id}")
    for path in Path(copied).glob("*/*.json"):
        path.write_text(path.read_text().replace('"project": "small"', '"project": "other"'))
    answer = cli(*job[:2], "--no-open", "--resume", run_id)
    assert answer.code == 2
    assert f"run {run_id} is in the projects other and small; say which is meant by --config FILE" in answer.err
    assert goes_on(cli, *job, "--resume", run_id)


def test_a_run_that_crashed_before_it_wrote_its_job_goes_on_in_its_own_project(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = begun(cli, *job)
    next(Path(".seedbed").rglob("job.json")).unlink()
    (tmp_path / "small.yaml").write_text(SMALL_CONFIG.replace("project: small", ""))
    assert goes_on(cli, *job, "--resume", run_id)
    assert [run["project"] for run in cli("runs", "list", "--json").json["runs"]] == ["small"]


@pytest.mark.slow
def test_the_command_that_a_stopped_run_names_goes_on_with_what_options_had_changed(cli, tmp_path):
    job = small_job(tmp_path)
    options = ("--epochs", "3", "--seed", "4", "--mode", "compat", "--threads", "1")
    whole = cli(*job, *options, "--json").json
    with signalled(signal.SIGINT, 14):
        stopped = cli(*job, *options, "--json")
    again = shlex.split(stopped.json["resume"])
    assert sorted(again[5:-2]) == sorted([*options, "--no-open", "--json"])
    found = cli(*again[1:])
    assert found.json["metrics"] == whole["metrics"]
    assert found.json["warnings"] == whole["warnings"] == []


@pytest.mark.slow
def test_a_finished_run_cannot_be_resumed(cli, tmp_path):
    job = small_job(tmp_path)
    run_id = cli(*job, "--json").json["run_id"]
    answer = cli(*job, "--resume", run_id)
    assert answer.code == 2
    assert f"run {run_id} is finished, as commit 1 of small, so nothing of it is left to do" in answer.err
    assert f"see it with `seedbed runs show {run_id}`, or leave out --resume to start a new run" in answer.err


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: (folder / "small.yaml").write_text("training: {epoch: 3}"), "training.epoch"),
        (lambda folder: (folder / "small.yaml").write_text("training: ["), "not YAML"),
        (lambda folder: (folder / "small.yaml").unlink(), "no such configuration"),
        (lambda folder: (folder / "events.csv").unlink(), "events.csv"),
        (lambda folder: (folder / "events.csv").write_text("src,dst\n1,2\n"), "t"),
        (lambda folder: (folder / "events.csv").write_text("src,dst,t\n1,2,9\n1,2,3\n"), "row 2"),
    ],
    ids=["unknown field", "bad YAML", "no configuration", "no events", "no column", "unsorted"],
)
def test_bad_input_ends_with_2_and_is_named(change: Any, named: str, cli, tmp_path):
    job = small_job(tmp_path)
    change(tmp_path)
    answer = cli(*job)
    assert answer.code == 2
    assert named in answer.err
    assert not Path(".seedbed").exists()


def test_a_wrong_runtime_variable_ends_with_2(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("SEEDBED_RUNTIME_MOOD", "strict")
    answer = cli(*small_job(tmp_path))
    assert answer.code == 2
    assert "SEEDBED_RUNTIME_MOOD" in answer.err


@pytest.mark.slow
def test_sort_accepts_events_in_any_order(cli, tmp_path):
    job = small_job(tmp_path)
    header, *rows = (tmp_path / "events.csv").read_text().splitlines()
    (tmp_path / "events.csv").write_text("\n".join([header, *reversed(rows)]))
    assert cli(*job).code == 2
    assert cli(*job, "--sort").code == 0


def test_the_written_configuration_is_the_default_one_and_names_every_field(cli):
    assert cli("init", "job.yaml").code == 0
    assert load_config(Path("job.yaml")) == TrainConfig()
    fields = TrainConfig().model_dump(mode="json")
    fields["data"]["file"] = FileFormat().model_dump(mode="json")  # left out of records where it is as usual
    assert fields_of(yaml.safe_load(TEMPLATE.read_text())) == fields_of(fields)


def test_the_check_that_the_template_proposes_is_one_that_a_training_can_be_judged_by():
    written = TEMPLATE.read_text()
    added = written.replace("# - metrics.margin", "- metrics.margin")
    assert added != written
    gate = TrainConfig.model_validate(yaml.safe_load(added)).gate
    assert [check.metric for check in gate[:-1]] == [check.metric for check in TrainConfig().gate]
    assert (gate[-1].metric, gate[-1].op, gate[-1].value) == ("metrics.margin.random.ap", ">", 0)
    lint_gate(gate)


def test_init_overwrites_only_with_force(cli):
    Path("seedbed.yaml").write_text("mine")
    answer = cli("init")
    assert answer.code == 2
    assert Path("seedbed.yaml").read_text() == "mine"
    assert cli("init", "--force").code == 0
    assert Path("seedbed.yaml").read_bytes() == TEMPLATE.read_bytes()


@pytest.mark.slow
def test_the_demo_is_the_same_job_on_the_shipped_flights(cli, monkeypatch):
    seen: dict[str, Any] = {}

    def run_job(request, config, cohort, load):
        seen.update(request=request, config=config, events=len(load(config.model_copy())))
        return 0

    monkeypatch.setattr("seedbed.cli.training._job.run_job", run_job)
    assert cli("demo", "--mode", "COMPAT", "--no-open").code == 0
    assert seen["events"] == seen["config"].data.limit == 60_000
    assert seen["request"].mode == "compat"


def test_doctor_says_four_facts_a_feature(cli, monkeypatch):
    monkeypatch.setenv("SEEDBED_RUNTIME_CDC", "off")
    answer = cli("doctor", "--device", "cpu", "--json")
    assert answer.code == 0
    features = answer.json["features"]
    assert set(features) == {"sdpa", "flash", "amp", "cdc"}
    assert all({"requested", "eligible", "selected", "observed"} <= set(feature) for feature in features.values())
    assert features["flash"]["observed"] is True
    shown = cli("doctor", "--device", "cpu")
    assert "FLASH" in shown.out
    assert "a STRICT run can go ahead" in shown.out


def test_doctor_ends_with_1_when_something_asked_for_is_not_seen(cli, monkeypatch):
    import torch

    monkeypatch.setenv("SEEDBED_RUNTIME_CDC", "off")
    before = torch.backends.cuda.flash_sdp_enabled()
    torch.backends.cuda.enable_flash_sdp(False)
    try:
        answer = cli("doctor", "--device", "cpu")
    finally:
        torch.backends.cuda.enable_flash_sdp(before)
    assert answer.code == 1
    assert "a STRICT run would stop here" in answer.out
    assert "to do:" in answer.out


def fields_of(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {path}
    return {name for key, item in value.items() for name in fields_of(item, f"{path}.{'null' if key is None else key}")}


def test_shard_keeps_the_unit_and_says_what_is_odd(cli, tmp_path):
    rows = "".join(f"{i % 7},{100 + i % 5},{1_700_000_000_000 + i * 3_600_000}\n" for i in range(72))
    (tmp_path / "events.csv").write_text(f"src,dst,t\n{rows}{rows.splitlines()[-1]}\n")
    (tmp_path / "ms.yaml").write_text("data: {time_unit: milliseconds}")
    wrong = cli("shard", "events.csv", "wrong", "--json")
    assert wrong.json["sessions"] == 72
    unit, copies = wrong.json["warnings"]
    assert "set data.time_unit to milliseconds" in unit
    assert "1 of 73 events are exact copies" in copies
    assert wrong.err.count("warning: ") == len(wrong.json["warnings"])
    right = cli("shard", "events.csv", "right", "--config", "ms.yaml", "--json").json
    assert (right["sessions"], right["time_unit"]) == (4, "milliseconds")


@pytest.mark.slow
def test_too_few_events_are_warned_of_before_the_training_and_in_json(cli, tmp_path):
    command, events, _, config, *options = small_job(tmp_path)
    (tmp_path / "events.csv").write_text("src,dst,t\n" + "".join(f"{i % 3},{3 + i % 2},{i}\n" for i in range(20)))
    answer = cli(command, events, "--config", config, *options, "--json")
    assert "make 1 steps in all: no model learns from so few" in answer.err
    assert any("no model learns" in warning for warning in answer.json["warnings"])
    assert answer.err.index("no model learns") < answer.err.index("train 1/1")


@pytest.mark.parametrize(
    ("name", "cohort"),
    [("sales.csv.gz", "sales.csv.gz"), ("sales.csv", "sales.csv"), ("my sales.csv", "my-sales.csv"), ("_.", "events")],
)
def test_the_cohort_is_the_file_as_it_is_called_where_a_store_takes_it(name, cohort):
    assert cohort_of(Path("there") / name) == cohort


def test_a_large_file_is_said_to_be_read(tmp_path, monkeypatch, capsys):
    (tmp_path / "events.csv").write_text("src,dst,t\n1,2,3\n")
    note_reading(tmp_path / "events.csv")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("seedbed.cli.training._reading._LARGE_BYTES", 16)
    note_reading(tmp_path / "events.csv")
    note_reading(tmp_path)  # a folder of sessions
    assert capsys.readouterr().err == f"reading {tmp_path / 'events.csv'}, 16 B\n"
