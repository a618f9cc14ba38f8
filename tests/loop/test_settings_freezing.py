"""Freezing by name: what is inside each other, and that something is left to train."""

import pytest
from settings_rig import Loop, Set, nothing_is_hidden  # noqa: F401

from seedbed.change import Delta
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput


def test_a_module_inside_one_that_was_frozen_is_refused_with_the_way() -> None:
    rig = Loop()
    rig.propose("freeze.encoder", Set(1.0))
    rig.step(2)
    with pytest.raises(
        InvalidInput, match=r"change 1 was of model.freeze.encoder.*by model.freeze.encoder in this run"
    ):
        rig.propose("freeze.encoder.1", Set(0.0))
    assert rig.propose("freeze.encoder", Set(0.0))[0].phase == "applied"


def test_the_last_part_that_trains_is_not_frozen_and_nothing_is_touched() -> None:
    rig = Loop()
    rig.propose("freeze.encoder", Set(1.0))
    rig.step()
    rig.backward()
    grads = [weight.grad for weight in rig.model.head.parameters()]
    (change,) = rig.propose("freeze.head", Set(1.0))
    assert (change.outcome, change.phase) == (Outcome.BLOCKED, "guarded")
    assert "model.freeze.head = 1 would freeze every weight that still trains" in change.reason
    assert all(weight.grad is grad for weight, grad in zip(rig.model.head.parameters(), grads, strict=True))
    assert rig.engine.values()["model.freeze.head"] == 0.0
    rig.update()
    assert rig.propose("freeze.encoder", Set(0.0))[0].phase == "applied"
    rig.step()
    assert rig.propose("freeze.head", Set(1.0))[0].phase == "applied", "now something is left"


def test_parts_that_are_frozen_together_and_leave_nothing_are_undone() -> None:
    rig = Loop()
    deltas = [Delta(f"model.freeze.{part}", Set(1.0), "by hand", "me") for part in ("encoder", "head")]
    for change in rig.engine.propose_all(deltas, 0):
        assert change.outcome is Outcome.FAILED
        assert "no weight would be left to train" in change.reason
    assert all(weight.requires_grad for weight in rig.model.parameters())
