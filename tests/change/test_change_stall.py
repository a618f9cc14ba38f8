"""The stall rule proposes when, and only when, a score has stopped improving."""

from itertools import pairwise

import numpy as np
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
        "the score has not improved by more than 0.01 for 2 evaluations: best 0.8500 at evaluation 2, now 0.8400",
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


# Scores that jump: each is the mean of parts, whose noise is known; the standard error of a score is 1.
NUM_PARTS, NUM_SEEDS = 8, 60
CAREFUL = StallRule(patience=2, factor=0.5, min_delta=2.0, confidence=0.95)


def first_cut(rule: StallRule, rise: float, seed: int, evaluations: int = 20, common: float = 0.0) -> int | None:
    """The first evaluation after which the rule acts, on a score that rises by `rise` an evaluation."""
    rng, state = np.random.default_rng(seed), StallState()
    of_batch = common * rng.normal(size=NUM_PARTS)
    for at in range(evaluations):
        parts = rise * at + of_batch + rng.normal(size=NUM_PARTS) * NUM_PARTS**0.5
        state, delta = rule.observe(state, float(parts.mean()), parts.tolist())
        if delta is not None:
            return at + 1
    return None


@pytest.mark.slow
@pytest.mark.parametrize("min_delta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("patience", [1, 2])
def test_a_rise_under_noise_is_left_alone_in_95_of_100_series(patience: int, min_delta: float) -> None:
    """It rises 2.5 times as fast as the rule asks for, over 20 evaluations."""
    rule = StallRule(patience, 0.5, min_delta, confidence=0.95)
    cuts = sum(first_cut(rule, 2.5 * min_delta / patience, seed) is not None for seed in range(NUM_SEEDS))
    assert cuts <= 0.05 * NUM_SEEDS


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "min_delta", "within"), [(1, 2.0, 5), (1, 0.5, 10), (2, 2.0, 6), (2, 0.5, 14)])
def test_a_flat_series_under_noise_is_cut_within_a_stated_number_of_evaluations(
    patience: int, min_delta: float, within: int
) -> None:
    rule = StallRule(patience, 0.5, min_delta, confidence=0.95)
    cut = [first_cut(rule, 0.0, seed) for seed in range(NUM_SEEDS)]
    assert sum(at is not None and at <= within for at in cut) >= 0.8 * NUM_SEEDS


def test_what_makes_a_batch_hard_every_time_is_no_noise() -> None:
    for seed in range(5):
        assert first_cut(CAREFUL, 0.0, seed, common=100.0) == first_cut(CAREFUL, 0.0, seed)


def test_a_score_that_jumps_between_evaluations_is_not_cut_by_one_fall() -> None:
    """Its parts agree, so they know nothing of the jump; the falls do. The rule that knows no noise cuts."""
    jumping, plain = StallRule(1, 0.5, 1.0, confidence=0.95), StallRule(1, 0.5, 1.0)
    scores = [0.0, 6.0, 3.0, 12.0, 9.0, 18.0, 15.0, 24.0]
    made: dict[bool, list[Delta | None]] = {True: [], False: []}
    states = {True: StallState(), False: StallState()}
    for score in scores:
        for is_careful, rule in ((True, jumping), (False, plain)):
            states[is_careful], delta = rule.observe(states[is_careful], score, (score, score))
            made[is_careful].append(delta)
    assert made[True] == [None] * len(scores)
    assert made[False][2] is not None


def test_without_noise_a_careful_rule_acts_as_soon_as_its_patience_is_over_and_says_why() -> None:
    state, made = StallState(), []
    for score in (1.0, 5.0, 5.0, 5.0):
        state, delta = CAREFUL.observe(StallState.model_validate_json(state.model_dump_json()), score, (score, score))
        made.append(delta)
    assert made[:3] == [None] * 3
    assert made[3] is not None
    assert made[3].reason == (
        "the score does not rise by more than 2 in 2 evaluations, at 95% confidence over the last 3: "
        "best 5.0000 at evaluation 2, now 5.0000"
    )
    assert state.recent == ((5.0, 5.0),)


def test_the_state_of_a_rule_that_knows_no_noise_is_written_as_it_always_was() -> None:
    state, _ = RULE.observe(StallState(), 0.8)
    assert state.model_dump_json() == '{"best":0.8,"best_at":1,"evaluations":1,"waited":0}'
    assert StallState.model_validate_json(state.model_dump_json()) == state


def test_parts_that_cannot_be_paired_are_refused() -> None:
    for first, second in (((), ()), ((1.0,), ()), ((1.0, 2.0), (1.0, 2.0, 3.0)), ((1.0, float("nan")), ())):
        with pytest.raises(InvalidInput, match="finite parts of the score"):
            CAREFUL.observe(CAREFUL.observe(StallState(), 1.0, first)[0], 1.0, second)


@pytest.mark.parametrize(("min_delta", "confidence"), [(0.0, 0.95), (0.1, 1.0), (0.1, 0.4)])
def test_a_confidence_that_nothing_can_reach_is_refused(min_delta: float, confidence: float) -> None:
    with pytest.raises(InvalidInput, match="with a confidence"):
        StallRule(2, 0.5, min_delta, confidence=confidence)


@pytest.mark.parametrize(("patience", "factor", "min_delta"), [(0, 0.5, 0.0), (1, float("nan"), 0.0), (1, 0.5, -1.0)])
def test_a_rule_that_cannot_work_is_refused(patience: int, factor: float, min_delta: float) -> None:
    with pytest.raises(InvalidInput, match="StallRule"):
        StallRule(patience, factor, min_delta)
