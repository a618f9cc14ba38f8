"""What the model is asked: the same of every batch size, nothing of the future, and named in the record."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from planted_job import Watcher, job, planted_stream, snapshot_of

from seedbed.errors import InvalidInput
from seedbed.records import EXACT, REPLICATE, compare, digest
from seedbed.runtime import declare
from seedbed.stages import (
    CandidateDraw,
    DataSettings,
    ModelSettings,
    Trainer,
    TrainingSettings,
    batches,
    load_events,
    prepare,
    train,
)
from seedbed.stages._evaluation import NegativeKind
from seedbed.temporal import BlockBuilder, EventStream, RankingScores, reciprocal_rank, write_sessions

SMALL = ModelSettings(num_neighbours=(4, 4), node_width=16, time_width=8, embedding_width=16)
KINDS: tuple[NegativeKind, ...] = ("random", "historical")
FORMER_TARGET = {"task": "link prediction", "negatives": ["random", "historical"]}


def contacts(num_events=600, num_nodes=14) -> EventStream:
    """Contacts in both directions, some of a node with itself, several at one time."""
    rng = np.random.default_rng(3)
    ends = rng.integers(0, num_nodes, (2, num_events)).astype(np.int32)
    t = 1_700_000_000 + 20 * np.sort(rng.integers(0, num_events // 2, num_events))
    nothing = np.zeros((num_events, 0), np.float32)
    return EventStream(ends[0], ends[1], t, nothing, nothing, t, tuple(map(str, range(num_nodes))), num_nodes)


def asked_in(size, draw, data, scorer):
    parts = [draw.score(data, batch, scorer) for batch in batches(data.split.test, size)]
    return {kind: RankingScores.joined([part[kind] for part in parts]) for kind in KINDS}


@pytest.mark.slow
@pytest.mark.parametrize("neighbours", ["recent", "uniform"])
@pytest.mark.parametrize("stream", [planted_stream(), contacts()], ids=["planted", "contacts"])
def test_ranks_do_not_depend_on_the_batch_size(stream, neighbours):
    """With many negatives among few destinations the true one is drawn, often several times, and must tie exactly."""
    model = SMALL.model_copy(update={"neighbours": neighbours})
    planted = job(model=model)
    data = prepare(stream, planted.config.data, model)
    trainer = Trainer(planted.config, data, declare(planted.runtime, device=torch.device("cpu")))
    for step in range(20):
        trainer.step(step)
    draw = CandidateDraw(KINDS, 20, 0)
    truth = data.events(data.split.test)[1][:, None]
    drawn = draw.candidates(data, data.split.test)[:, 1:]
    assert (drawn == truth).any(axis=1).mean() > 0.5
    whole = asked_in(200, draw, data, trainer.score)
    for size in (1, 7):
        parts = asked_in(size, draw, data, trainer.score)
        for kind in KINDS:
            ranks = reciprocal_rank(whole[kind].true, whole[kind].many)
            assert reciprocal_rank(parts[kind].true, parts[kind].many).tolist() == ranks.tolist()
            assert parts[kind].metrics()["mrr"] == whole[kind].metrics()["mrr"]
    for number, kind in enumerate(KINDS):
        same = drawn[:, 21 * number + 1 : 21 * (number + 1)] == truth
        tied = whole[kind].many == whole[kind].true[:, None]
        assert tied[same].all()


def test_uniform_neighbours_are_new_in_every_step_and_the_same_in_every_evaluation(monkeypatch):
    model = SMALL.model_copy(update={"neighbours": "uniform"})
    planted = job(model=model)
    data = prepare(planted.stream, planted.config.data, model)
    trainer = Trainer(planted.config, data, declare(planted.runtime, device=torch.device("cpu")))
    build, draws = BlockBuilder.build, []

    def seen(builder, node, time, *, draw):
        draws.append(draw)
        return build(builder, node, time, draw=draw)

    monkeypatch.setattr(BlockBuilder, "build", seen)
    trainer.step(0)
    asked_in(200, CandidateDraw(KINDS, 1, 0), data, trainer.score)
    trainer.step(1)
    asked_in(300, CandidateDraw(KINDS, 1, 0), data, trainer.score)
    assert len(set(draws)) == 3
    assert [draws.count(draw) for draw in dict.fromkeys(draws)] == [1, 3, 1]


def test_the_candidates_of_an_event_depend_on_the_seed_and_the_event_alone():
    data = prepare(planted_stream(), DataSettings(), SMALL)
    draw = CandidateDraw(KINDS, 3, 0)
    whole = draw.candidates(data, range(1000, 1500))
    for size in (1, 7, 200):
        parts = [draw.candidates(data, batch) for batch in batches(range(1000, 1500), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert draw.candidates(data, range(1990, 2000)).shape == (10, 9)
    assert (CandidateDraw(KINDS, 3, 1).candidates(data, range(1000, 1500)) != whole).any()


def test_neither_training_nor_evaluation_draws_a_destination_before_it_appears(monkeypatch):
    """Destination number i first appears at event 10 * i: no candidate but the truth may be a later one."""
    num_events, later = 300, 30
    stream = planted_stream(num_events, 5, later)
    destination = 5 + np.minimum(np.arange(num_events) // 10, later - 1)
    stream = replace(stream, dst=destination.astype(np.int32))
    planted = job(training=TrainingSettings(batch_size=30))
    data = prepare(stream, planted.config.data, SMALL)
    trainer = Trainer(planted.config, data, declare(planted.runtime, device=torch.device("cpu")))
    seen: list[tuple[np.ndarray, ...]] = []

    def nothing_known(*asked: np.ndarray) -> torch.Tensor:
        seen.append(asked)
        return torch.zeros(asked[1].shape).requires_grad_()

    monkeypatch.setattr(trainer, "_logits", nothing_known)
    for step in range(trainer.steps_per_epoch):
        trainer.step(step)
    seen += [
        (source, draw.candidates(data, part), time)
        for part in (data.split.validation, data.split.test)
        for draw in (CandidateDraw(KINDS, 5, 0),)
        for source, _, time in (data.events(part),)
    ]
    first_time = {node: stream.t[stream.dst == node].min() for node in np.unique(stream.dst)}
    for _, candidates, time, *_ in seen:
        for row, when in zip(candidates[:, 1:], time, strict=True):
            assert all(first_time[node] < when or when == stream.t[0] for node in row)
    assert data.negatives.before_any_destination(stream.t).sum() == 1


@pytest.mark.slow
def test_the_record_names_the_negatives_and_runs_with_others_are_not_compared(store):
    def run(name, **sections):
        return snapshot_of(train(job(**sections), store, Watcher(), run_id=name))

    among_all = job().config.training.model_copy(update={"negatives": "all"})
    met, everything = run("met"), run("all", training=among_all)
    assert everything.process["target"] == FORMER_TARGET
    assert everything.fingerprints["target"] == digest(FORMER_TARGET)
    assert "met strictly before" in met.process["target"]["random"]
    assert met.fingerprints["target"] == digest(met.process["target"])
    assert everything.diff_prev.summary.startswith("no predecessor: nothing earlier shares its comparison group")
    for policy in (EXACT, REPLICATE):
        assert not compare(everything, met, policy).comparable
    assert met.outputs["events_before_any_destination"] == {"train": 1 / 1400, "validation": 0.0, "test": 0.0}


def test_undirected_settings_reach_every_index_and_are_refused_for_two_kinds_of_node():
    columns = DataSettings().columns.model_copy(update={"undirected": True})
    stream = contacts()
    data = prepare(stream, DataSettings(columns=columns), SMALL)
    assert data.stream.undirected
    assert data.digest == stream.digest()
    there, back = stream.src.astype(np.int64), stream.dst.astype(np.int64)
    late = np.full(len(there), stream.t[-1] + 1)
    np.testing.assert_array_equal(
        data.history.before(there, back, late).of_pair.count, data.history.before(back, there, late).of_pair.count
    )
    assert set(data.negatives.random(late, 40, np.random.default_rng(0)).ravel()) == set(range(14))
    with pytest.raises(InvalidInput, match=r"data\.columns\.undirected is true, but these events are bipartite"):
        prepare(planted_stream(), DataSettings(columns=columns), SMALL)


def test_a_stream_doubled_by_hand_is_noticed_and_the_option_is_named(tmp_path, caplog):
    once = contacts(120)
    src, dst = np.repeat(once.src, 2), np.repeat(once.dst, 2)
    src[1::2], dst[1::2] = once.dst, once.src
    twice: dict[str, Any] = {
        name: np.repeat(getattr(once, name), 2, axis=0) for name in ("t", "known_at", "features", "late")
    }
    doubled = replace(once, src=src, dst=dst, **twice)
    for name, stream, told in (("twice", doubled, True), ("once", once, False)):
        write_sessions(stream, tmp_path / name)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "seedbed"):
            assert load_events(tmp_path / name, DataSettings()).digest() == stream.digest()
        assert ("set data.columns.undirected to true" in caplog.text) is told
