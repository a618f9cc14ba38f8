"""A document number in the place of a node is noticed before the training, and compiling is said while it lasts."""

import logging

import numpy as np
import pytest
from planted_job import Watcher, job

from seedbed.contracts import Feature
from seedbed.runtime import Contract
from seedbed.stages import train
from seedbed.stages._once import occurring_once
from seedbed.temporal import EventStream


def stream(src: list[int], dst: list[int], num_sources: int) -> EventStream:
    """Events from `src` to `dst`, one in each second; fewer sources than nodes make them two kinds."""
    num_events, num_nodes = len(src), max(src + dst) + 1
    nothing = np.empty((num_events, 0), np.float32)
    t = np.arange(num_events)
    names = tuple(map(str, range(num_nodes)))
    sources, destinations = np.array(src, np.int32), np.array(dst, np.int32)
    return EventStream(sources, destinations, t, nothing, nothing, t, names, num_sources)


def test_sources_that_occur_once_are_said_with_their_share_of_the_sources():
    # 1,000 events of 998 sources: 997 occur once, one three times, so 997/998 of the sources are 99.9 %.
    (said,) = occurring_once(stream([*range(998), 997, 997], [998 + i % 5 for i in range(1000)], 998))
    assert said.startswith("99.9 % of the sources occur once: is data.columns.src a document number?")


def test_destinations_are_looked_at_too():
    (said,) = occurring_once(stream([i % 5 for i in range(100)], list(range(5, 105)), 5))
    assert said.startswith("100.0 % of the destinations occur once: is data.columns.dst")


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        ([i % 7 for i in range(200)], [7 + i % 5 for i in range(200)]),
        (list(range(99)), [99 + i % 5 for i in range(99)]),  # too few to tell
        ([*range(94), *[94] * 6], [95 + i % 5 for i in range(100)]),  # 94 % of the events
        (list(range(1, 201)), list(range(200))),  # a chain: each node is met twice, once at either end
    ],
    ids=["come again", "few", "not nearly all", "chain"],
)
def test_where_nodes_come_again_nothing_is_said(src, dst):
    num_nodes = max(src + dst) + 1
    assert list(occurring_once(stream(src, dst, num_nodes if set(src) & set(dst) else max(src) + 1))) == []


@pytest.mark.slow
def test_it_is_said_before_the_training(store, caplog):
    planted = job(num_events=400)
    once = stream(list(range(400)), [400 + i % 5 for i in range(400)], 400)
    with caplog.at_level(logging.WARNING):
        train(type(planted)(planted.config, once, "once", planted.runtime), store, Watcher())
    assert any(said.startswith("100.0 % of the sources occur once") for said in caplog.messages)


@pytest.mark.slow
def test_compiling_is_said_before_the_first_step_of_each_part(store, monkeypatch):
    said: list[str] = []
    watcher = Watcher(lambda report: said.append(report.phase))
    monkeypatch.setattr(watcher, "noted", said.append)
    monkeypatch.setattr(Contract, "selected", lambda contract, feature: feature is Feature.CDC)
    monkeypatch.setattr(Contract, "compile", lambda contract, target, **options: target)
    train(job(num_events=400), store, watcher)
    assert said[0] == "compiling the model for training (runtime.cdc): the next steps may take a minute"
    told = "compiling the model for evaluation (runtime.cdc): the next steps may take a minute"
    assert said.index(told) == said.index("validation") - 1
    assert len([each for each in said if each.startswith("compiling")]) == 2
