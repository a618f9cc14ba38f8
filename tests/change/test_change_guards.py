"""Each guard fires alone, none enlarges a delta, and each is monotone in its threshold."""

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import (
    GUARDS,
    Add,
    Case,
    Decision,
    Delta,
    Guard,
    Move,
    Parameter,
    Scale,
    Set,
    bounds,
    cooldown,
    no_op,
)
from seedbed.change._guards import judge_proposal
from seedbed.errors import InvalidInput

LR = Parameter("optimizer.lr", unit="1", low=1e-5, high=1e-1, cooldown_steps=100)

numbers = st.floats(-1e3, 1e3)
steps = st.integers(0, 10_000)
moves = st.builds(Move, steps, numbers, numbers)
earlier_moves = st.lists(moves, max_size=4).map(lambda each: sorted(each, key=lambda move: move.step))


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    low, high = sorted((draw(numbers), draw(numbers)))
    return Parameter("p", "1", low, high, draw(st.integers(0, 500)))


def case(parameter: Parameter, proposal: Move, earlier: list[Move]) -> Case:
    return Case(parameter, proposal, tuple(earlier))


def firing(proposal: Move, earlier: list[Move]) -> list[str]:
    return [guard.__name__ for guard in GUARDS if guard(case(LR, proposal, earlier)).decision is not Decision.ALLOW]


def test_cooldown_alone_fires() -> None:
    proposal, earlier = Move(150, 1e-2, 5e-3), [Move(51, 2e-2, 1e-2)]
    assert firing(proposal, earlier) == ["cooldown"]
    ruling = judge_proposal(GUARDS, case(LR, proposal, earlier))
    assert (ruling.decision, ruling.guard, ruling.after) == (Decision.DENY, "cooldown", 1e-2)
    assert ruling.reason == "the last change of optimizer.lr was 99 steps ago, 100 must pass"
    assert firing(Move(151, 1e-2, 5e-3), earlier) == []


def test_bounds_alone_fires_and_shrinks_to_the_bound() -> None:
    proposal = Move(0, 1e-2, 0.5)
    assert firing(proposal, []) == ["bounds"]
    ruling = judge_proposal(GUARDS, case(LR, proposal, []))
    assert (ruling.decision, ruling.guard, ruling.after) == (Decision.SHRINK, "bounds", 1e-1)
    assert ruling.reason == "0.5 lies outside 1e-05 .. 0.1"


def test_bounds_denies_where_the_bound_itself_would_be_a_larger_move() -> None:
    ruling = bounds(case(LR, Move(0, 1e-7, 5e-8), []))
    assert (ruling.decision, ruling.after) == (Decision.DENY, 1e-7)


def test_no_op_alone_fires() -> None:
    assert firing(Move(0, 1e-2, 1e-2), []) == ["no_op"]
    assert firing(Move(0, 1e-2, nextafter(1e-2, 1)), []) == []
    assert judge_proposal(GUARDS, case(LR, Move(0, 1e-2, 1e-2), [])).guard == "no_op"


def test_a_value_shrunk_to_the_one_already_live_is_a_no_op() -> None:
    assert judge_proposal(GUARDS, case(LR, Move(0, 1e-1, 0.5), [])).guard == "no_op"


def test_the_first_guard_in_order_has_the_word() -> None:
    earlier = [Move(0, 0.0, 1e-1)]
    assert firing(Move(1, 1e-1, 0.5), earlier) == ["cooldown", "bounds"]
    assert judge_proposal(GUARDS, case(LR, Move(1, 1e-1, 0.5), earlier)).guard == "cooldown"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
@given(parameter=parameters(), proposal=moves, earlier=earlier_moves)
def test_no_guard_enlarges_or_turns_a_delta(
    guard: Guard, parameter: Parameter, proposal: Move, earlier: list[Move]
) -> None:
    ruling = guard(case(parameter, proposal, earlier))
    assert min(proposal.before, proposal.after) <= ruling.after <= max(proposal.before, proposal.after)
    if ruling.decision is Decision.ALLOW:
        assert ruling.after == proposal.after
    if ruling.decision is Decision.DENY:
        assert ruling.after == proposal.before
    assert ruling.reason


@given(parameter=parameters(), proposal=moves, earlier=earlier_moves, more=st.integers(0, 500))
def test_a_longer_cooldown_never_allows_more(
    parameter: Parameter, proposal: Move, earlier: list[Move], more: int
) -> None:
    longer = Parameter("p", "1", parameter.low, parameter.high, parameter.cooldown_steps + more)
    if cooldown(case(parameter, proposal, earlier)).decision is Decision.DENY:
        assert cooldown(case(longer, proposal, earlier)).decision is Decision.DENY


@given(parameter=parameters(), proposal=moves, below=st.floats(0, 100), above=st.floats(0, 100))
def test_wider_bounds_never_let_less_through(parameter: Parameter, proposal: Move, below: float, above: float) -> None:
    wider = Parameter("p", "1", parameter.low - below, parameter.high + above)
    narrow, wide = (bounds(case(each, proposal, [])).after for each in (parameter, wider))
    assert abs(wide - proposal.before) >= abs(narrow - proposal.before)


@given(parameter=parameters(), proposal=moves, earlier=earlier_moves)
def test_what_passes_the_guards_passes_them_again_unchanged(
    parameter: Parameter, proposal: Move, earlier: list[Move]
) -> None:
    ruling = judge_proposal(GUARDS, case(parameter, proposal, earlier))
    if ruling.decision is not Decision.DENY:
        again = judge_proposal(GUARDS, case(parameter, Move(proposal.step, proposal.before, ruling.after), earlier))
        assert (again.decision, again.after) == (Decision.ALLOW, ruling.after)


@given(value=numbers, step=steps)
def test_no_op_looks_at_nothing_but_the_values(value: float, step: int) -> None:
    assert no_op(case(LR, Move(step, value, value), [])).decision is Decision.DENY


@pytest.mark.parametrize(
    ("low", "high", "cooldown_steps"), [(1.0, 0.0, 0), (float("nan"), 1.0, 0), (0.0, float("inf"), 0), (0.0, 1.0, -1)]
)
def test_limits_that_leave_no_room_are_refused(low: float, high: float, cooldown_steps: int) -> None:
    with pytest.raises(InvalidInput, match="parameter 'optimizer"):
        Parameter("optimizer.lr", "1", low, high, cooldown_steps)


def test_operations_resolve_to_absolute_values() -> None:
    resolved = [Delta("p", op, "r", "me").resolve(4.0) for op in (Set(3.0), Add(-1.0), Scale(0.5))]
    assert resolved == [3.0, 3.0, 2.0]


def test_a_delta_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        Delta("p", Set(float("nan")), "r", "me")
    with pytest.raises(InvalidInput, match="gives inf"):
        Delta("p", Scale(1e300), "r", "me").resolve(1e300)
