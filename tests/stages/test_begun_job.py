"""job.json: what a run began with is what it goes on with, also when a former version wrote it."""

import json
import logging
import os
import signal
from typing import Any

import pytest
from planted_job import Watcher, job, snapshot_of

from seedbed.errors import Conflict, StoreCorrupt
from seedbed.stages import Job, ModelSettings, configuration_of, train

FORMER: dict[str, Any] = {
    "model": ModelSettings(num_neighbours=(4, 4), node_width=16, time_width=8, embedding_width=16, pair_features=False),
    "training": job().config.training.model_copy(update={"negatives": "all"}),
}


def begin(store, asked: Job) -> None:
    """Begin `asked` as the run "cut", and end it by Ctrl-C after its first step."""
    watcher = Watcher(lambda report: os.kill(os.getpid(), signal.SIGINT))
    assert train(asked, store, watcher, run_id="cut").commit is None


def rewrite(store, change) -> None:
    path = store.find("cut").folder / "job.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def as_version_1(document) -> None:
    """The same document without what version 1 did not know."""
    document["schema_version"] = 1
    for section, names in {"model": ["pair_features"], "training": ["negatives", "pair_learning_rate"]}.items():
        for name in names:
            del document["config"][section][name]
    del document["config"]["data"]["columns"]["undirected"]


@pytest.mark.slow
def test_a_run_that_a_former_version_began_goes_on_as_it_began(store):
    whole = snapshot_of(train(job(**FORMER), store, Watcher(), run_id="whole"))
    begin(store, job(**FORMER))
    rewrite(store, as_version_1)
    configuration = configuration_of(store.find("cut"))
    assert configuration is not None
    assert configuration == job(**FORMER).config.model_copy(update={"runtime": configuration.runtime})
    with pytest.raises(
        Conflict,
        match=r"model\.pair_features was false, not true; training\.negatives was all, not met",
    ):
        train(job(), store, Watcher(), run_id="cut")
    resumed = snapshot_of(train(job(**FORMER), store, Watcher(), run_id="cut"))
    assert resumed.digests["metrics"] == whole.digests["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize(("version", "neighbours"), [(1, "uniform"), (2, "uniform"), (2, "recent"), (3, "uniform")])
def test_a_run_whose_uniform_neighbours_are_drawn_otherwise_now_goes_on_with_a_warning(
    store, caplog, version, neighbours
):
    sections = FORMER | {"model": FORMER["model"].model_copy(update={"neighbours": neighbours})}
    begin(store, job(**sections))
    rewrite(store, lambda document: document.update(schema_version=version) if version > 1 else as_version_1(document))
    with caplog.at_level(logging.WARNING, "seedbed.stages"):
        assert train(job(**sections), store, Watcher(), run_id="cut").commit is not None
    told = "run cut began under a former version, whose uniform neighbours depended on the batch" in caplog.text
    assert told is (version < 3 and neighbours == "uniform")


@pytest.mark.slow
def test_a_new_run_says_in_its_file_what_it_began_with(store):
    begin(store, job())
    document = json.loads((store.find("cut").folder / "job.json").read_bytes())
    assert document["schema_version"] == 4
    assert "neighbours_by_batch" not in document
    assert document["config"]["model"]["pair_features"] is True
    assert document["config"]["training"]["negatives"] == "met"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda document: document.update(schema_version=5),
            "expected schema version 4 or less, found 5; upgrade seedbed to resume the run, or start a new one$",
        ),
        (lambda document: document.pop("schema_version"), "no job of a training"),
        (lambda document: document.pop("config"), "config|Field required"),
        (lambda document: document["config"].update(model=7), "job.json: "),
    ],
)
def test_a_file_that_says_something_else_is_refused(store, change, problem):
    begin(store, job())
    rewrite(store, change)
    with pytest.raises(StoreCorrupt, match=problem):
        configuration_of(store.find("cut"))
