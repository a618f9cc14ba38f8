import math
import shutil
from datetime import UTC, datetime

import pytest
from integrations_world import DESCRIBED, commit_of, imported, steps_of

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations import ImportOutcome, JsonLines, MLflow, MLflowTarget
from seedbed.integrations._mlflow_plan import planned
from seedbed.integrations._spelling import flattened
from seedbed.records import NOT_APPLICABLE, Store, merged_events, not_applicable

pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")  # its quarrel with SQLAlchemy
START = 1_760_000_000_000


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Made once: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    client_of(path)
    return path


@pytest.fixture
def database(empty_database, tmp_path):
    return shutil.copy(empty_database, tmp_path / "mlflow.db")


def client_of(database):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def run_of(client, experiment, *, params=(), metrics=(), tags=(), status="FINISHED", start=START):
    """Write a run as a training would; metrics are name, value, step and time."""
    from mlflow.entities import Metric, Param

    run = client.create_run(experiment, start_time=start, run_name="a run", tags=dict(tags)).info.run_id
    client.log_batch(
        run, [Metric(n, v, t, s) for n, v, s, t in metrics], [Param(*item) for item in dict(params).items()]
    )
    if status != "RUNNING":
        client.set_terminated(run, status, start + 90_000)
    return run


def native(database):
    """A store as MLflow's own users fill it."""
    client = client_of(database)
    experiment = client.create_experiment("sweep")
    user = {"mlflow.user": "alice", "mlflow.source.name": "/home/alice/train.py", "mlflow.source.git.commit": "c0ffee"}
    first = run_of(
        client,
        experiment,
        params={"lr": "1e-05", "epochs": "3", "amp": "True", "name": "adam", "layers": "[64, 32]", "id": "007"},
        metrics=[
            *(("loss", 1.0 / step, step, START + step) for step in (1, 2, 3)),
            ("loss", 0.25, 3, START + 9),
            ("grad", math.nan, 1, START),
            ("grad", math.inf, 2, START),
            ("ap", 0.9, 3, START),
        ],
        tags={**user, "team": "red"},
    )
    return client, experiment, first


def store_with(tmp_path, text):
    (tmp_path / "runs.jsonl").write_text(text, encoding="utf-8")
    imported(JsonLines(tmp_path / "runs.jsonl"), tmp_path / "store")
    return Store.open(tmp_path / "store")


def series_of(folder, seq):
    series: dict[str, list[tuple[int, float]]] = {}
    for step, values in steps_of(folder, seq):
        for name, value in values.items():
            series.setdefault(name, []).append((step, value))
    return series


def exported(store, database, project=DESCRIBED.project):
    target, log = MLflowTarget(str(database)), store.log(project)
    views = [store.finished(project, commit.seq) for commit in log.commits()]
    return [target.write(view.commit, merged_events(store, view)) for view in views]


@pytest.mark.slow
def test_a_run_of_mlflow_becomes_a_commit(database, tmp_path):
    _, _, run = native(database)
    [done] = imported(MLflow(str(database)), tmp_path / "store")
    assert (done.outcome, done.run_id, done.seq) == (ImportOutcome.IMPORTED, f"mlflow-{run}", 1)
    snapshot = commit_of(tmp_path / "store").snapshot
    typed = {"lr": 1e-05, "epochs": 3, "amp": True, "name": "adam", "layers": [64, 32], "id": "007"}
    assert snapshot.config == typed
    assert snapshot.metrics == {"ap": 0.9, "grad": "Infinity", "loss": 0.25}
    assert snapshot.experiment_id == "sweep"
    assert snapshot.inputs["source"]["run_id"] == run
    assert snapshot.timing == {"wall_seconds": 90}
    assert snapshot.process["started"] == datetime.fromtimestamp(START / 1000, UTC).isoformat().replace("+00:00", "Z")
    assert steps_of(tmp_path / "store") == [
        (1, {"grad": "nan", "loss": "1.0"}),
        (2, {"grad": "inf", "loss": "0.5"}),
        (3, {"ap": "0.9", "loss": repr(1 / 3)}),
        (3, {"loss": "0.25"}),
    ]


@pytest.mark.slow
def test_tags_that_name_a_user_or_a_place_stay_behind(database, tmp_path):
    native(database)
    imported(MLflow(str(database)), tmp_path / "store")
    assert commit_of(tmp_path / "store").snapshot.documents["tags"] == {
        "mlflow.runName": "a run",
        "mlflow.source.git.commit": "c0ffee",
        "team": "red",
    }
    written = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"alice" not in written
    assert str(tmp_path).encode() not in written


@pytest.mark.slow
def test_importing_again_finds_every_run_and_adds_the_new(database, tmp_path):
    client, experiment, _ = native(database)
    imported(MLflow(str(database)), tmp_path / "store")
    run_of(client, experiment, metrics=[("ap", 0.8, 0, START)], start=START + 1)
    done = imported(MLflow(str(database)), tmp_path / "store")
    assert [(item.outcome, item.seq) for item in done] == [(ImportOutcome.PRESENT, 1), (ImportOutcome.IMPORTED, 2)]


@pytest.mark.slow
def test_a_run_that_has_not_finished_is_told_and_not_imported(database, tmp_path):
    client, experiment, _ = native(database)
    for number, status in enumerate(("RUNNING", "FAILED", "KILLED"), start=1):
        run_of(client, experiment, status=status, start=START + number)
    done = imported(MLflow(str(database)), tmp_path / "store")
    assert [item.outcome for item in done] == [ImportOutcome.IMPORTED, *[ImportOutcome.UNFINISHED] * 3]
    assert Store.open(tmp_path / "store").log(DESCRIBED.project).head() == 1


@pytest.mark.slow
def test_runs_of_one_experiment_alone_may_be_asked_for(database, tmp_path):
    client, _, first = native(database)
    other = run_of(client, client.create_experiment("other"))
    assert MLflow(str(database), "other").ids() == [other]
    assert MLflow(f"sqlite:///{database}", "sweep").ids() == [first]
    assert set(MLflow(str(database)).ids()) == {first, other}
    with pytest.raises(NotFound, match="there is no experiment absent in"):
        MLflow(str(database), "absent")


@pytest.mark.slow
def test_every_page_of_runs_is_read(database, monkeypatch):
    monkeypatch.setattr("seedbed.integrations._mlflow_reading._PAGE", 2)
    client, experiment, first = native(database)
    more = [run_of(client, experiment, start=START + number) for number in range(1, 6)]
    assert MLflow(str(database)).ids() == [first, *more]


@pytest.mark.slow
def test_the_data_that_mlflow_recorded_is_the_fingerprint_of_the_data(database, tmp_path):
    from mlflow.entities import Dataset, DatasetInput, InputTag

    client, experiment, first = native(database)
    second = run_of(client, experiment, start=START + 1)
    third = run_of(client, experiment, start=START + 2)
    used = [InputTag("mlflow.data.context", "training")]
    for run, name in ((first, "abc"), (second, "abc"), (third, "xyz")):
        client.log_inputs(run, [DatasetInput(Dataset("flights", name, "local", "{}"), used)])
    imported(MLflow(str(database)), tmp_path / "store")
    one, two, three = (commit_of(tmp_path / "store", seq).snapshot for seq in (1, 2, 3))
    assert one.inputs["data"] == [["flights", "abc", "training"]]
    assert one.fingerprint_sources["data"] == "the data sets that mlflow recorded"
    assert one.fingerprints["data"] == two.fingerprints["data"] != three.fingerprints["data"]
    assert two.diff_prev.prev_run_id == one.run_id
    assert three.diff_prev.prev_run_id is None


def test_a_store_that_is_not_there_is_not_made_by_reading_it(tmp_path):
    for where in (str(tmp_path / "absent.db"), f"sqlite:///{tmp_path / 'absent.db'}"):
        with pytest.raises(NotFound, match="there is no MLflow store at"):
            MLflow(where)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_store_of_mlflow_is_refused_in_its_own_words(tmp_path):
    with pytest.raises(InvalidInput, match="MLflow refuses weird://x"):
        MLflow("weird://x")


def test_runs_in_folders_of_mlflows_first_store_are_read_too(tmp_path):
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    folder = tmp_path / "mlruns"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(tracking_uri=folder.as_uri())
        run = client.create_run(client.create_experiment("old")).info.run_id
        client.log_batch(run, [Metric("ap", 0.5, START, 1), Metric("worst", math.inf, START, 1)])
        client.set_terminated(run)
    [done] = imported(MLflow(str(folder)), tmp_path / "store")
    assert done.seq == 1
    assert steps_of(tmp_path / "store") == [(1, {"ap": "0.5", "worst": "inf"})]


@pytest.mark.slow
def test_what_is_exported_and_imported_again_is_the_same(database, tmp_path):
    store = store_with(
        tmp_path,
        """
{"run": "a", "params": {"lr": 1e-05, "o": {"betas": [0.9, 1.5], "name": "adam"}, "n": "1", "none": null, "on": true}}
{"run": "a", "tags": {"team": "red", "n": 3, "seedbed.seq": "forged"}}
{"run": "a", "step": 1, "metrics": {"loss": 0.5, "ap": 0.1, "lr": 0.1}}
{"run": "a", "step": 2, "metrics": {"loss": NaN, "ap": 0.2}}
{"run": "a", "step": 2, "metrics": {"ap": 0.3, "low": -Infinity}}
{"run": "a", "metrics": {"test": {"ap": 0.91, "events": 9000, "worst": Infinity}, "ap": 0.3, "lr": 7, "loss": NaN}}
{"run": "b", "metrics": {"ap": 0.5}}
""",
    )
    assert exported(store, database) == [True, True]
    again = tmp_path / "again"
    assert [item.outcome for item in imported(MLflow(str(database)), again)] == [ImportOutcome.IMPORTED] * 2
    for seq in (1, 2):
        before, after = commit_of(tmp_path / "store", seq).snapshot, commit_of(again, seq).snapshot
        assert flattened(after.config) == flattened(before.config)
        assert series_of(again, seq) == series_of(tmp_path / "store", seq)
    first = commit_of(again).snapshot
    # A result that is called like a series and is not its end has to have a name of its own.
    results = {"test.ap": 0.91, "test.events": 9000, "test.worst": "Infinity", "ap": 0.3, "loss": "NaN"}
    assert first.metrics == results | {"final.lr": 7}
    assert first.documents["tags"] == {"mlflow.runName": "jsonl-a", "team": "red", "n": "3"}


@pytest.mark.slow
def test_exporting_again_writes_nothing_and_what_was_left_half_written_anew(database, tmp_path):
    store = store_with(tmp_path, '{"run": "a", "step": 1, "metrics": {"loss": 0.5}}\n{"run": "b"}')
    assert exported(store, database) == [True, True]
    assert exported(store, database) == [False, False]
    client = client_of(database)
    experiment = client.get_experiment_by_name(DESCRIBED.project).experiment_id
    found = client.search_runs([experiment], filter_string="tags.`seedbed.run_id` = 'jsonl-a'")
    client.update_run(found[0].info.run_id, status="RUNNING")  # as a killed export leaves it
    assert exported(store, database) == [True, False]
    [run] = client.search_runs([experiment], filter_string="tags.`seedbed.run_id` = 'jsonl-a'")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.5})


@pytest.mark.slow
def test_a_run_in_mlflow_tells_of_its_commit(database, tmp_path):
    store = store_with(tmp_path, '{"run": "a", "params": {"lr": 1}}\n{"run": "b", "params": {"lr": 2}}')
    exported(store, database)
    client = client_of(database)
    experiment = client.get_experiment_by_name(DESCRIBED.project)
    runs = {run.info.run_name: run.data.tags for run in client.search_runs([experiment.experiment_id])}
    tags = runs["jsonl-b"]
    assert {name: text for name, text in tags.items() if name.startswith("seedbed.")} == {
        "seedbed.project": "outside",
        "seedbed.run_id": "jsonl-b",
        "seedbed.stage": "TRAINING",
        "seedbed.attempt": "1",
        "seedbed.seq": "2",
        "seedbed.digest": commit_of(tmp_path / "store", 2).digest,
        "seedbed.comparable": "null",
        "seedbed.prev_run_id": "null",
        "seedbed.severity": "NONE",
        "seedbed.step_metrics": "{}",
    }


@pytest.mark.slow
def test_what_mlflow_cannot_take_is_left_out_and_named(database, tmp_path):
    long, odd = "x" * 6001, "größe"
    store = store_with(
        tmp_path,
        f"""
{{"run": "a", "params": {{"long": "{long}", "{odd}": 1, "a/../b": 2, "/a": 3, "lr": 4}}, "tags": {{"t": "{long}"}}}}
{{"run": "a", "metrics": {{"{odd}": 1, "note": "text", "on": true, "curve": [1, 2], "none": null, "ap": 0.5}}}}
{{"run": "a", "step": 1, "metrics": {{"{odd}2": 1, "loss": 2}}}}
""",
    )
    exported(store, database)
    client = client_of(database)
    experiment = client.get_experiment_by_name(DESCRIBED.project)
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"lr": "4"}
    assert run.data.metrics == {"ap": 0.5, "loss": 2}
    left = '{"metrics": ["curve", "größe", "größe2", "none", "note", "on"], "params": ["/a", "a/../b", "größe", "long"]'
    assert run.data.tags["seedbed.left_out"] == f'{left}, "tags": ["t"]}}'


def test_of_very_many_names_that_were_left_out_only_the_number_is_told(tmp_path):
    names = ", ".join(f'"größe{number}": 1' for number in range(2000))
    store = store_with(tmp_path, f'{{"run": "a", "params": {{{names}}}}}')
    [commit] = store.log(DESCRIBED.project).commits()
    plan = planned(commit, [])
    assert plan.tags["seedbed.left_out"] == '{"params": 2000}'
    assert plan.params == {}


@pytest.mark.slow
def test_more_points_and_settings_than_fit_in_one_batch_are_all_written(database, tmp_path):
    params = ", ".join(f'"p{number}": {number}' for number in range(250))
    steps = "\n".join(f'{{"run": "a", "step": {step}, "metrics": {{"loss": {step}}}}}' for step in range(2500))
    store = store_with(tmp_path, f'{{"run": "a", "params": {{{params}}}}}\n{steps}')
    exported(store, database)
    imported(MLflow(str(database)), tmp_path / "again")
    assert len(commit_of(tmp_path / "again").snapshot.config) == 250
    assert steps_of(tmp_path / "again") == steps_of(tmp_path / "store")


def test_of_two_attempts_the_value_that_stands_is_exported(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    first = store.start("outside", "r", Stage.TRAINING)
    for step in (1, 2, 3):
        first.log(step, {"loss": float(step), "early": 0.5})
    first.interrupted("Ctrl-C")
    second = store.start("outside", "r", Stage.TRAINING)
    for step in (2, 3, 4):
        second.log(step, {"loss": step + 0.5})
    metadata = {"cohort_id": "c", "target": "t", "model_family": "m"}
    fingerprints = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
    draft = second.draft(not_applicable(Stage.TRAINING) | metadata, {"ap": 1.0}, fingerprints)
    commit = second.finish(draft)
    events = merged_events(store, store.find("r"))
    points = [(name, value, step) for name, value, step in planned(commit, events).points]
    assert sorted(points) == sorted(
        [
            ("ap", 1.0, 0),
            *(("early", 0.5, step) for step in (1, 2, 3)),
            *(("loss", value, step) for step, value in ((1, 1.0), (2, 2.5), (3, 3.5), (4, 4.5))),
        ]
    )
