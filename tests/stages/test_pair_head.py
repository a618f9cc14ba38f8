"""Pair features in a training: a rate of their own that follows every change, and the switch that takes them away."""

import os
import signal

import pytest
import torch
from planted_job import Watcher, changes_of, job, snapshot_of

from seedbed.change import LearningRate
from seedbed.runtime import declare
from seedbed.stages import ChangeSettings, ModelSettings, Trainer, TrainingSettings, prepare, replay, train

EAGER = ChangeSettings(patience=1, min_delta=1.0, cooldown_steps=5)
SMALL = ModelSettings(num_neighbours=(4, 4), node_width=16, time_width=8, embedding_width=16)
WITHOUT = SMALL.model_copy(update={"pair_features": False})
RATES = TrainingSettings(batch_size=30, epochs=1, learning_rate=1e-3, pair_learning_rate=0.02, warmup_steps=2)


def trainer_of(planted):
    data = prepare(planted.stream, planted.config.data, planted.config.model)
    return Trainer(planted.config, data, declare(planted.runtime, device=torch.device("cpu")))


def test_the_head_has_a_group_of_its_own_at_its_own_rate():
    trainer = trainer_of(job(training=RATES))
    rest, pair = trainer.optimizer.param_groups
    assert {id(each) for each in pair["params"]} == {id(each) for each in trainer.model.pair_parameters()}
    every = {id(each) for each in trainer.model.parameters()}
    assert {id(each) for each in rest["params"]} ^ {id(each) for each in pair["params"]} == every
    assert (rest["initial_lr"], pair["initial_lr"]) == (1e-3, 0.02)
    assert trainer.learning_rate == rest["lr"]


def test_without_pair_features_there_is_one_group_and_every_other_weight_begins_alike():
    trainer = trainer_of(job(model=WITHOUT))
    assert len(trainer.optimizer.param_groups) == 1
    assert list(trainer.model.pair_parameters()) == []
    with_head = trainer_of(job()).model.state_dict()
    assert all(torch.equal(with_head[name], weight) for name, weight in trainer.model.state_dict().items())


def test_a_change_of_the_rate_scales_both_and_the_schedule_goes_on_in_proportion():
    trainer, untouched = trainer_of(job(training=RATES)), trainer_of(job(training=RATES))
    rate = LearningRate(trainer.optimizer, trainer.scheduler)
    for step in range(12):
        if step == 4:
            rate.write(rate.read() / 4)
        used = rate.read()
        trainer.step(step)
        assert trainer.learning_rate == used
        untouched.step(step)
        expected = [group["lr"] / (4 if step >= 4 else 1) for group in untouched.optimizer.param_groups]
        assert [group["lr"] for group in trainer.optimizer.param_groups] == pytest.approx(expected)
        assert expected[1] / expected[0] == pytest.approx(20)


@pytest.mark.slow
def test_a_resumed_run_and_a_replay_keep_both_rates_through_changes(store):
    def ctrl_c(report):
        if report.phase == "train" and report.step == 30:
            os.kill(os.getpid(), signal.SIGINT)

    asked = job(change=EAGER, training=RATES.model_copy(update={"checkpoint_every": 4}))
    whole = snapshot_of(train(asked, store, Watcher(), run_id="whole"))
    assert changes_of(whole).effective > 0
    assert train(asked, store, Watcher(ctrl_c), run_id="cut").commit is None
    cut = snapshot_of(train(asked, store, Watcher(), run_id="cut"))
    assert cut.digests["metrics"] == whole.digests["metrics"]
    assert cut.digests["predictions"] == whole.digests["predictions"]
    assert replay(store.find("whole"), asked, store, Watcher(), run_id="again").is_same
