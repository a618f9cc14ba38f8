"""The reports of a finished soak, and the two logs read together."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from soak_world import finished, small_plan

from seedbed.contracts import Verdict
from seedbed.errors import StoreCorrupt
from seedbed.gate import load_gate, parse_gate
from seedbed.soak import assemble
from seedbed.soak._evidence import DeliveryRecord
from seedbed.soak._iterations import decided_iterations
from seedbed.soak._plant import Measurement
from seedbed.soak._readback import read_soak
from seedbed.soak._tally import tally
from seedbed.soak.reports._reports import freeze_objections, judge_readback, post_soak_snapshot, soak_gate_record


@pytest.fixture(scope="module")
def readbacks(tmp_path_factory):
    root = tmp_path_factory.mktemp("soaks")
    plans = (small_plan("healthy"), small_plan("failed", fault="dropped", fault_from=3), small_plan("c", control=False))
    found = {plan.soak_id: finished(root, plan) for plan in plans}
    return {name: read_soak(folder, folder.plan(), assemble(folder.plan())) for name, folder in found.items()}


@pytest.mark.slow
def test_an_unfinished_soak_may_not_be_frozen(readbacks):
    readback = replace(readbacks["healthy"], length=12)
    assert "9 of 12 iterations were measured" in freeze_objections(readback)
    ready = next(each for each in judge_readback(readback, verified=True).checks if each.metric == "freeze_ready")
    assert ready.reason.startswith("found false, expected == true: 9 of 12 iterations were measured")
    assert "seedbed" not in ready.reason  # a command would need the folder, which a sealed file does not know


def test_changes_lost_in_the_last_window_forbid_to_freeze(readbacks):
    lost = [each for each in freeze_objections(readbacks["failed"]) if "lost changes" in each]
    assert lost
    settings = {parameter.key for parameter in readbacks["failed"].assembly.registry}
    for each in lost:
        assert set(each.partition("] of ")[2].split(", ")) <= settings
    assert not [each for each in freeze_objections(readbacks["healthy"]) if "lost changes" in each]


def test_an_iteration_far_from_the_median_is_an_anomaly(readbacks):
    readback = readbacks["healthy"]
    last = readback.iterations[-1]
    kpis = {**last.decision.observation.kpis, "latency_ms_mean": 1e6}
    decision = replace(last.decision, observation=replace(last.decision.observation, kpis=kpis))
    odd = replace(readback, iterations=(*readback.iterations[:-1], replace(last, decision=decision)))
    snapshot = post_soak_snapshot(odd, judge_readback(odd, verified=True), verified=True)
    assert [(each.iteration, each.value) for each in snapshot.anomalies if each.kpi == "latency_ms_mean"][-1] == (
        9,
        1e6,
    )


def test_the_windows_are_the_first_and_last_iterations_of_the_profile(readbacks):
    readback = readbacks["healthy"]
    windows = post_soak_snapshot(readback, judge_readback(readback, verified=True), verified=True).windows
    assert {name: (each.first, each.last) for name, each in windows.items()} == {"first": (1, 3), "last": (7, 9)}


def test_a_window_has_as_many_samples_in_a_longer_soak_and_the_kpis_have_more(readbacks, tmp_path):
    folder = finished(tmp_path, small_plan("longer", iterations=12, tuner="none"))
    longer = read_soak(folder, folder.plan(), assemble(folder.plan()))
    records = [soak_gate_record(each, verified=True) for each in (readbacks["healthy"], longer)]
    for part in ("window", "control_window"):
        assert len({len(record[part]["edge_bps_per_hour"]) for record in records}) == 1
    num_samples = [len(record["kpi"]["edge_bps_per_hour"]) for record in records]
    assert num_samples[1] * 7 == num_samples[0] * 10  # without the two of the warm-up


@pytest.mark.parametrize("of", ["mean(window.{0})", "difference(window.{0}, control_window.{0})"])
def test_more_samples_of_a_window_are_not_asked_of_a_longer_soak(readbacks, of):
    readback = readbacks["healthy"]
    asked = f"{of.format('edge_bps_per_hour')} > {{}} in [-1000, 1000] @ 95%"
    said = "which is the last 3 iterations of any soak; ask the same of kpi and control"
    (open_one,) = judge_by(readback, asked.format(10))
    assert open_one.verdict is Verdict.INCONCLUSIVE
    assert "collect" not in open_one.reason
    assert open_one.reason.endswith(f"{said}, which hold all after the warm-up")
    (of_all,) = judge_by(readback, asked.format(10).replace("control_window", "control").replace("window", "kpi"))
    assert "window" not in of_all.reason
    short = replace(readback, iterations=readback.iterations[:2])  # whose window is not full yet
    (of_short,) = judge_by(short, asked.format(10))
    assert (of_short.verdict, said in of_short.reason) == (Verdict.INCONCLUSIVE, False)
    assert "collect" in of_short.reason


def judge_by(readback, *checks):
    return judge_readback(readback, verified=True, spec=parse_gate({"checks": list(checks)})).checks


def test_without_a_control_arm_a_gate_that_asks_for_one_has_no_data(readbacks):
    readback = readbacks["c"]
    assert set(soak_gate_record(readback, verified=True)["control_window"].values()) == {None}
    (check,) = (
        each for each in judge_readback(readback, verified=True).checks if each.metric.startswith("difference(")
    )
    assert check.verdict.value == "NO_DATA"


def test_an_iteration_that_ran_with_the_old_values_is_stuck_and_is_a_break(readbacks):
    counted = readbacks["failed"].tally
    assert counted.breaks
    assert set(counted.breaks) <= set(counted.stuck)
    assert readbacks["healthy"].tally.stuck == readbacks["healthy"].tally.breaks == ()


def test_a_held_value_that_was_not_used_is_a_break(readbacks):
    readback = readbacks["healthy"]
    used = readback.iterations[0].measured.plant.used
    held, measured = DeliveryRecord("", used, used), readback.iterations[0].measured
    other = replace(measured, plant=Measurement({**used, "base_spread_bps": 1.0}, {}))
    assert tally((), [held, measured, other], readback.assembly.registry).breaks == (1,)


def test_logs_that_contradict_each_other_are_refused(readbacks):
    readback = readbacks["healthy"]
    with pytest.raises(StoreCorrupt, match="which it does not hold"):
        decided_iterations(readback.assembly.controller(readback.plan), readback.evidence, readback.changes[:3])


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "gate"), [("mock", "soak-gate.yaml"), ("market", "market-gate.yaml")])
def test_a_gate_that_the_page_prints_for_a_plant_judges_a_soak_of_it(tmp_path, plant, gate):
    page = (Path(__file__).resolve().parents[2] / "docs" / "soak.md").read_text("utf-8")
    (printed,) = re.findall(rf"```yaml\n(# {gate}\n.*?)```", page, re.DOTALL)
    (tmp_path / gate).write_text(printed)
    plan = small_plan(plant=plant, iterations=24, profile="standard")
    folder = finished(tmp_path / "soaks", plan)
    report = judge_readback(read_soak(folder, plan, assemble(plan)), verified=True, spec=load_gate(tmp_path / gate))
    assert report.verdict is Verdict.PASS
