"""Streams of very many nodes are noticed before the training, with what they cost."""

import logging

import pytest
import torch
from planted_job import Watcher, job

from seedbed.errors import InvalidInput
from seedbed.runtime import declare
from seedbed.stages import ModelSettings, Trainer, TrainingSettings, prepare, train
from seedbed.stages._many_nodes import embedding_bytes, too_many_nodes


def test_the_memory_is_that_of_the_weights_their_gradient_and_all_that_the_optimizer_keeps():
    planted = job()
    data = prepare(planted.stream, planted.config.data, planted.config.model)
    trainer = Trainer(planted.config, data, declare(planted.runtime, device=torch.device("cpu")))
    trainer.step(0)
    (weights,) = (tensor for name, tensor in trainer.model.named_parameters() if name.endswith("nodes.weight"))
    kept = [value for value in trainer.optimizer.state[weights].values() if value.shape == weights.shape]
    assert weights.grad is not None
    held = [weights, weights.grad, *kept]
    found = sum(tensor.numel() * tensor.element_size() for tensor in held)
    assert embedding_bytes(planted.config.model, data.stream.num_nodes) == found


def test_many_nodes_are_said_with_both_costs_and_what_helps():
    (said,) = too_many_nodes(ModelSettings(), 1_000_000)
    assert said.startswith("1,000,000 nodes of model.node_width 172: their embedding takes 2.8 GB of memory")
    assert "some 0.82 seconds of each step on one thread" in said
    assert said.endswith("set model.node_width to 51 or less, or give events of fewer nodes")


@pytest.mark.parametrize(("num_nodes", "node_width"), [(300_000, 172), (1_000_000, 51), (28, 172)])
def test_up_to_there_nothing_is_said(num_nodes, node_width):
    assert list(too_many_nodes(ModelSettings(node_width=node_width), num_nodes)) == []


@pytest.mark.parametrize(("num_nodes", "node_width"), [(300_001, 172), (1_000_000, 52)])
def test_beyond_it_a_sentence_is_said(num_nodes, node_width):
    assert len(list(too_many_nodes(ModelSettings(node_width=node_width), num_nodes))) == 1


def test_where_no_width_is_small_enough_only_fewer_nodes_help():
    (said,) = too_many_nodes(ModelSettings(node_width=1), 60_000_000)
    assert said.endswith("every time; give events of fewer nodes")


def test_it_is_said_before_the_training(store, caplog, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wide = job(model=ModelSettings(node_width=2_000_000), training=TrainingSettings(device="cuda"))
    with caplog.at_level(logging.WARNING), pytest.raises(InvalidInput, match="torch sees no CUDA device"):
        train(wide, store, Watcher())
    (said,) = too_many_nodes(wide.config.model, wide.stream.num_nodes)
    assert said in caplog.messages
