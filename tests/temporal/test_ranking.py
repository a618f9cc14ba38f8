"""Ranking metrics against scikit-learn, and their own definitions where it has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from seedbed.temporal import RankingScores, average_precision, reciprocal_rank, roc_auc

scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30).map(np.array)


@pytest.mark.slow
@given(scores, scores)
def test_average_precision_and_auc_are_scikit_learns_also_among_ties(positive, negative):
    truth = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    score = np.concatenate([positive, negative])
    assert average_precision(positive, negative) == pytest.approx(average_precision_score(truth, score))
    assert roc_auc(positive, negative) == pytest.approx(roc_auc_score(truth, score))


def test_a_tie_takes_the_middle_rank():
    positive = np.array([1.0, 1.0, 0.0])
    negative = np.array([[0.0, 0.5], [1.0, 1.0], [1.0, 2.0]])
    assert reciprocal_rank(positive, negative).tolist() == [1.0, 0.5, pytest.approx(1 / 3)]


def test_a_constant_score_is_worth_a_coin():
    flat = RankingScores(np.zeros(50), np.zeros(50), np.zeros((50, 9)))
    assert flat.metrics() == {"ap": 0.5, "auc": 0.5, "mrr": pytest.approx(1 / 5.5)}


def test_scores_that_are_not_numbers_have_no_rank():
    lost = RankingScores(np.array([np.nan, 1.0]), np.array([0.0, 0.0]), np.zeros((2, 3)))
    assert all(np.isnan(value) for value in lost.metrics().values())
    assert reciprocal_rank(lost.true, lost.many).tolist()[1] == 1.0
