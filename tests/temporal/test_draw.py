"""Draws: uniform, independent in every respect in which questions differ, and of the question alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from seedbed.temporal import QuestionDraw

NODE, TIME = np.repeat(np.arange(100), 100), np.tile(1_700_000_000 + 60 * np.arange(100), 100)
INT64 = st.integers(-(2**63), 2**63 - 1)


def drawn(seed=(0, 2), layer=0, k=4):
    return QuestionDraw(seed).uniform(NODE, TIME, layer, k)


@given(st.lists(st.tuples(st.integers(0, 2**31), INT64), min_size=1), st.integers(0, 2**63), st.integers(1, 7))
def test_a_question_gets_its_numbers_in_any_batch_and_with_any_number_of_slots(asked, seed, k):
    node, time = (np.array(column, np.int64) for column in zip(*asked, strict=True))
    draw = QuestionDraw((seed, 2))
    together = draw.uniform(node, time, 1, k)
    assert ((together >= 0) & (together < 1)).all()
    for row in range(len(asked)):
        alone = draw.uniform(node[row : row + 1], time[row : row + 1], 1, 9)
        assert alone[0, :k].tolist() == together[row].tolist()


def test_they_are_uniform_over_all_questions_and_for_each_node_time_and_slot():
    found = drawn()
    assert kstest(found.ravel(), "uniform").pvalue > 0.01
    grid = found.reshape(100, 100, 4)
    means = np.concatenate([grid.mean(axis=(1, 2)), grid.mean(axis=(0, 2))])
    np.testing.assert_allclose(means, 0.5, atol=4.5 / np.sqrt(12 * 400))
    np.testing.assert_allclose(found.mean(axis=0), 0.5, atol=4 / np.sqrt(12 * len(found)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (drawn()[:, 0], drawn()[:, 1]),
        (drawn()[:, 0], drawn()[:, 2]),
        (drawn()[:-1], drawn()[1:]),
        (drawn()[:-100], drawn()[100:]),
        (drawn(), drawn(layer=1)),
        (drawn(), drawn(seed=(1, 2))),
        (drawn((0, 1, 7)), drawn((0, 1, 8))),
    ],
    ids=["next slot", "slot after", "next time", "next node", "layer", "seed", "step"],
)
def test_what_differs_in_one_respect_is_independent(one, other):
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)
    assert (one != other).mean() > 0.999
