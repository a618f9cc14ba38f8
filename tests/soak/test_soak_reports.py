"""What a finished soak's reports say, and the logs read together that they rest on."""

from dataclasses import replace

import pytest
from soak_world import finished, small_plan

from seedbed.errors import StoreCorrupt
from seedbed.soak import assemble
from seedbed.soak._evidence import Held
from seedbed.soak._iterations import decided_iterations
from seedbed.soak._plant import Measurement
from seedbed.soak._readback import account
from seedbed.soak._reports import freeze_objections, gate_facts, judge_soak, post_soak
from seedbed.soak._tally import tally


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    root = tmp_path_factory.mktemp("soaks")
    plans = (small_plan("healthy"), small_plan("failed", fault="dropped", fault_from=3), small_plan("c", control=False))
    found = {plan.soak_id: finished(root, plan) for plan in plans}
    return {name: account(folder, folder.plan(), assemble(folder.plan())) for name, folder in found.items()}


def test_an_unfinished_soak_may_not_be_frozen(accounts):
    found = replace(accounts["healthy"], length=12)
    assert "9 of 12 iterations were measured" in freeze_objections(found)


def test_changes_lost_in_the_last_window_forbid_to_freeze(accounts):
    lost = [each for each in freeze_objections(accounts["failed"]) if "lost changes" in each]
    assert lost
    assert not [each for each in freeze_objections(accounts["healthy"]) if "lost changes" in each]


def test_an_iteration_far_from_the_median_is_an_anomaly(accounts):
    found = accounts["healthy"]
    last = found.told[-1]
    kpis = {**last.decision.observation.kpis, "latency_ms_mean": 1e6}
    decision = replace(last.decision, observation=replace(last.decision.observation, kpis=kpis))
    odd = replace(found, told=(*found.told[:-1], replace(last, decision=decision)))
    snapshot = post_soak(odd, judge_soak(odd, verified=True), verified=True)
    assert [(each.iteration, each.value) for each in snapshot.anomalies if each.kpi == "latency_ms_mean"][-1] == (
        9,
        1e6,
    )


def test_the_windows_are_the_first_and_last_iterations_of_the_profile(accounts):
    found = accounts["healthy"]
    windows = post_soak(found, judge_soak(found, verified=True), verified=True).windows
    assert {name: (each.first, each.last) for name, each in windows.items()} == {"first": (1, 3), "last": (7, 9)}


def test_without_a_control_arm_a_gate_that_asks_for_one_has_no_data(accounts):
    found = accounts["c"]
    assert set(gate_facts(found, verified=True)["control_window"].values()) == {None}
    (check,) = (each for each in judge_soak(found, verified=True).checks if each.metric.startswith("difference("))
    assert check.verdict.value == "NO_DATA"


def test_an_iteration_that_ran_with_the_values_of_the_one_before_is_stuck_and_breaks_the_consumers_word(accounts):
    counted = accounts["failed"].tally
    assert counted.breaks
    assert set(counted.breaks) <= set(counted.stuck)
    assert accounts["healthy"].tally.stuck == accounts["healthy"].tally.breaks == ()


def test_a_held_value_that_was_not_used_breaks_the_consumers_word(accounts):
    found = accounts["healthy"]
    used = found.told[0].measured.plant.used
    held, measured = Held("", used, used), found.told[0].measured
    other = replace(measured, plant=Measurement({**used, "base_spread_bps": 1.0}, {}))
    assert tally((), [held, measured, other], found.assembly.registry).breaks == (1,)


def test_logs_that_contradict_each_other_are_refused(accounts):
    found = accounts["healthy"]
    with pytest.raises(StoreCorrupt, match="which it does not hold"):
        decided_iterations(found.assembly.course(found.plan), found.evidence, found.changes[:3])
