"""The decisions of a controller: phases, freezes, health, and the consequences of a lost change."""

from collections.abc import Sequence

from seedbed.change import (
    ChangeHistory,
    Delta,
    FreezeRule,
    GoodRange,
    Parameter,
    Registry,
    Set,
)
from seedbed.records import MemoryJournal
from seedbed.soak import Measurement, Observation, Phase, SoakProfile
from seedbed.soak._controller import Controller, IterationDecision
from seedbed.soak._evidence import Head, MeasurementRecord

REGISTRY = Registry([Parameter("spread", "bps", 0.0, 50.0, subsystem="risk")])
PROFILE = SoakProfile("own", "edge_mean", (), warm_up=2, ramp_down=1)


class Eager:
    name = "eager"

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        return (Delta("spread", Set(float(len(history))), "why not", self.name),)


def decided(
    profile: SoakProfile, edges: Sequence[float | None], history: ChangeHistory | None = None
) -> list[IterationDecision]:
    controller = Controller(profile, REGISTRY, lambda registry, _values: registry, Eager(), len(edges))
    found = []
    for iteration, edge in enumerate(edges, start=1):
        samples = {} if edge is None else {"edge": (edge, edge)}
        measured = MeasurementRecord(iteration, "0" * 64, Measurement({"spread": 10.0}, samples), {}, Head(0, "0" * 64))
        found.append(controller.observe(measured, history or ChangeHistory()))
    return found


def test_only_the_middle_of_a_soak_proposes() -> None:
    found = decided(PROFILE, [1.0] * 5)
    assert [each.phase for each in found] == [
        Phase.WARM_UP,
        Phase.WARM_UP,
        Phase.TUNING,
        Phase.TUNING,
        Phase.RAMP_DOWN,
    ]
    assert [bool(each.deltas) for each in found] == [False, False, True, True, False]


def test_an_objective_that_comes_back_is_not_relied_on_at_once() -> None:
    found = decided(PROFILE, [1.0, None, 1.0, 1.0, 1.0])
    reasons = [each.rules.conditions.unhealthy.get("*", "") for each in found]
    assert [bool(each) for each in reasons] == [False, True, True, False, False]
    assert reasons[1] == "edge_mean could not be measured"
    assert "come back too lately" in reasons[2]


def test_what_works_is_frozen_with_its_reason() -> None:
    rule = FreezeRule((GoodRange("edge_mean", low=5.0),), hold=2, lasting=1, subsystems=("risk",))
    profile = SoakProfile("own", "edge_mean", (), freeze=rule, warm_up=0)
    found = decided(profile, [6.0, 6.0, 1.0])
    assert [list(each.rules.conditions.frozen) for each in found] == [[], ["risk"], []]


def test_a_change_that_an_iteration_was_seen_not_to_use_is_lost_there_and_nowhere_else() -> None:
    journal = MemoryJournal()
    facts = {"id": 1, "batch": 1, "step": 2, "parameter": "spread", "unit": "bps", "op": {"kind": "SET", "value": 5.0}}
    journal.append_all(
        [
            ("proposed", {**facts, "reason": "r", "proposer": "me", "before": 10.0, "wanted": 5.0, "state": ""}),
            ("guarded", {"id": 1, "decision": "ALLOW", "guard": None, "after": 5.0, "reason": "r"}),
            ("intent", {"id": 1, "before": 10.0, "after": 5.0, "state": "", "state_after": ""}),
            ("applied", {"id": 1, "found": 5.0, "held": 5.0, "state": ""}),
            ("failed", {"id": 1, "reason": "the step ran with 10", "step": 3}),
        ]
    )
    history = ChangeHistory()
    for entry in journal.entries():
        history.advance(entry)
    found = decided(PROFILE, [1.0] * 4, history)
    assert [each.lost for each in found] == [(), (), (1,), ()]
    assert found[2].rules.conditions.unhealthy == {"risk": "change 1 was lost: the step ran with 10"}
