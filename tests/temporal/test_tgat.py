"""TGAT: the folding is exact, fused attention is seen to run, gradients reach everything, and rules are learnt."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import SCALE, builder_of, plain_stream, tiny_model
from torch.autograd.profiler import profile
from torch.nn import functional

from seedbed.temporal import (
    BASELINE_RULES,
    BlockBuilder,
    EventHistory,
    LinkPredictor,
    NegativeSampler,
    TemporalAttention,
    TemporalGraph,
    TGATConfig,
    TimeEncoding,
    average_precision,
)
from seedbed.temporal._link_queries import link_queries

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
MATH = "aten::_scaled_dot_product_attention_math"


def plain_attention(layer, own, now, rows, mask):
    """The same layer as the paper writes it: every neighbour's key and value, one softmax a head, then merge."""
    num_queries, num_heads, width = len(own), layer.num_heads, layer.head_width
    query = (layer.query(own) + layer.query_now(now)).view(num_queries, num_heads, width)
    key = torch.einsum("qkr,hcr->qkhc", rows, layer.key_HCR)
    value = torch.einsum("qkr,hcr->qkhc", rows, layer.value_HCR)
    score = torch.einsum("qhc,qkhc->qhk", query, key) / math.sqrt(width)
    weight = score.masked_fill(~mask[:, None, :], -torch.inf).softmax(dim=-1)
    seen = torch.einsum("qhk,qkhc->qhc", weight, value).reshape(num_queries, -1)
    seen = layer.norm(layer.dropout(layer.out(seen)))
    return layer.merge(functional.relu(layer.merge_own(own) + layer.merge_seen(seen)))


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 6), st.sampled_from([1, 2, 4]), st.integers(0, 2**31))
def test_folding_is_exact(num_queries, num_neighbours, num_heads, seed):
    """Outputs and every gradient, in float64, against attention that projects each neighbour."""
    torch.manual_seed(seed)
    config = TGATConfig(num_nodes=1, num_features=3, time_width=4, embedding_width=8, num_heads=num_heads, dropout=0.0)
    layer = TemporalAttention(config, own_width=6).double()
    with torch.no_grad():
        layer.norm.weight.uniform_(0.5, 2)
    own = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    now = torch.randn(4, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(num_queries, num_neighbours, 13, dtype=torch.float64, requires_grad=True)
    place = torch.randint(4, (num_queries,))
    mask = torch.rand(num_queries, num_neighbours) < 0.7
    mask[:, -1] = True
    folded = layer.attend(layer.ask(own, now)[place], rows, mask)
    plain = plain_attention(layer, own[place], now, rows, mask)
    torch.testing.assert_close(folded, plain, rtol=1e-10, atol=1e-12)
    inputs = [own, now, rows, *layer.parameters()]
    weight = torch.randn_like(plain)
    for got, expected in zip(
        torch.autograd.grad(folded, inputs, weight), torch.autograd.grad(plain, inputs, weight), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-11)


def blocks_at_hand():
    stream = plain_stream([(t % 3, 3 + t % 4, 10 * t) for t in range(60)])
    sources = np.arange(3)
    candidates = np.array([[3, 5], [4, 6], [5, 3]])
    asked = link_queries(sources, candidates, np.full(3, 595))
    return builder_of(stream).build(asked.node, asked.time), asked.links(EventHistory(stream), SCALE)


def names_run(function):
    with profile() as recorded:
        function()
    return {event.key for event in recorded.key_averages()}


def train_once(model, blocks, links):
    model(blocks, links).square().sum().backward()


@pytest.mark.slow
def test_fused_attention_runs_forward_and_backward_and_in_evaluation():
    blocks, links = blocks_at_hand()
    model = tiny_model()
    trained = names_run(lambda: train_once(model.train(), blocks, links))
    assert {FLASH, f"{FLASH}_backward"} <= trained
    assert MATH not in trained
    with torch.no_grad():
        evaluated = names_run(lambda: model.eval()(blocks, links))
    assert FLASH in evaluated
    assert MATH not in evaluated


def with_dropout(query, key, value, *, attn_mask, scale):
    return ATTENTION(query, key, value, attn_mask=attn_mask, scale=scale, dropout_p=0.1)


def with_learnt_mask(query, key, value, *, attn_mask, scale):
    bias = torch.zeros(attn_mask.shape, requires_grad=True).masked_fill(~attn_mask, -1e9)
    return ATTENTION(query, key, value, attn_mask=bias, scale=scale)


ATTENTION = functional.scaled_dot_product_attention


@pytest.mark.slow
@pytest.mark.parametrize("fault", [with_dropout, with_learnt_mask])
def test_dropout_inside_or_a_learnt_mask_would_be_noticed(fault, monkeypatch):
    blocks, links = blocks_at_hand()
    monkeypatch.setattr(functional, "scaled_dot_product_attention", fault)
    trained = names_run(lambda: train_once(tiny_model().train(), blocks, links))
    assert MATH in trained
    assert FLASH not in trained


def test_gradients_reach_every_parameter_and_a_step_moves_it():
    blocks, links = blocks_at_hand()
    torch.manual_seed(0)
    model = tiny_model().train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train_once(model, blocks, links)
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
        assert not torch.equal(parameter, before[name]), name
    assert "encoder.time.log_frequency" in before


def test_time_is_encoded_as_cosines_of_periods_between_the_shortest_and_the_longest():
    encoding = TimeEncoding(3, shortest=10.0, longest=1000.0)
    at_once, after_ten = encoding(torch.tensor([0.0, 10.0]))
    assert at_once.tolist() == [1.0, 1.0, 1.0]
    expected = [math.cos(2 * math.pi * 10 / period) for period in (10, 100, 1000)]
    assert after_ten.tolist() == pytest.approx(expected, abs=1e-6)


def test_wrap_sees_each_of_a_layers_two_functions_once():
    wrapped, calls = [], []

    def wrap(function):
        wrapped.append(function.__name__)

        def called(*arguments):
            calls.append(function.__name__)
            return function(*arguments)

        return called

    config = TGATConfig(num_nodes=7, num_features=3, num_neighbours=(3, 3), embedding_width=8)
    blocks, links = blocks_at_hand()
    LinkPredictor(config, wrap)(blocks, links)
    assert wrapped == ["_ask", "_attend"]
    assert calls == ["_ask", "_attend"] * 2


NUM_SOURCES, NUM_DESTINATIONS = 12, 6


def planted_stream(num_events=3000):
    """Each source goes round the destinations: the next one follows from the last, and every pair is as common."""
    rng = np.random.default_rng(0)
    stop = rng.integers(0, NUM_DESTINATIONS, NUM_SOURCES)
    triples = []
    for t in range(num_events):
        source = int(rng.integers(NUM_SOURCES))
        triples.append((source, NUM_SOURCES + int(stop[source]), 10 * t))
        stop[source] = (stop[source] + 1) % NUM_DESTINATIONS
    return plain_stream(triples, NUM_SOURCES + NUM_DESTINATIONS, NUM_SOURCES)


@pytest.mark.slow
def test_a_rule_about_the_last_destination_is_learnt_where_counting_pairs_is_blind():
    stream = planted_stream()
    builder = BlockBuilder(stream, TemporalGraph(stream), (2, 2))
    negatives = NegativeSampler(stream)
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    config = TGATConfig(
        num_nodes=stream.num_nodes,
        num_features=builder.num_features,
        num_neighbours=(2, 2),
        node_width=16,
        time_width=8,
        embedding_width=16,
        dropout=0.0,
        shortest=10.0,
        longest=1e4,
    )
    model = LinkPredictor(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def ask(first, last):
        source, time = stream.src[first:last].astype(np.int64), stream.t[first:last]
        candidates = np.column_stack([stream.dst[first:last], negatives.random(time, 1, rng)])
        asked = link_queries(source, candidates, time)
        return source, candidates, time, model(builder.build(asked.node, asked.time), asked.links())

    truth = torch.tensor([1.0, 0.0])
    for first in [*range(0, 2400, 50)] * 6:
        *_, scores = ask(first, first + 50)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(scores, truth.expand_as(scores)).backward()
        optimizer.step()
    with torch.no_grad():
        source, candidates, time, scores = ask(2400, 3000)
    learnt = average_precision(*scores.double().numpy().T)
    history, count = EventHistory(stream), BASELINE_RULES["pair_counter"]
    counted = average_precision(*(count(history.before(source, candidates[:, i], time)) for i in (0, 1)))
    assert counted < 0.55
    assert learnt > 0.7
