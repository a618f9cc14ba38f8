"""Links: each distinct one is scored once, so that equal candidates tie; the pair head adds what a pair did before."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import NUM_NODES, SCALE, builder_of, events_between, plain_stream, stream_of, tiny_model
from torch.nn import functional

from seedbed.temporal import EventHistory
from seedbed.temporal._link_queries import link_queries, pair_features

nodes = st.integers(0, NUM_NODES - 1)
batches = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.tuples(nodes, st.lists(nodes, min_size=width, max_size=width), st.integers(0, 4)), min_size=1, max_size=8
    )
)


def scored(model, stream, source, candidates, time):
    asked = link_queries(source, candidates, time)
    links = asked.links(None if model.pair is None else EventHistory(stream), SCALE)
    with torch.no_grad():
        return model.eval()(builder_of(stream).build(asked.node, asked.time), links)


@settings(deadline=None)
@given(batches)
def test_every_candidate_finds_its_own_question_among_the_distinct_ones(batch):
    source, candidates, time = (np.array(column) for column in zip(*batch, strict=True))
    asked = link_queries(source, candidates, time)
    of_source, of_destination = asked.source[asked.candidate], asked.num_sources + asked.destination[asked.candidate]
    assert (asked.node[of_source] == source[:, None]).all()
    assert (asked.node[of_destination] == candidates).all()
    assert (asked.time[of_source] == time[:, None]).all()
    assert (asked.time[of_destination] == time[:, None]).all()
    questions = {(s, d, t) for s, row, t in batch for d in row}
    assert len(asked.source) == len(questions)
    assert len(asked.node) == len({(s, t) for s, _, t in batch}) + len({(d, t) for _, d, t in questions})


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(events_between(0, 9, min_size=1, max_size=25), batches)
def test_equal_candidates_have_one_score_and_every_score_is_the_one_of_its_question_alone(events, batch):
    stream = stream_of(events)
    source, candidates, time = (np.array(column) for column in zip(*batch, strict=True))
    time = stream.t[0] + 5 + time
    torch.manual_seed(0)
    model = tiny_model()
    together = scored(model, stream, source, candidates, time).numpy()
    first: dict[tuple[int, int, int], float] = {}
    for row, (node, when) in enumerate(zip(source, time, strict=True)):
        for column, candidate in enumerate(candidates[row]):
            score = first.setdefault((node, candidate, when), together[row, column])
            assert score == together[row, column]
            alone = scored(model, stream, np.array([node]), np.array([[candidate]]), np.array([when]))
            assert float(alone) == pytest.approx(float(score), abs=1e-5)


def test_with_wide_rows_equal_candidates_still_tie():
    """Kernels round a row by its place among the others, which shows from a certain width on."""
    rng = np.random.default_rng(0)
    stream = plain_stream([(int(rng.integers(7)), int(rng.integers(7)), t) for t in range(100)])
    torch.manual_seed(0)
    model = tiny_model()
    for width in (2, 7, 43):
        candidates = np.repeat(rng.integers(0, 7, (9, 1)), width, axis=1)
        scores = scored(model, stream, rng.integers(0, 7, 9), candidates, np.full(9, 100))
        assert (scores == scores[:, :1]).all()


def test_the_head_adds_its_own_reading_of_the_pair_to_what_the_model_says_without_it():
    stream = plain_stream([(0, 1, 1), (0, 1, 3), (2, 1, 4)])
    torch.manual_seed(0)
    model = tiny_model()
    source, candidates, time = np.array([0, 2]), np.array([[1, 2], [0, 1]]), np.array([9, 9])
    whole = scored(model, stream, source, candidates, time)
    ends = np.repeat(source, 2), candidates.ravel(), np.repeat(time, 2)
    read = torch.from_numpy(pair_features(EventHistory(stream), *ends, SCALE))
    first, _, last = model.pair
    with torch.no_grad():
        added = (functional.relu(read @ first.weight.T + first.bias) @ last.weight.T + last.bias).view(2, 2)
    model.pair = None
    torch.testing.assert_close(whole, scored(model, stream, source, candidates, time) + added)


def test_a_model_without_the_head_begins_with_the_same_weights():
    torch.manual_seed(3)
    with_head = dict(tiny_model().named_parameters())
    torch.manual_seed(3)
    without = dict(tiny_model(pair_features=False).named_parameters())
    assert set(with_head) - set(without) == {"pair.0.weight", "pair.0.bias", "pair.2.weight", "pair.2.bias"}
    assert all(torch.equal(with_head[name], parameter) for name, parameter in without.items())
