"""The stall rule proposes when, and only when, a score has stopped improving."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import Delta, Scale, StallRule, StallState
from seedbed.errors import InvalidInput

RULE = StallRule(patience=2, factor=0.5, min_delta=0.01)


def proposals(rule: StallRule, scores: list[float]) -> list[Delta | None]:
    state, made = StallState(), []
    for score in scores:
        state, delta = rule.observe(StallState.model_validate_json(state.model_dump_json()), score)
        made.append(delta)
    return made


def test_it_proposes_after_patience_evaluations_without_improvement_and_says_why() -> None:
    *quiet, delta = proposals(RULE, [0.80, 0.85, 0.855, 0.84])
    assert quiet == [None, None, None]
    assert delta == Delta(
        "optimizer.lr",
        Scale(0.5),
        "validation AP has not improved by more than 0.01 for 2 evaluations: best 0.8500 at evaluation 2, now 0.8400",
        "stall rule",
    )


def test_the_wait_begins_anew_after_a_proposal() -> None:
    made = proposals(RULE, [0.8, 0.8, 0.8, 0.8, 0.8])
    assert [delta is not None for delta in made] == [False, False, True, False, True]


def test_a_score_that_is_not_a_number_is_no_improvement() -> None:
    made = proposals(RULE, [float("nan"), float("inf")])
    assert made[1] is not None
    assert "best none yet" in made[1].reason


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), max_size=30))
def test_a_score_that_keeps_rising_is_left_alone(scores: list[float]) -> None:
    rising = [index + score * 0.5 for index, score in enumerate(scores)]
    assert proposals(RULE, rising) == [None] * len(scores)


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 5))
def test_it_never_proposes_twice_within_its_patience(scores: list[float], patience: int) -> None:
    made = proposals(StallRule(patience, 0.5), scores)
    at = [index for index, delta in enumerate(made) if delta is not None]
    assert all(later - earlier >= patience for earlier, later in pairwise(at))


@pytest.mark.parametrize(("patience", "factor", "min_delta"), [(0, 0.5, 0.0), (1, float("nan"), 0.0), (1, 0.5, -1.0)])
def test_a_rule_that_cannot_work_is_refused(patience: int, factor: float, min_delta: float) -> None:
    with pytest.raises(InvalidInput, match="StallRule"):
        StallRule(patience, factor, min_delta)
