"""The plan of a soak is bound: its log begins with its digest, so that no other plan fits the log afterwards."""

import json
import shutil
from pathlib import Path
from random import Random

import pytest
from soak_world import after, copied, finished, go_on, small_plan

from seedbed.dashboard import soak_drawing
from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec, parse_gate
from seedbed.records import digest, read_journal
from seedbed.soak import Flaw, SoakFolder, SoakPlan, assemble, finish, judge_soak, verify_soak
from seedbed.testing.soak import ANCHORED, CORRUPTIONS, Scene

FORMER = min((Path(__file__).parents[1] / "data" / "soaks-1").iterdir())
DIGEST_OF_GATE = "d62d1d5f3ebfde2af5c325c4efbe703e5b4c85d1ce88a3263c329fc09bb04f68"  # as version 1 of the plan had it
GATE = {"gate": "own", "checks": ["apply_ratio >= 0.95", "mean(kpi.net_bps) > 2.5 @ 95%"]}


@pytest.fixture(scope="module")
def soaks(tmp_path_factory):
    root = tmp_path_factory.mktemp("soaks")
    plans = (small_plan("healthy"), small_plan("failed", fault="dropped", fault_from=3), small_plan("other", seed=2))
    return {plan.soak_id: finished(root, plan) for plan in plans}


def falsified(soaks, corruption, root):
    folder = copied(soaks[corruption.base.value], root)
    corruption.inflict(Scene(folder.path, soaks["other"].path, Random(0)))
    return folder


def seal_of(folder):
    return json.loads(folder.snapshot_path.read_bytes())["digest"]


def test_the_log_begins_with_the_digest_of_the_plan_as_it_is_on_file(soaks):
    first = read_journal(soaks["healthy"].evidence_path)[0]
    body = json.loads(soaks["healthy"].plan_path.read_bytes())
    stated = body.pop("digest")
    assert (first.kind, dict(first.payload)) == ("plan", {"plan": digest(body), "schema_version": 2})
    assert stated == digest(body)
    assert [each.kind for each in read_journal(soaks["healthy"].evidence_path)].count("plan") == 1


def test_a_gate_edited_after_the_fact_is_named_and_no_gate_passes(soaks, tmp_path):
    folder = falsified(soaks, CORRUPTIONS["plan-gate-failed"], tmp_path)
    found = verify_soak(folder, assemble, strict=True)
    assert (found.accusations[0].flaw, found.accusations[0].where) == (Flaw.PLAN, "soak.json")
    assert "the soak began with a plan of" in found.accusations[0].what
    assert json.loads(folder.snapshot_path.read_bytes())["verdict"] == "PASS"  # as the forger has it
    report = judge_soak(folder, assemble)
    assert [check.metric for check in report.checks] == ["finished", "verify.clean", "fault.seen"]  # one was asked for
    assert (report.verdict.value, report.exit_code) == ("FAIL", 4)


def test_a_soak_given_out_as_a_former_one_is_marked_as_unbound_and_the_anchor_names_it(soaks, tmp_path):
    folder = falsified(soaks, ANCHORED["soak-as-former"], tmp_path)
    found = verify_soak(folder, assemble, strict=True)
    assert found.clean
    assert [remark.where for remark in found.remarks][:1] == ["soak.json"]
    assert "give it another gate" in found.remarks[0].what
    kept = seal_of(soaks["healthy"])
    assert [each.flaw for each in verify_soak(folder, assemble, anchor=kept).accusations] == [Flaw.ANCHOR]
    assert judge_soak(folder, assemble, anchor=kept).exit_code == 4
    easy = parse_gate({"checks": ["finished == true"]})
    assert judge_soak(folder, assemble, spec=easy, anchor=kept).exit_code == 4
    assert judge_soak(soaks["healthy"], assemble, spec=easy, anchor=kept).exit_code == 0


def test_a_former_soak_is_clean_and_said_to_be_unbound_and_a_new_one_is_bound(soaks, tmp_path):
    former = SoakFolder(shutil.copytree(FORMER, tmp_path / FORMER.name))
    found = verify_soak(former, assemble, strict=True)
    assert (found.accusations, found.passes) == ((), True)
    assert "soak.json" in {remark.where for remark in found.remarks}
    found = verify_soak(soaks["healthy"], assemble, strict=True, drawing=soak_drawing())
    assert found.remarks == ()


def test_a_former_soak_that_was_interrupted_goes_on_as_a_former_one(tmp_path):
    folder = SoakFolder.create(tmp_path, small_plan(schema_version=1))
    assert not go_on(folder, stop=after(4))
    assert go_on(folder)
    finish(folder, assemble)
    assert "plan" not in {each.kind for each in read_journal(folder.evidence_path)}
    assert verify_soak(folder, assemble, strict=True).clean


def test_a_plan_of_a_later_version_is_refused_with_what_to_do(soaks, tmp_path):
    folder = copied(soaks["healthy"], tmp_path)
    body = json.loads(folder.plan_path.read_bytes())
    del body["digest"]
    body["schema_version"] = 3
    body["digest"] = digest(body)
    folder.plan_path.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n")
    with pytest.raises(InvalidInput, match="schema version 3, this Seedbed reads up to 2; upgrade it"):
        folder.plan()
    assert verify_soak(folder, assemble).accusations[0].where == "soak.json"


def test_a_plan_whose_gate_can_never_hold_is_read_as_it_was_sealed(tmp_path):
    gate = GateSpec.model_validate({"checks": ["apply_ratio >= 7 in [0, 1]"]})
    with pytest.raises(InvalidInput, match="can never hold"):
        parse_gate(gate.model_dump(mode="json"))
    plan = small_plan(gate=gate)
    folder = SoakFolder.create(tmp_path, plan)
    assert SoakFolder(folder.path).plan() == plan


def test_the_digest_of_a_plan_with_a_gate_is_the_same_in_every_version():
    fields = {"soak_id": "a", "plant": "mock", "tuner": "rules", "iterations": 9, "gate": GATE, "schema_version": 1}
    assert SoakPlan.model_validate(fields).digest() == DIGEST_OF_GATE
