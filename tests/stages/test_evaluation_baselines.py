"""The baselines beside the model, the strongest of them, and how far the model is above it."""

from typing import Any

import numpy as np
import pytest
from planted_job import Watcher, job, number, planted_stream, snapshot_of

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate import gate_record, judge, parse_gate
from seedbed.stages import TrainConfig, prepare, train
from seedbed.stages import _baselines as baselines
from seedbed.stages._evaluation import NEGATIVE_KINDS, Evaluation
from seedbed.stages._strongest import margins, strongest, strongest_names
from seedbed.temporal import RankingScores

KINDS, METRICS = ("random", "historical"), ("ap", "auc", "mrr")


def scores_of(rng, lift, num_batches=12, size=40):
    """Batches in which the true destination stands `lift` above its negatives."""
    parts = []
    for _ in range(num_batches):
        drawn = rng.normal(size=(size, 22))
        parts.append(RankingScores(drawn[:, 0] + lift, drawn[:, 1], drawn[:, 2:]))
    return parts


def evaluation_of(**lifts):
    rng = np.random.default_rng(0)
    evaluation = Evaluation(tuple(lifts))
    for name, lift in lifts.items():
        for part in scores_of(rng, lift):
            evaluation.add(name, dict.fromkeys(NEGATIVE_KINDS, part))
    return evaluation


def test_the_strongest_is_the_best_baseline_of_each_metric_and_never_the_model():
    evaluation = evaluation_of(model=3.0, weak=0.5, strong=1.5)
    assert strongest(evaluation) == evaluation.metrics("strong")
    assert strongest_names(evaluation) == dict.fromkeys(KINDS, dict.fromkeys(METRICS, "strong"))


@pytest.mark.parametrize(("model", "sign"), [(3.0, 1), (0.3, -1)])
def test_the_margin_is_the_difference_and_its_interval_is_on_the_right_side(model, sign):
    evaluation = evaluation_of(model=model, weak=0.5, strong=1.5)
    for kind, of_kind in margins(evaluation, seed=0).items():
        for metric, found in of_kind.items():
            expected = evaluation.metrics("model")[kind][metric] - evaluation.metrics("strong")[kind][metric]
            assert isinstance(found, Interval)
            assert found.value == pytest.approx(expected)
            assert min(sign * found.low, sign * found.high) > 0


def test_a_predictor_has_no_margin_over_one_that_scores_the_same():
    evaluation = Evaluation(("model", "twin"))
    for part in scores_of(np.random.default_rng(1), 1.0):
        for name in ("model", "twin"):
            evaluation.add(name, dict.fromkeys(NEGATIVE_KINDS, part))
    found = margins(evaluation, seed=0)["random"]["ap"]
    assert isinstance(found, Interval)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert 0.2 < found.high < 0.6


def test_a_perfect_model_over_few_batches_is_no_certainty():
    evaluation = Evaluation(("model", "level", "opposite"))
    for _ in range(10):
        ones, many = np.ones(30), np.zeros((30, 5))
        for name, true in (("model", ones), ("level", 0 * ones), ("opposite", -ones)):
            evaluation.add(name, dict.fromkeys(NEGATIVE_KINDS, RankingScores(true, 0 * ones, many)))
    found = margins(evaluation, seed=0)["random"]["auc"]
    assert isinstance(found, Interval)
    assert (found.value, found.n) == (0.5, 10)
    assert 0 < found.low < 0.4
    assert 0.6 < found.high <= 1
    alone = Evaluation(("model", "opposite"))
    for name in ("model", "opposite"):
        for part in evaluation.parts(name)["random"]:
            alone.add(name, dict.fromkeys(NEGATIVE_KINDS, part))
    whole = margins(alone, seed=0)["random"]["auc"]
    assert isinstance(whole, Interval)
    assert (whole.value, whole.high) == (1, 1)
    assert whole.low == pytest.approx(2 * 0.025**0.1 - 1)  # of ten hits in ten, on [-1, 1]


def test_only_the_strongest_of_each_metric_is_computed_without_each_batch():
    evaluation = evaluation_of(model=3.0, weak=0.5, strong=1.5)
    margins(evaluation, seed=0)
    assert not evaluation.jackknife("weak", "random")._without
    assert set(evaluation.jackknife("strong", "random")._without) == set(METRICS)
    before = evaluation.jackknife("model", "random")
    evaluation.intervals("model", seed=0)
    assert evaluation.jackknife("model", "random") is before
    evaluation.add("model", dict.fromkeys(NEGATIVE_KINDS, before.batches[0]))
    assert len(evaluation.jackknife("model", "random").batches) == len(before.batches) + 1


@pytest.mark.slow
def test_a_record_holds_every_baseline_on_the_same_questions_and_a_gate_can_ask_for_the_margin(store):
    gate = (
        "metrics.margin.random.ap >= -1",
        "metrics.strongest.random.ap <= 1",
        "metrics.baselines.boosting.random.ap > 0",
    )
    metrics: dict[str, Any] = snapshot_of(train(job(gate=gate), store, Watcher(), run_id="one")).metrics
    assert set(metrics["baselines"]) == set(baselines.baseline_names())
    assert baselines.BOOSTING in metrics["baselines"]
    for kind in KINDS:
        for metric in METRICS:
            best = max(number(metrics, "baselines", name, kind, metric) for name in metrics["baselines"])
            assert number(metrics, "strongest", kind, metric) == best
            assert number(metrics, "baselines", metrics["strongest_name"][kind][metric], kind, metric) == best
            margin = number(metrics, "margin", kind, metric, "value")
            assert margin == pytest.approx(number(metrics, "test", kind, metric, "value") - best)
    record = gate_record(snapshot_of(store.find("one")))
    assert judge(parse_gate({"checks": list(gate)}), record).exit_code == 0
    above = parse_gate({"checks": ["metrics.margin.random.ap > 0.9 @ 95%"]})
    assert judge(above, record).exit_code == 1


def test_the_boosting_learns_from_training_events_alone():
    config = TrainConfig.model_validate({"training": {"batch_size": 50}})
    stream = planted_stream(1200)
    data = prepare(stream, config.data, config.model)
    asked = []
    fit = baselines.HistoryBoosting.fit

    def watched(history, source, candidates, time, seed):
        asked.append((source, candidates, time))
        return fit(history, source, candidates, time, seed)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(baselines.HistoryBoosting, "fit", watched)
        patched.setattr(baselines, "_MOST_EVENTS", 300)
        baselines.BaselineScorers.prepared(data, config.training)
    ((source, candidates, time),) = asked
    latest = data.split.train[-300:]
    assert source.tolist() == stream.src[latest].tolist()
    assert candidates[:, 0].tolist() == stream.dst[latest].tolist()
    assert time.max() < stream.t[data.split.validation.start]


def test_without_scikit_learn_the_boosting_is_left_out_and_a_check_on_it_is_refused_at_the_door(store, monkeypatch):
    monkeypatch.setattr(baselines, "has_boosting", lambda: False)
    assert baselines.BOOSTING not in baselines.baseline_names()
    with pytest.raises(InvalidInput, match=r"metrics\.baselines\.boosting\.random\.ap"):
        train(job(gate=("metrics.baselines.boosting.random.ap > 0",)), store, Watcher())
    config = job().config
    prepared = baselines.BaselineScorers.prepared(prepare(planted_stream(), config.data, config.model), config.training)
    assert prepared.names == baselines.baseline_names()
