"""What works is left alone for a while: a freeze begins after enough good iterations, runs its course, says why."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import (
    Conditions,
    Decision,
    FreezeRule,
    FreezeState,
    GoodRange,
    Move,
    Parameter,
    ProposedChange,
    freeze,
)
from seedbed.errors import InvalidInput

RISK = GoodRange("risk_ratio", high=0.35)
NET = GoodRange("net_bps", low=2.7)
RULE = FreezeRule((RISK, NET), hold=2, lasting=4, subsystems=("quotes",))
GOOD = {"risk_ratio": 0.35, "net_bps": 2.7, "maker_share": 0.1}
BAD = {"risk_ratio": 0.36, "net_bps": 2.7}


def states(rule: FreezeRule, course: Sequence[Mapping[str, float]]) -> list[FreezeState]:
    state, made = FreezeState(), []
    for kpis in course:
        state = rule.observe(FreezeState.model_validate_json(state.model_dump_json()), kpis)
        made.append(state)
    return made


def frozen(rule: FreezeRule, course: Sequence[Mapping[str, float]]) -> list[bool]:
    return [bool(rule.frozen(state)) for state in states(rule, course)]


def test_two_good_iterations_freeze_the_next_four_whatever_becomes_of_them() -> None:
    course = [GOOD, BAD, GOOD, GOOD, BAD, BAD, BAD, BAD, BAD]
    assert frozen(RULE, course) == [False, False, False, True, True, True, True, False, False]


def test_a_freeze_that_ends_while_all_is_good_begins_again_at_once() -> None:
    assert frozen(RULE, [GOOD] * 12) == [False] + [True] * 11
    assert frozen(RULE, [GOOD] * 6 + [BAD] * 4) == [False] + [True] * 8 + [False]


def test_the_freeze_denies_changes_of_its_subsystems_and_says_why() -> None:
    state = states(RULE, [GOOD, GOOD])[-1]
    spread, rate = Parameter("quotes.spread", "bps", 0, 9), Parameter("optimizer.lr", "1", 0, 9)
    holding = Conditions(frozen=RULE.frozen(state))
    results = [freeze(ProposedChange(each, Move(2, 1.0, 2.0), (), holding)) for each in (spread, rate)]
    assert [result.decision for result in results] == [Decision.DENY, Decision.ALLOW]
    assert results[0].reason == (
        "subsystem 'quotes' is frozen: risk_ratio and net_bps were good 2 iterations in a row; the freeze lasts 4 more"
    )


@pytest.mark.parametrize(
    ("kpis", "said"),
    [
        ({"net_bps": 3.0}, "risk_ratio is missing"),
        ({"risk_ratio": float("nan"), "net_bps": 3.0}, "risk_ratio is nan, not a finite number"),
        ({"risk_ratio": float("-inf"), "net_bps": 3.0}, "risk_ratio is -inf, not a finite number"),
        ({"risk_ratio": 0.36, "net_bps": 3.0}, "risk_ratio is 0.36, above 0.35"),
        ({"risk_ratio": 0.3, "net_bps": 2.6}, "net_bps is 2.6, below 2.7"),
    ],
)
def test_a_kpi_that_is_not_good_is_said_and_the_count_begins_anew(kpis: dict[str, float], said: str) -> None:
    after = states(RULE, [GOOD, kpis, GOOD])
    assert after[1] == FreezeState(good_in_a_row=0, objections=(said,))
    assert after[2] == FreezeState(good_in_a_row=1)


def test_every_kpi_that_is_not_good_is_said() -> None:
    assert states(RULE, [{}])[0].objections == ("risk_ratio is missing", "net_bps is missing")


@pytest.mark.slow
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(1, 6))
def test_a_freeze_begins_only_after_hold_good_iterations_and_lasts_as_long_as_it_should(
    course: list[bool], hold: int, lasting: int
) -> None:
    found = frozen(FreezeRule((RISK, NET), hold, lasting), [GOOD if good else BAD for good in course])
    at = 0
    while at < len(course):
        begins = at + 1 >= hold and all(course[at + 1 - hold : at + 1])
        expected = [begins] * (lasting if begins else 1)
        assert found[at : at + len(expected)] == expected[: len(course) - at]
        at += len(expected)


@pytest.mark.slow
@given(st.lists(st.fixed_dictionaries({}, optional={"risk_ratio": st.floats(), "net_bps": st.floats()}), max_size=20))
def test_iterations_counted_as_good_were_measured_whole_and_within_range(course: list[dict[str, float]]) -> None:
    for at, state in enumerate(states(RULE, course)):
        if state.good_in_a_row >= 2:
            assert all(kpis["risk_ratio"] <= 0.35 and kpis["net_bps"] >= 2.7 for kpis in course[at - 1 : at + 1])
        if state.good_in_a_row == 0:
            assert state.objections


@pytest.mark.parametrize(("low", "high"), [(None, None), (2.0, 1.0), (float("nan"), None), (None, float("inf"))])
def test_a_range_in_which_nothing_or_everything_is_good_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(InvalidInput, match="GoodRange"):
        GoodRange("net_bps", low, high)


@pytest.mark.parametrize("change", [{"good": ()}, {"hold": 0}, {"lasting": 0}, {"subsystems": ()}])
def test_a_rule_that_freezes_nothing_or_at_once_is_refused(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"good": (RISK,), "hold": 1, "lasting": 1}
    with pytest.raises(InvalidInput, match="FreezeRule"):
        FreezeRule(**(fields | change))
