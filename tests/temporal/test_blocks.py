"""Blocks: identical queries once, answers in the order asked, and never a value from the future."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import NUM_NODES, SCALE, START, builder_of, events_between, plain_stream, stream_of, tiny_model

from seedbed.temporal import EventHistory, QuestionDraw
from seedbed.temporal._link_queries import link_queries

NOW = START + 10  # the property's query time: what happens before is the past
nodes = st.lists(st.integers(0, NUM_NODES - 1), min_size=3, max_size=3)


def embed(stream, node, time, seed=0):
    torch.manual_seed(seed)
    model = tiny_model().eval()
    with torch.no_grad():
        return model.encoder(builder_of(stream).build(np.array(node), np.array(time)))


def logits(stream, sources, candidates, time):
    torch.manual_seed(0)
    model = tiny_model().eval()
    asked = link_queries(sources, candidates, time)
    with torch.no_grad():
        return model(builder_of(stream).build(asked.node, asked.time), asked.links(EventHistory(stream), SCALE))


def hide(past, secrets):
    """The past with every value that is not known by NOW replaced, and its day of publication put elsewhere."""
    changed = []
    for (src, dst, t, feature, late, delay), (other, later) in zip(past, secrets, strict=False):
        unknown = t + delay > NOW
        changed.append(
            (src, dst, t, feature, other, NOW - t + later) if unknown else (src, dst, t, feature, late, delay)
        )
    return changed


@pytest.mark.slow
@settings(deadline=None)
@given(
    past=events_between(0, 9, min_size=1, max_size=25),
    secrets=st.lists(
        st.tuples(st.sampled_from([np.inf, np.nan, -1e30, 7.0]), st.integers(1, 9)), min_size=25, max_size=25
    ),
    future=events_between(10, 20, max_size=12),
    other_future=events_between(10, 25, max_size=12),
    sources=nodes,
    candidates=st.lists(nodes, min_size=3, max_size=3),
    earlier=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_nothing_that_is_not_known_yet_changes_one_bit(
    past, secrets, future, other_future, sources, candidates, earlier
):
    asked = np.array(sources), np.array(candidates), NOW - np.array(earlier)
    seen = logits(stream_of(past + future), *asked)
    again = logits(stream_of(hide(past, secrets) + other_future), *asked)
    assert seen.isfinite().all()
    assert torch.equal(seen, again)


@pytest.mark.parametrize("field", [0, 1, 2, 3, 4])
def test_the_same_change_one_unit_earlier_is_felt(field):
    """The fault that the property above must catch: the event just before NOW belongs to the past."""
    events = [(0, 1, START, 0.5, 0.5, 0), (1, 2, NOW - 1, 0.5, 0.5, 1)]
    changed = list(events[1])
    changed[field] += -1 if field == 2 else 1
    asked = np.array([1]), np.array([[2, 3]]), np.array([NOW])
    assert not torch.equal(logits(stream_of(events), *asked), logits(stream_of([events[0], tuple(changed)]), *asked))
    asked_at_the_event = np.array([1]), np.array([[2, 3]]), np.array([NOW - 1])
    if field != 2:
        before = logits(stream_of(events), *asked_at_the_event)
        assert torch.equal(before, logits(stream_of([events[0], tuple(changed)]), *asked_at_the_event))


def late_column(block, row=0):
    return block.features[row, :, 1:][block.mask[row]].tolist()


@pytest.mark.parametrize(("time", "known"), [(19, False), (20, True), (21, True)])
def test_a_late_feature_is_seen_from_known_at_on(time, known):
    stream = stream_of([(0, 1, 10, 0.5, 0.25, 10)])
    top = builder_of(stream).build(np.array([0]), np.array([time])).layers[-1]
    assert late_column(top) == [[0.25, 1.0] if known else [0.0, 0.0]]
    assert top.features[0, -1, 0] == 0.5  # what was known at once is seen at once


@pytest.mark.parametrize(("second", "known"), [(19, False), (20, True), (21, True)])
def test_one_hop_away_a_late_feature_is_judged_at_the_neighbours_own_time(second, known):
    """Asked at 30, when all is known, node 2 sees node 1 as it stood at `second`."""
    stream = stream_of([(0, 1, 10, 0.5, 0.25, 10), (1, 2, second, 0.5, 0.75, 0)])
    blocks = builder_of(stream).build(np.array([2]), np.array([30]))
    first, top = blocks.layers
    neighbour = int(top.neighbour[0][top.mask[0]].item())
    assert first.distinct[first.own[neighbour]] == 1
    assert late_column(first, neighbour) == [[0.25, 1.0] if known else [0.0, 0.0]]


def test_identical_queries_are_computed_once_in_every_layer():
    stream = plain_stream([(0, 1, 10), (2, 1, 20), (0, 3, 30)])
    node, time = np.array([0, 0, 1, 0, 1]), np.array([40, 40, 40, 35, 40])
    blocks = builder_of(stream).build(node, time)
    assert blocks.num_queries[1] == 3  # (0, 35), (0, 40), (1, 40)
    # Below them those three again, and their neighbours where and when each event was: (1, 10) and (3, 30) for node 0
    # at either time, (0, 10) and (2, 20) for node 1.
    assert blocks.num_queries[0] == 7
    assert [len(block.own) for block in blocks.layers] == [7, 3]
    assert blocks.layers[0].distinct.tolist() == [0, 1, 2, 3]  # what a node asks does not depend on the time


def test_queries_beyond_the_end_of_the_stream_stay_apart():
    stream = plain_stream([(0, 1, 10)])
    blocks = builder_of(stream).build(np.array([0, 0]), np.array([11, 500]))
    elapsed = blocks.layers[-1].elapsed[blocks.root][:, -1]
    assert elapsed.tolist() == [1.0, 490.0]


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    events_between(0, 9, min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12))).filter(bool),
)
def test_embeddings_come_in_the_order_asked_whatever_else_is_asked(events, asked):
    stream = stream_of(events)
    node, time = (np.array(column) for column in zip(*asked, strict=True))
    together = embed(stream, node, START + time)
    assert len(together) == len(asked)
    for row, (n, t) in enumerate(asked):
        torch.testing.assert_close(together[row : row + 1], embed(stream, [n], [START + t]), atol=1e-6, rtol=1e-6)


def test_a_node_without_a_past_depends_on_no_other_node():
    stream = plain_stream([(1, 2, 10), (3, 4, 20)])
    builder = builder_of(stream)
    torch.manual_seed(0)
    encoder = tiny_model().eval().encoder
    for node in (0, 5, 6):
        alone = builder.build(np.array([node, 2, 4]), np.array([15, 15, 25]))
        before = encoder(alone)
        assert before.isfinite().all()
        encoder.zero_grad()
        before[0].sum().backward(retain_graph=True)
        felt = encoder.nodes.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
        assert felt == [node]
    before[1].sum().backward()
    assert encoder.nodes.weight.grad[1].abs().sum() > 0  # a node with a past does depend on whom it met


def test_uniform_neighbours_are_used_when_a_draw_is_given():
    stream = plain_stream([(0, 1 + t % 6, t) for t in range(50)])
    drawn = builder_of(stream).build(np.array([0]), np.array([50]), draw=QuestionDraw((0,))).layers[-1]
    recent = builder_of(stream).build(np.array([0]), np.array([50])).layers[-1]
    assert recent.elapsed.tolist() == [[3.0, 2.0, 1.0]]
    assert drawn.elapsed.tolist() != recent.elapsed.tolist()


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    events_between(0, 9, min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12))).filter(bool),
    st.integers(0, 2**70),
)
def test_the_uniform_neighbours_of_a_question_are_the_same_whatever_else_is_asked(events, asked, seed):
    builder, draw = builder_of(stream_of(events)), QuestionDraw((seed, 2))
    node, time = (np.array(column) for column in zip(*asked, strict=True))
    together = builder.build(node, START + time, draw=draw)
    for row, (n, t) in enumerate(asked):
        alone = builder.build(np.array([n]), np.array([START + t]), draw=draw)
        assert seen_from(together, int(together.root[row])) == seen_from(alone, int(alone.root[0]))


def seen_from(blocks, row):
    """All that a row of the last layer sees, through every layer, as one nested value."""
    depth = len(blocks.layers) - 1
    return _seen(blocks, depth, row)


def _seen(blocks, depth, row):
    if depth < 0:
        return row
    block = blocks.layers[depth]
    own = _seen(blocks, depth - 1, int(block.distinct[block.own[row]]))
    below = [_seen(blocks, depth - 1, int(neighbour)) for neighbour in block.neighbour[row]]
    return own, below, block.elapsed[row].tolist(), block.features[row].tolist(), block.mask[row].tolist()
