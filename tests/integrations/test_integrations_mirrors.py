"""Mirrors: what a run logs stands in the other tracker as its own library reads it."""

import math
import shutil
import struct

import pytest
import torch
from training_world import RUNTIME

import seedbed
from seedbed.errors import InvalidInput
from seedbed.integrations import MLflowMirror, TensorBoard, TensorBoardMirror, WandbMirror
from seedbed.integrations._mlflow import client
from seedbed.integrations._mlflow_writing import MLflowTarget
from seedbed.loop._mirror import Mirror
from seedbed.records import Json, SnapshotDraft, Store, digest

CONFIG: dict[str, Json] = {"lr": 0.125, "model": {"heads": 4}, "layers": [1, 2], "note": "a long night"}
LOGGED = [(1, {"loss": 0.5}), (2, {"loss": 0.25, "val/ap": math.nan}), (3, {"loss": math.inf}), (2, {"late": 7.0})]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """Made once: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    client(str(path), create=True)
    return path


@pytest.fixture
def where(empty_database, tmp_path):
    return str(shutil.copy(empty_database, tmp_path / "mlflow.db"))


def commit(folder, metrics):
    """A commit of a run with these results."""
    with Store.open(folder / "store", create=True).start("digits") as run:
        draft = run.draft(
            metadata={"target": "digit", "model_family": "linear"},
            metrics=metrics,
            fingerprints=dict.fromkeys(("data", "split", "target", "feature"), digest("d")),
            config=CONFIG,
        )
        assert isinstance(draft, SnapshotDraft)
        return run.finish(draft)


def mirrored(mirror: Mirror, of=None, *, run_id="r1", logged=LOGGED):
    mirror.begin("digits", run_id, CONFIG)
    for step, values in logged:
        mirror.log(step, values)
    mirror.finish(of)


def mlflow_run(where):
    found = client(where, create=False)
    (experiment,) = [each for each in found.search_experiments() if each.name == "digits"]
    (run,) = found.search_runs([experiment.experiment_id])
    return found, run


def series(found, run, name):
    return [(point.step, repr(point.value)) for point in found.get_metric_history(run.info.run_id, name)]


@pytest.mark.slow
def test_mlflow_has_values_settings_and_results_of_the_run(where, tmp_path):
    done = commit(tmp_path, {"test": {"ap": 0.75}, "loss": 0.125})
    mirrored(MLflowMirror(where), done)
    found, run = mlflow_run(where)
    assert (run.info.run_name, run.info.status) == ("r1", "FINISHED")
    assert run.data.params == {"lr": "0.125", "model.heads": "4", "layers": "[1, 2]", "note": "a long night"}
    assert series(found, run, "loss")[:2] == [(1, "0.5"), (2, "0.25")]
    assert series(found, run, "val/ap") == [(2, "nan")]
    assert series(found, run, "late") == [(2, "7.0")]
    assert run.data.metrics["test.ap"] == 0.75
    assert run.data.metrics["final.loss"] == 0.125
    assert run.data.tags["seedbed.digest"] == done.digest


@pytest.mark.slow
def test_an_export_knows_the_run_that_was_mirrored(where, tmp_path):
    done = commit(tmp_path, {"test": {"ap": 0.75}})
    mirrored(MLflowMirror(where), done)
    assert not MLflowTarget(where).write(done, [])


@pytest.mark.slow
def test_mlflow_goes_on_in_the_run_that_an_earlier_attempt_left(where, tmp_path):
    first = MLflowMirror(where)
    first.begin("digits", "r1", CONFIG)
    first.log(1, {"loss": 0.5})
    first.finish(None)
    assert mlflow_run(where)[1].info.status == "FAILED"
    mirrored(MLflowMirror(where), commit(tmp_path, {}), logged=[(2, {"loss": 0.25})])
    found, run = mlflow_run(where)
    assert (run.info.status, series(found, run, "loss")) == ("FINISHED", [(1, "0.5"), (2, "0.25")])


@pytest.mark.slow
def test_what_mlflow_refuses_is_an_error_that_says_so(where):
    tracking = client(where, create=True)
    tracking.delete_experiment(tracking.create_experiment("digits"))
    with pytest.raises(InvalidInput, match=r"MLflow refuses the run r1 of digits: .*deleted"):
        MLflowMirror(where).begin("digits", "r1", CONFIG)


@pytest.mark.slow
def test_tensorboard_has_values_settings_and_results_of_the_run(tmp_path):
    mirrored(TensorBoardMirror(tmp_path / "logs"), commit(tmp_path, {"test": {"ap": 0.75}}))
    source = TensorBoard(tmp_path / "logs")
    assert source.ids() == ["r1"]
    run = source.read("r1")
    found = sorted((step, name, repr(value)) for step, values in run.steps for name, value in values.items())
    expected = [(step, name, repr(value)) for step, values in LOGGED for name, value in values.items()]
    assert found == sorted([*expected, (3, "final/test.ap", "0.75")])
    assert run.params["lr"] == 0.125
    assert (run.params["model.heads"], run.params["project"], run.params["layers"]) == (4, "digits", "[1, 2]")


def train(folder, mirror, **config):
    """A run of three steps that logs to mirrors too."""
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.125)
    given = {"project": "digits", "store": folder / "runs", "runtime": RUNTIME, "quiet": True}
    with seedbed.start(net, optimizer, mirror=mirror, config=config, **given) as run:
        for step, batch in run.steps([torch.ones(1, 2)] * 3):
            net(batch).sum().backward()
            optimizer.step()
            run.log(loss=1 / step)
        run.result(ap=0.75)
    return run


@pytest.mark.slow
def test_a_run_tells_its_mirrors_what_it_logs_and_how_it_ended(where, tmp_path):
    secret = "sk-proj-" + "a1B2" * 12
    run = train(tmp_path, [TensorBoardMirror(tmp_path / "logs"), MLflowMirror(where)], lr=0.125, api_key=secret)
    found, written = mlflow_run(where)
    assert (written.info.run_name, written.info.status) == (run.run_id, "FINISHED")
    assert series(found, written, "loss") == [(1, "1.0"), (2, "0.5"), (3, repr(1 / 3))]
    assert (written.data.metrics["ap"], written.data.tags["seedbed.digest"]) == (0.75, run.commit.digest)
    read = TensorBoard(tmp_path / "logs").read(run.run_id)
    losses = {step: values["loss"] for step, values in read.steps if "loss" in values}
    assert losses == pytest.approx({step: 1 / step for step in (1, 2, 3)})
    assert read.params["lr"] == 0.125
    assert secret not in str(written.data.params) + str(read.params)


@pytest.mark.slow
def test_a_mirror_is_told_of_a_run_that_fails(where, tmp_path):
    with pytest.raises(InvalidInput, match="expected one number"):
        train_wrongly(tmp_path, MLflowMirror(where))
    assert mlflow_run(where)[1].info.status == "FAILED"


def train_wrongly(folder, mirror):
    given = {"project": "digits", "store": folder / "runs", "runtime": RUNTIME, "quiet": True}
    with seedbed.start(mirror=mirror, **given) as run:
        run.log(loss="much")


def wandb_records(folder):
    """The records of the one W&B file in `folder`: LevelDB's log format, in which each holds a protobuf message."""
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()  # waits until W&B's own process has written everything
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, offset, message = path.read_bytes(), 7, b""
    while offset + 7 <= len(data):
        if 32768 - offset % 32768 < 7:
            offset += 32768 - offset % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[offset : offset + 7])
        message += data[offset + 7 : offset + 7 + length]
        offset += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            record = wandb_internal_pb2.Record()
            record.ParseFromString(message)
            message = b""
            yield record


def wandb_items(items):
    return {"/".join(item.nested_key) or item.key: item.value_json for item in items}


@pytest.mark.slow
def test_wandb_has_values_settings_and_results_of_the_run_in_files(tmp_path):
    done = commit(tmp_path, {"test": {"ap": 0.75}})
    mirrored(WandbMirror(tmp_path / "wandb"), done)
    records = list(wandb_records(tmp_path / "wandb"))
    rows = [wandb_items(record.history.item) for record in records if record.HasField("history")]
    logged = [{name: row[name] for name in row if not name.startswith("_")} for row in rows]
    assert logged == [
        {"loss": "0.5", "step": "1"},
        {"loss": "0.25", "val/ap": "NaN", "step": "2"},
        {"loss": "Infinity", "step": "3"},
        {"late": "7", "step": "2"},
    ]
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.project, run.run_id, run.display_name) == ("digits", "r1", "r1")
    summaries = [wandb_items(record.summary.update) for record in records if record.HasField("summary")]
    assert {"test.ap": "0.75", "seedbed.digest": f'"{done.digest}"'}.items() <= {
        name: text for summary in summaries for name, text in summary.items()
    }.items()
    (ended,) = [record.exit.exit_code for record in records if record.HasField("exit")]
    assert ended == 0


@pytest.mark.slow
def test_wandb_goes_on_in_the_run_that_is_open_and_leaves_it_open(tmp_path):
    import wandb

    quiet = wandb.Settings(console="off", silent=True, disable_git=True)
    with wandb.init(project="mine", mode="offline", dir=str(tmp_path), settings=quiet) as run:
        mirrored(WandbMirror(tmp_path / "other"), None)
        run.log({"mine": 1.0})
        assert wandb.run is run
    rows = [wandb_items(record.history.item) for record in wandb_records(tmp_path) if record.HasField("history")]
    assert [row.get("loss") for row in rows] == ["0.5", "0.25", "Infinity", None, None]
    assert not (tmp_path / "other").exists()
