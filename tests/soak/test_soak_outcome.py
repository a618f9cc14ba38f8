"""The outcome of a change from the plant's evidence alone."""

import pytest

from seedbed.change import Kind
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal
from seedbed.soak import Measurement, mock_registry
from seedbed.soak._evidence import Head, MeasurementRecord
from seedbed.soak.verify._outcome import outcome_by_evidence, was_made

KEY, BEFORE, AFTER = "base_spread_bps", 22.0, 20.0
REGISTRY = mock_registry()


def change(change_id=1, step=1, *, decision="ALLOW", guard=None, kinds=(), after=AFTER, before=BEFORE):
    proposed = {
        "id": change_id,
        "batch": change_id,
        "step": step,
        "parameter": KEY,
        "unit": "bps",
        "op": {"kind": "SET", "value": AFTER},
        "reason": "r",
        "proposer": "rules",
        "before": before,
        "wanted": AFTER,
        "state": "",
    }
    ruling = {"id": change_id, "decision": decision, "guard": guard, "after": after, "reason": "r"}
    notes = [(Kind.PROPOSED, proposed), (Kind.GUARDED, ruling)]
    return notes + [(kind, {"id": change_id, "reason": "r"}) for kind in kinds]


def outcomes(notes, *used):
    history = fold(MemoryJournal().append_all(notes))
    measured = [
        MeasurementRecord(at, "", Measurement({KEY: value}, {}), {}, Head(0, ""))
        for at, value in enumerate(used, start=1)
    ]
    return [outcome_by_evidence(record, history, measured, REGISTRY) for record in history.records]


MADE = (Kind.INTENT, Kind.APPLIED)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ((BEFORE, AFTER, AFTER), (Outcome.EFFECTIVE, 2)),
        ((BEFORE, BEFORE, AFTER), (Outcome.FAILED, None)),
        ((BEFORE, 21.0), (Outcome.FAILED, None)),
        ((BEFORE, AFTER, BEFORE), (Outcome.FAILED, 2)),
        ((BEFORE, AFTER, 21.0, AFTER), (Outcome.FAILED, 2)),
        ((BEFORE,), (Outcome.UNKNOWN, None)),
        ((BEFORE, None), (Outcome.FAILED, None)),
    ],
)
def test_a_change_that_was_made_ends_as_the_iterations_after_it_ran(used, expected):
    assert outcomes(change(kinds=MADE), *used) == [expected]


def test_a_change_must_be_used_until_the_next_one_of_its_setting():
    notes = [*change(kinds=MADE), *change(2, 3, kinds=MADE, before=AFTER, after=18.0)]
    assert outcomes(notes, BEFORE, AFTER, AFTER, 18.0) == [(Outcome.EFFECTIVE, 2), (Outcome.EFFECTIVE, 4)]


def test_what_a_guard_let_through_in_part_is_clamped():
    notes = change(decision="SHRINK", guard="velocity", after=21.0, kinds=MADE)
    assert outcomes(notes, BEFORE, 21.0) == [(Outcome.CLAMPED, 2)]


@pytest.mark.parametrize(("guard", "outcome"), [("no_op", Outcome.NO_OP), ("freeze", Outcome.BLOCKED)])
def test_what_a_guard_denied_was_not_made(guard, outcome):
    assert outcomes(change(decision="DENY", guard=guard), BEFORE, BEFORE) == [(outcome, None)]


@pytest.mark.parametrize("kinds", [(), (Kind.INTENT,), (*MADE, Kind.FAILED, Kind.ROLLED_BACK)])
def test_what_was_never_made_or_taken_back_failed_whatever_was_used(kinds):
    assert outcomes(change(kinds=kinds), BEFORE, AFTER) == [(Outcome.FAILED, None)]


def test_only_the_note_that_it_was_applied_says_that_a_change_was_made():
    made, intended = (fold(MemoryJournal().append_all(change(kinds=kinds)))[1] for kinds in (MADE, MADE[:1]))
    assert (was_made(made), was_made(intended)) == (True, False)
