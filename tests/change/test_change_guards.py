"""Each guard fires alone, none enlarges a delta, each is monotone in its threshold, none looks at other settings."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from math import nextafter

import pytest
from change_world import SUBSYSTEMS, conditions, proposed_changes, with_limits
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import (
    GUARDS,
    Add,
    Conditions,
    Decision,
    Delta,
    Guard,
    GuardResult,
    Move,
    Number,
    Parameter,
    ProposedChange,
    Scale,
    Set,
    bounds,
    cooldown,
    drift,
    freeze,
    health,
    judge_proposal,
    no_op,
    oscillation,
    velocity,
)
from seedbed.errors import InvalidInput

LOOSER_AND_TIGHTER: Sequence[tuple[Guard, str, object, object]] = (
    (cooldown, "cooldown_steps", 10, 500),
    (velocity, "velocity_cap", 9.0, 8.0),
    (velocity, "velocity_cap", None, 8.0),
    (velocity, "velocity_window_steps", 1, 300),
    (oscillation, "oscillation_window", 4, 3),
    (oscillation, "oscillation_window", 0, 5),
    (oscillation, "oscillation_horizon_steps", 20, 300),
    (oscillation, "oscillation_horizon_steps", 20, None),
    (bounds, "high", 20.0, 10.0),
)


LR = Parameter("optimizer.lr", unit="1", low=1e-5, high=1e-1, cooldown_steps=100)
GUARDED = Parameter(
    "quotes.spread",
    "bps",
    low=0.0,
    high=1.0,
    increment=0.1,
    cooldown_steps=100,
    velocity_cap=0.3,
    velocity_window_steps=1000,
    oscillation_window=3,
)
UP_AND_DOWN = (Move(0, 0.5, 0.6), Move(200, 0.6, 0.5))
ALONE = {
    "freeze": (Move(0, 0.5, 0.6), (), Conditions(frozen={"quotes": "risk is low twice"})),
    "health": (Move(0, 0.5, 0.6), (), Conditions(unhealthy={"quotes": "no KPI for 3 iterations"})),
    "drift": (Move(0, 0.5, 0.6), (), Conditions(drifted={"*": "net_bps left its range"})),
    "oscillation": (Move(2000, 0.5, 0.6), UP_AND_DOWN, Conditions()),
    "velocity": (Move(0, 0.5, 0.9), (), Conditions()),
    "cooldown": (Move(99, 0.6, 0.7), (Move(0, 0.5, 0.6),), Conditions()),
    "bounds": (Move(0, 0.9, 1.1), (), Conditions()),
    "no_op": (Move(0, 0.5, 0.5), (), Conditions()),
}
RULINGS = {
    "freeze": (Decision.DENY, 0.5, "subsystem 'quotes' is frozen: risk is low twice"),
    "health": (Decision.DENY, 0.5, "subsystem 'quotes' is unhealthy: no KPI for 3 iterations"),
    "drift": (Decision.DENY, 0.5, "every subsystem is drifted: net_bps left its range"),
    "oscillation": (Decision.DENY, 0.5, "the last 2 changes of quotes.spread and this one go up and down in turn"),
    "velocity": (
        Decision.SHRINK,
        0.8,
        "quotes.spread has moved by 0 in the last 1000 steps and would by 0.4 more, 0.3 bps are allowed in all",
    ),
    "cooldown": (Decision.DENY, 0.6, "the last change of quotes.spread was 99 steps ago, 100 must pass"),
    "bounds": (Decision.SHRINK, 1.0, "1.1 lies outside 0 .. 1 bps by 0.1"),
    "no_op": (Decision.DENY, 0.5, "quotes.spread is already 0.5"),
}


def lr(move: Move, *earlier: Move) -> ProposedChange:
    return ProposedChange(LR, move, earlier)


def firing(proposed: ProposedChange) -> list[str]:
    return [guard.__name__ for guard in GUARDS if guard(proposed).decision is not Decision.ALLOW]


def lets_through(result: GuardResult, proposed: ProposedChange) -> float:
    """How far the result lets the value move."""
    return abs(result.after - proposed.move.before)


def test_the_guards_are_asked_in_the_order_that_is_written_down() -> None:
    order = ["freeze", "health", "drift", "oscillation", "velocity", "cooldown", "bounds", "no_op"]
    assert [guard.__name__ for guard in GUARDS] == order


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_each_guard_fires_alone_and_says_why(guard: Guard) -> None:
    move, earlier, holding = ALONE[guard.__name__]
    proposed = ProposedChange(GUARDED, move, earlier, holding)
    assert firing(proposed) == [guard.__name__]
    decision, after, reason = RULINGS[guard.__name__]
    assert judge_proposal(GUARDS, proposed) == GuardResult(decision, guard.__name__, after, reason)


def test_a_move_within_every_limit_is_allowed() -> None:
    proposed = ProposedChange(
        GUARDED, Move(100, 0.6, 0.7), (Move(0, 0.5, 0.6),), Conditions({"risk": ""}, {"risk": ""}, {"risk": ""})
    )
    assert firing(proposed) == []
    assert judge_proposal(GUARDS, proposed) == GuardResult(Decision.ALLOW, None, 0.7, "every guard allowed it")


def test_the_first_guard_in_order_has_the_word() -> None:
    everything = Conditions({"*": "x"}, {"*": "x"}, {"*": "x"})
    proposed = ProposedChange(GUARDED, Move(250, 0.5, 2.0), UP_AND_DOWN, everything)
    expected = ["freeze", "health", "drift", "oscillation", "velocity", "cooldown", "bounds"]
    assert firing(proposed) == expected
    for first, guard in enumerate(GUARDS[:-1]):
        assert judge_proposal(GUARDS[first:], proposed).guard == (
            guard.__name__ if guard is not velocity else "cooldown"
        )


def test_no_op_alone_fires_whatever_else_is_declared() -> None:
    assert firing(lr(Move(0, 1e-2, 1e-2))) == ["no_op"]
    assert firing(lr(Move(0, 1e-2, nextafter(1e-2, 1)))) == []


def test_a_value_shrunk_to_the_one_already_live_is_a_no_op() -> None:
    assert judge_proposal(GUARDS, lr(Move(0, 1e-1, 0.5))).guard == "no_op"


def test_bounds_denies_where_the_bound_itself_would_be_a_larger_move() -> None:
    result = bounds(lr(Move(0, 1e-7, 5e-8)))
    assert (result.decision, result.after) == (Decision.DENY, 1e-7)
    outside = "the live value 1e-07 lies outside 1e-05 .. 0.1"
    assert result.reason == f"{outside}, and a change to 5e-08 does not lead back into it"


def test_what_is_scaled_from_0_outside_the_bounds_is_told_so() -> None:
    result = judge_proposal(GUARDS, lr(Move(0, 0.0, Scale(0.5).resolve(0.0))))
    assert (result.decision, result.guard, result.after) == (Decision.DENY, "bounds", 0.0)
    assert result.reason == ("the live value 0 lies outside 1e-05 .. 0.1, and a change to 0 does not lead back into it")


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_no_guard_enlarges_or_turns_a_delta(proposed: ProposedChange) -> None:
    for guard in GUARDS:
        result, move = guard(proposed), proposed.move
        assert result.guard == guard.__name__
        assert min(move.before, move.after) <= result.after <= max(move.before, move.after)
        if result.decision is Decision.ALLOW:
            assert result.after == move.after
        if result.decision is Decision.SHRINK:
            assert result.after != move.after
        if result.decision is Decision.DENY:
            assert result.after == move.before
        assert result.reason


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_what_passes_a_guard_passes_it_again_unchanged(proposed: ProposedChange) -> None:
    for guard in GUARDS:
        result = guard(proposed)
        if result.decision is not Decision.DENY and result.after != proposed.move.before:
            again = guard(replace(proposed, move=replace(proposed.move, after=result.after)))
            assert (again.guard, again.decision, again.after) == (result.guard, Decision.ALLOW, result.after)


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_what_passes_the_guards_passes_them_again_unchanged(proposed: ProposedChange) -> None:
    result = judge_proposal(GUARDS, proposed)
    if result.decision is not Decision.DENY:
        again = judge_proposal(GUARDS, replace(proposed, move=replace(proposed.move, after=result.after)))
        assert (again.decision, again.after) == (Decision.ALLOW, result.after)


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_what_the_guards_let_through_keeps_every_limit(proposed: ProposedChange) -> None:
    result, declared, move = judge_proposal(GUARDS, proposed), proposed.parameter, proposed.move
    assert min(move.before, move.after) <= result.after <= max(move.before, move.after)
    if result.decision is not Decision.DENY:
        assert declared.low <= result.after <= declared.high
        assert result.after != move.before
        if declared.number is not Number.FLOAT:
            assert float(result.after).is_integer()


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_a_tighter_threshold_never_lets_more_through(proposed: ProposedChange) -> None:
    for guard, field, looser, tighter in LOOSER_AND_TIGHTER:
        loose, tight = (with_limits(proposed.parameter, **{field: threshold}) for threshold in (looser, tighter))
        if loose is not None and tight is not None:
            after_loose, after_tight = (guard(replace(proposed, parameter=each)) for each in (loose, tight))
            assert lets_through(after_tight, proposed) <= lets_through(after_loose, proposed), (guard, field)


@pytest.mark.slow
@given(
    proposed=proposed_changes(), names=st.sets(st.sampled_from([*SUBSYSTEMS, "*"])), more=st.sampled_from(SUBSYSTEMS)
)
def test_the_more_is_frozen_unhealthy_or_drifted_the_less_is_let_through(
    proposed: ProposedChange, names: set[str], more: str
) -> None:
    few, many = (dict.fromkeys(sorted(each), "seen") for each in (names, names | {more}))
    for guard, field in ((freeze, "frozen"), (health, "unhealthy"), (drift, "drifted")):
        after_few, after_many = (
            guard(replace(proposed, conditions=Conditions(**{field: each}))) for each in (few, many)
        )
        assert lets_through(after_many, proposed) <= lets_through(after_few, proposed)


@pytest.mark.slow
@given(proposed=proposed_changes(), holding=conditions())
def test_what_holds_in_other_subsystems_changes_nothing(proposed: ProposedChange, holding: Conditions) -> None:
    mine = {proposed.parameter.subsystem, "*"}
    fields = {name: getattr(holding, name) for name in Conditions.__slots__}
    others = {field: {name: why for name, why in held.items() if name not in mine} for field, held in fields.items()}
    alone, among = (replace(proposed, conditions=each) for each in (Conditions(), Conditions(**others)))
    assert judge_proposal(GUARDS, alone) == judge_proposal(GUARDS, among)


@pytest.mark.slow
@given(st.lists(proposed_changes(), min_size=1, max_size=5), st.sampled_from([*SUBSYSTEMS, "*"]))
def test_a_frozen_subsystem_denies_all_of_its_parameters_and_only_those(
    batch: list[ProposedChange], frozen: str
) -> None:
    for proposed in batch:
        result = judge_proposal(GUARDS, replace(proposed, conditions=Conditions(frozen={frozen: "it works"})))
        assert (result.guard == "freeze") is (frozen in {proposed.parameter.subsystem, "*"})


def results_in_every_order(guards: tuple[Guard, ...], batch: dict[str, ProposedChange]) -> list[dict[str, GuardResult]]:
    return [{key: judge_proposal(guards, batch[key]) for key in order} for order in permutations(batch)]


@st.composite
def batches(draw: st.DrawFn) -> dict[str, ProposedChange]:
    return {key: draw(proposed_changes(key)) for key in ("a", "b", "c")[: draw(st.integers(1, 3))]}


@pytest.mark.slow
@given(batches())
def test_a_batch_gives_each_parameter_the_result_that_it_gets_alone_in_every_order(
    batch: dict[str, ProposedChange],
) -> None:
    alone = {key: judge_proposal(GUARDS, proposed) for key, proposed in batch.items()}
    assert all(found == alone for found in results_in_every_order(GUARDS, batch))


def test_a_guard_that_remembers_its_cases_is_caught_by_that() -> None:
    seen: set[str] = set()

    def one_at_a_time(proposed: ProposedChange) -> GuardResult:
        first = not seen or proposed.parameter.key in seen
        seen.add(proposed.parameter.key)
        return GuardResult(Decision.ALLOW if first else Decision.DENY, "mine", proposed.move.after, "one in all")

    batch = {key: ProposedChange(replace(LR, key=key), Move(0, 1e-2, 2e-2)) for key in ("a", "b")}
    first, second = results_in_every_order((one_at_a_time,), batch)
    assert first != second


def test_operations_resolve_to_absolute_values() -> None:
    resolved = [Delta("p", op, "r", "me").resolve(4.0) for op in (Set(3.0), Add(-1.0), Scale(0.5))]
    assert resolved == [3.0, 3.0, 2.0]


def test_a_delta_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        Delta("p", Set(float("nan")), "r", "me")
    with pytest.raises(InvalidInput, match="gives inf"):
        Delta("p", Scale(1e300), "r", "me").resolve(1e300)


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_no_op_looks_at_nothing_but_the_values(proposed: ProposedChange) -> None:
    still = replace(proposed, move=replace(proposed.move, after=proposed.move.before))
    assert no_op(still).decision is Decision.DENY
