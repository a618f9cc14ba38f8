"""How new a test is, on streams whose shares can be counted by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planted_job import Watcher, job, number, planted_stream, snapshot_of

from seedbed.render.facts._novelty import MEANING
from seedbed.stages import TrainConfig, TrainingSettings, prepare, train
from seedbed.stages._baselines import BaselineScorers
from seedbed.stages._evaluation import CandidateDraw, Evaluation, batches
from seedbed.stages._novelty import Novelty
from seedbed.temporal import EventStream


def stream_of(pairs):
    """A bipartite stream of (source, destination), one event a second."""
    src, dst = (np.array(end, np.int32) for end in zip(*pairs, strict=True))
    num_sources = int(src.max()) + 1
    dst = (dst + num_sources).astype(np.int32)
    t, empty = np.arange(len(src), dtype=np.int64), np.empty((len(src), 0), np.float32)
    names = tuple(map(str, range(int(dst.max()) + 1)))
    return EventStream(src, dst, t, empty, empty, t, names, num_sources)


def looked_at(stream):
    config = TrainConfig.model_validate({"training": {"batch_size": 8, "ranked_negatives": 4}})
    data = prepare(stream, config.data, config.model)
    draw = CandidateDraw.for_test(config.training)
    return data, draw, config.training, Novelty.of(data, draw, config.training.batch_size)


def evaluated(data, draw, settings):
    """The baselines' scores, with the pair counter's in the place of the model's."""
    baselines = BaselineScorers(None)
    evaluation = Evaluation(("model", *baselines.names))
    for batch in batches(data.split.test, settings.batch_size):
        for name, scores in baselines.score(data, batch, draw):
            evaluation.add(name, scores)
            if name == "pair_counter":
                evaluation.add("model", scores)
    return evaluation


def test_the_shares_are_those_that_were_planted():
    """Of 100 events the last 15 are the test: 5 seen ends, 5 of a new source, 5 of a new pair of two new ends."""
    old = [(event % 3, event % 2) for event in range(85)]
    test = [(0, 0)] * 5 + [(3 + n, 0) for n in range(5)] + [(8 + n, 2 + n) for n in range(5)]
    data, draw, settings, novelty = looked_at(stream_of(old + test))
    assert novelty.as_json() | {"negatives": None} == {
        "new_sources": 10 / 15,
        "new_destinations": 5 / 15,
        "new_pairs": 10 / 15,
        "sources_without_past": 10 / 15,
        "seen_events": 5,
        "new_events": 10,
        "negatives": None,
    }
    assert {*novelty.negatives["historical"]} == {"true", "all_true", "unmet"}
    split = novelty.split(evaluated(data, draw, settings))
    assert set(split) == {"seen", "new"}
    assert split["seen"]["model"]["random"]["ap"] is not None


def test_what_the_validation_met_is_not_new_in_the_test_and_the_words_say_so():
    """Of 100 events 70 are training, 15 validation and 15 test. Source 3 and its pair begin in the validation."""
    stream = stream_of([(event % 3, event % 2) for event in range(70)] + [(3, 0)] * 15 + [(3, 0)] * 10 + [(4, 0)] * 5)
    data, _, _, novelty = looked_at(stream)
    assert [len(part) for part in (data.split.train, data.split.validation, data.split.test)] == [70, 15, 15]
    assert novelty.facts["new_sources"] == novelty.facts["new_pairs"] == 1 / 15  # source 4, at its first event
    assert MEANING == "new: in no event before this one, of training, validation or test"


def test_the_split_is_that_of_the_events_taken_one_by_one():
    rng = np.random.default_rng(0)
    stream = stream_of([(int(rng.integers(0, 200)), int(rng.integers(0, 200))) for _ in range(300)])
    data, draw, settings, novelty = looked_at(stream)
    evaluation = evaluated(data, draw, settings)
    first: dict[int, int] = {}
    for event in range(300):
        for end in (int(stream.src[event]), int(stream.dst[event])):
            first.setdefault(end, event)
    seen = [first[int(stream.src[i])] < i and first[int(stream.dst[i])] < i for i in data.split.test]
    assert novelty.seen.tolist() == seen
    ranks: dict[bool, list[float]] = {True: [], False: []}
    position = 0
    for part in evaluation.parts("model")["random"]:
        for true, many in zip(part.true, part.many, strict=True):
            ranks[seen[position]].append(1 / (1 + (many > true).sum() + 0.5 * (many == true).sum()))
            position += 1
    split = novelty.split(evaluation)
    for name, is_seen in (("seen", True), ("new", False)):
        assert split[name]["model"]["random"]["mrr"] == pytest.approx(np.mean(ranks[is_seen]))


def test_one_destination_makes_every_negative_the_truth_and_no_event_new():
    data, draw, settings, novelty = looked_at(stream_of([(event % 3, 0) for event in range(100)]))
    for kind in ("random", "historical"):
        assert novelty.negatives[kind] == {"true": 1.0, "all_true": 1.0, "unmet": 0.0}
    split = novelty.split(evaluated(data, draw, settings))
    assert split["new"]["model"]["random"] == {"ap": None, "auc": None, "mrr": None}
    assert split["seen"]["model"]["random"]["auc"] == 0.5


@pytest.mark.slow
def test_where_every_end_is_new_the_record_says_so_and_never_seen_is_at_least_as_strong(store):
    events = [(event, event) for event in range(600)]
    training = TrainingSettings(epochs=1, batch_size=30, warmup_steps=2)
    novel = replace(job(training=training, data={"time_unit": "other"}), stream=stream_of(events))
    metrics: dict[str, Any] = snapshot_of(train(novel, store, Watcher(), run_id="one")).metrics
    novelty = metrics["novelty"]
    assert (novelty["new_destinations"], novelty["seen_events"]) == (1, 0)
    assert metrics["by_novelty"]["seen"]["model"]["random"]["ap"] is None
    strongest, never_seen = metrics["strongest"]["random"]["ap"], metrics["baselines"]["never_seen"]["random"]["ap"]
    assert strongest >= never_seen > 0.85
    assert number(metrics, "margin", "random", "ap") < 0.1


def test_a_planted_stream_of_known_ends_is_not_new():
    config = job().config
    data = prepare(planted_stream(), config.data, config.model)
    novelty = Novelty.of(data, CandidateDraw.for_test(config.training), 30)
    assert novelty.facts["new_events"] == 0
    assert novelty.facts["seen_events"] == len(data.split.test)
