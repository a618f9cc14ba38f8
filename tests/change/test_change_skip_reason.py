"""Every denial has exactly one flag and a note, and nothing else has any."""

from collections.abc import Sequence

import pytest
from change_world import proposed_changes
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seedbed.change import GUARDS, Decision, Guard, GuardResult, ProposedChange, judge_proposal, skip_reason
from seedbed.contracts import SkipReason

FLAGS = set(SkipReason.model_fields) - {"note"}


def mine(proposed: ProposedChange) -> GuardResult:
    return GuardResult(Decision.DENY, "mine", proposed.move.before, "not on a Friday")


def without_a_flag(guards: Sequence[Guard]) -> list[str]:
    return [guard.__name__ for guard in guards if guard.__name__ not in FLAGS - {"other"}]


def flags(reason: SkipReason) -> list[str]:
    return [name for name in sorted(FLAGS) if getattr(reason, name)]


def test_every_guard_has_a_flag_of_its_name_and_every_flag_a_guard() -> None:
    assert without_a_flag(GUARDS) == []
    assert {guard.__name__ for guard in GUARDS} == FLAGS - {"other"}


def test_a_new_guard_without_a_flag_is_caught_by_that() -> None:
    assert without_a_flag((*GUARDS, mine)) == ["mine"]


@pytest.mark.slow
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
@given(proposed=proposed_changes())
def test_each_denial_raises_the_flag_of_its_guard_alone_and_says_why(guard: Guard, proposed: ProposedChange) -> None:
    result = guard(proposed)
    reason = skip_reason(result)
    if result.decision is not Decision.DENY:
        assert reason is None
    else:
        assert reason is not None
        assert flags(reason) == [guard.__name__]
        assert reason.note == f"{guard.__name__}: {result.reason}"


@pytest.mark.slow
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
@given(after=st.floats(-1, 1))
def test_a_denial_by_any_guard_is_told_whatever_it_looked_at(guard: Guard, after: float) -> None:
    reason = skip_reason(GuardResult(Decision.DENY, guard.__name__, after, "why"))
    assert reason is not None
    assert flags(reason) == [guard.__name__]


@pytest.mark.slow
@given(proposed=proposed_changes())
def test_what_went_through_the_guards_whole_or_in_part_has_no_skip_reason(proposed: ProposedChange) -> None:
    result = judge_proposal(GUARDS, proposed)
    assert (skip_reason(result) is not None) is (result.decision is Decision.DENY)


@pytest.mark.parametrize("name", ["mine", "note", None])
def test_a_guard_that_is_not_seedbeds_own_is_another_and_named(name: str | None) -> None:
    reason = skip_reason(GuardResult(Decision.DENY, name, 0.0, "not on a Friday"))
    assert reason == SkipReason(other=True, note=f"{name}: not on a Friday")


@pytest.mark.parametrize(
    "fields",
    [
        {"note": "why"},
        {"cooldown": True, "velocity": True, "note": "why"},
        {"cooldown": True, "note": ""},
        {"cooldown": True},
        {"cooldown": True, "note": "why", "late": True},
    ],
)
def test_a_skip_reason_without_exactly_one_flag_and_a_note_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SkipReason.model_validate(fields)


def test_an_older_record_that_lacks_a_flag_is_read() -> None:
    kept = '{"cooldown": false, "velocity": true, "oscillation": false, "note": "velocity: 0.3 are allowed in all"}'
    assert flags(SkipReason.model_validate_json(kept)) == ["velocity"]
