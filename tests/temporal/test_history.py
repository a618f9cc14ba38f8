"""What happened before a question, against a loop over all events: equal times, self loops, both directions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import NUM_NODES, plain_stream

from seedbed.temporal import BASELINE_RULES, EventHistory, HistoryBoosting, history_columns

node = st.integers(0, NUM_NODES - 1)
triples = st.lists(st.tuples(node, node, st.integers(0, 6)), min_size=1, max_size=30)
queries = st.lists(
    st.tuples(node, node, st.integers(-2, 9) | st.sampled_from([-(2**62), 2**62])), min_size=1, max_size=12
)
NEVER = 2.0**63


def columns(asked):
    return (np.array(column) for column in zip(*asked, strict=True))


def in_order(events, undirected):
    """The events as a history sees them: by time, and each followed by its reverse when they have no direction."""
    found = []
    for s, d, t in sorted(events, key=lambda event: event[2]):
        found += [(s, d, t), (d, s, t)] if undirected and s != d else [(s, d, t)]
    return found


def age(times, now):
    return float(now - max(times)) if times else NEVER


def facts(events, asked):
    """The twin: one loop over all earlier events for each question, in the order of `history_columns`."""
    s, d, now = asked
    past = [event for event in events if event[2] < now]
    pair = [t for a, b, t in past if (a, b) == (s, d)]
    reverse = [t for a, b, t in past if (a, b) == (d, s)]
    by_source = [(b, t) for a, b, t in past if a == s]
    to_destination = [(a, t) for a, b, t in past if b == d]
    return [
        len(pair),
        age(pair, now),
        len(pair) / max(1, len(by_source)),
        len(reverse),
        age(reverse, now),
        len(to_destination),
        age([t for _, t in to_destination], now),
        len(by_source),
        age([t for _, t in by_source], now),
        len({b for b, _ in by_source}),
        len({a for a, _ in to_destination}),
        float([b for b, _ in by_source][-1:] == [d]),
    ]


@settings(deadline=None)
@given(triples, queries, st.booleans())
def test_every_fact_is_that_of_a_loop_over_the_events_strictly_before(events, asked, undirected):
    past = EventHistory(replace(plain_stream(events), undirected=undirected)).before(*columns(asked))
    seen = in_order(events, undirected)
    assert history_columns(past).tolist() == [facts(seen, question) for question in asked]
    ends = [{end for s, d, t in events if t < now for end in (s, d)} for _, _, now in asked]
    assert past.knows_source.tolist() == [s in known for (s, _, _), known in zip(asked, ends, strict=True)]
    assert past.knows_destination.tolist() == [d in known for (_, d, _), known in zip(asked, ends, strict=True)]


@settings(deadline=None)
@given(triples, queries, st.booleans())
def test_every_rule_scores_what_the_loop_found(events, asked, undirected):
    past = EventHistory(replace(plain_stream(events), undirected=undirected)).before(*columns(asked))
    found = [facts(in_order(events, undirected), question) for question in asked]
    expected = {
        "pair_counter": [row[0] for row in found],
        "pair_recency": [-row[1] for row in found],
        "destination_recency": [-row[6] for row in found],
        "popularity": [row[5] for row in found],
        "most_recent": [row[11] for row in found],
        "never_seen": [float(row[5] == 0) for row in found],
    }
    assert {name: rule(past).tolist() for name, rule in BASELINE_RULES.items()} == expected


@settings(deadline=None)
@given(triples, triples, st.lists(st.tuples(node, node), min_size=1, max_size=8), st.integers(0, 6))
def test_no_fact_moves_when_what_comes_at_or_after_the_question_is_another(events, others, pairs, now):
    asked = [(*pair, now) for pair in pairs]
    before = [event for event in events if event[2] < now]
    later = [(s, d, t) for s, d, t in others if t >= now]
    if not before:
        return
    kept = EventHistory(plain_stream(events)).before(*columns(asked))
    changed = EventHistory(plain_stream(before + later)).before(*columns(asked))
    assert history_columns(kept).tolist() == history_columns(changed).tolist()


def planted(num_events=600):
    """Every source meets its own destination three times in four."""
    rng = np.random.default_rng(3)
    source = rng.integers(0, 3, num_events)
    destination = np.where(rng.random(num_events) < 0.75, source + 3, rng.integers(3, NUM_NODES, num_events))
    return plain_stream(list(zip(source.tolist(), destination.tolist(), range(num_events), strict=True)))


def asked_of(stream):
    rng = np.random.default_rng(5)
    source, destination = stream.src.astype(np.int64), stream.dst.astype(np.int64)
    return source, np.column_stack([destination, rng.integers(3, NUM_NODES, len(stream))]), stream.t


@pytest.mark.slow
def test_the_boosting_finds_a_planted_preference_and_is_the_same_each_time():
    stream = planted()
    history, (source, candidates, time) = EventHistory(stream), asked_of(stream)
    half = len(stream) // 2
    made = [HistoryBoosting.fit(history, source[:half], candidates[:half], time[:half], seed=0) for _ in range(2)]
    own, foreign = (history.before(source[half:], source[half:] + shift, time[half:]) for shift in (3, 4))
    of_own, of_foreign = made[0].score(own), made[0].score(foreign)
    assert (of_own > of_foreign).mean() > 0.9
    assert made[1].score(own).tolist() == of_own.tolist()


@pytest.mark.slow
def test_the_boosting_learns_nothing_from_what_comes_after_its_events():
    stream = planted()
    source, candidates, time = asked_of(stream)
    half = len(stream) // 2
    other = np.random.default_rng(9).integers(3, NUM_NODES, len(stream) - half)
    events = list(zip(stream.src[half:].tolist(), other.tolist(), stream.t[half:].tolist(), strict=True))
    first = list(zip(stream.src[:half].tolist(), stream.dst[:half].tolist(), stream.t[:half].tolist(), strict=True))
    scores = []
    for history in (EventHistory(stream), EventHistory(plain_stream(first + events))):
        trees = HistoryBoosting.fit(history, source[:half], candidates[:half], time[:half], seed=0)
        scores.append(trees.score(history.before(source[:half], candidates[:half, 1], time[:half])).tolist())
    assert scores[0] == scores[1]
