"""The soak verifier against its conformance suite, and against honest soaks of every kind."""

import json
import os
from pathlib import Path
from random import Random

import pytest
from soak_world import after, copied, finished, go_on, small_plan

from seedbed.dashboard import soak_drawing
from seedbed.errors import InvalidInput, StoreCorrupt
from seedbed.gate import parse_gate
from seedbed.soak import Flaw, SoakFault, SoakFolder, assemble, finish, judge_soak, verification_page, verify_soak
from seedbed.testing.soak import ANCHORED, CORRUPTIONS, Base, Corruption, Scene, names_place


@pytest.fixture(scope="module")
def soaks(tmp_path_factory):
    root = tmp_path_factory.mktemp("soaks")
    failing = small_plan("failed", fault="dropped", fault_from=3)
    return {
        Base.HEALTHY: finished(root, small_plan("healthy")),
        Base.FAILED: finished(root, failing),
        Base.UNSEEN: finished(
            root, small_plan("unseen", fault="clamped", fault_from=9, iterations=12), time_is_up=after(6)
        ),
        "other": finished(root, small_plan("other", seed=2, iterations=8)),
    }


def content(folder):
    return {
        path.name: (path.is_symlink(), path.read_bytes() if path.is_file() else None) for path in folder.path.iterdir()
    }


def falsified(soaks, corruption: Corruption, root: Path, seed=0):
    folder = copied(soaks[corruption.base], root)
    return folder, corruption.inflict(Scene(folder.path, soaks["other"].path, Random(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_changes_bytes_is_caught_and_its_place_is_named_first(name, soaks, tmp_path):
    folder, place = falsified(soaks, CORRUPTIONS[name], tmp_path)
    assert content(folder) != content(soaks[CORRUPTIONS[name].base])
    found = verify_soak(folder, assemble, repeat="evidence.log" in place, drawing=soak_drawing())
    assert not found.clean
    assert names_place(found, place), (place, found.accusations[:3])
    assert not found.passes


@pytest.mark.slow
@pytest.mark.parametrize("name", ANCHORED)
def test_what_a_real_soak_could_have_left_is_found_only_by_the_digest_kept_elsewhere(name, soaks, tmp_path):
    def anchor(folder):
        return json.loads((folder.path / "POST_SOAK_SNAPSHOT.json").read_bytes())["digest"]

    true = soaks[ANCHORED[name].base]
    kept = anchor(true)
    folder, place = falsified(soaks, ANCHORED[name], tmp_path)
    assert verify_soak(folder, assemble, drawing=soak_drawing()).clean
    (accusation,) = verify_soak(folder, assemble, anchor=kept).accusations
    assert (accusation.flaw, accusation.where) == (Flaw.ANCHOR, place)
    assert verify_soak(true, assemble, anchor=kept).clean
    assert verify_soak(true, assemble, anchor=kept[:12]).clean
    with pytest.raises(InvalidInput, match="11 digits; give at least the first 12"):
        verify_soak(true, assemble, anchor=kept[:11])


def test_an_anchor_without_a_snapshot_is_not_met(soaks, tmp_path):
    folder = copied(soaks[Base.HEALTHY], tmp_path)
    (folder.path / "POST_SOAK_SNAPSHOT.json").unlink()
    assert verify_soak(folder, assemble, anchor="0" * 64).accusations[-1].flaw is Flaw.ANCHOR


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_snapshot_that_is_no_file_is_not_waited_for_with_an_anchor_and_no_soak_is_read_then(make, soaks, tmp_path):
    folder = copied(soaks[Base.HEALTHY], tmp_path)
    folder.snapshot_path.unlink()
    make(folder.snapshot_path)
    found = verify_soak(folder, assemble, anchor="0" * 64)
    assert [(each.flaw, each.where) for each in found.accusations] == [
        (Flaw.REPORT, "POST_SOAK_SNAPSHOT.json"),
        (Flaw.ANCHOR, "POST_SOAK_SNAPSHOT.json"),
    ]
    with pytest.raises(StoreCorrupt, match="expected a regular file"):
        judge_soak(folder, assemble)


@pytest.mark.slow
def test_without_measuring_again_altered_samples_go_unnoticed_and_the_page_says_so(soaks, tmp_path):
    folder, _ = falsified(soaks, CORRUPTIONS["samples-altered"], tmp_path)
    found = verify_soak(folder, assemble, repeat=False)
    assert found.clean
    assert "the plant was not asked again" in verification_page(found)
    assert [each.flaw for each in verify_soak(folder, assemble).accusations][:1] == [Flaw.REPETITION]


@pytest.mark.slow
@pytest.mark.parametrize("fault", SoakFault)
def test_a_soak_that_suffers_a_fault_is_not_accused_of_anything(fault, tmp_path):
    folder = finished(tmp_path, small_plan(fault=fault, fault_from=3, iterations=7))
    assert verify_soak(folder, assemble).accusations == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"tuner": "none"},
        {"control": False},
        {"profile": "standard", "iterations": 10},
        {"iterations": 1},
        {"plant": "market", "iterations": 5},
    ],
)
def test_an_honest_soak_is_not_accused(fields, tmp_path):
    folder = finished(tmp_path, small_plan(**fields))
    assert verify_soak(folder, assemble, strict=True).accusations == ()
    assert verify_soak(folder, assemble, repeat=False).accusations == ()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, SoakFault.DROPPED])
def test_a_soak_stopped_and_resumed_is_not_accused_before_or_after(fault, tmp_path):
    folder = SoakFolder.create(tmp_path, small_plan(fault=fault, fault_from=3))
    for num_iterations in (3, 3):
        assert not go_on(folder, stop=after(num_iterations))
        assert verify_soak(folder, assemble, repeat=False).accusations == ()
    assert go_on(folder)
    assert verify_soak(folder, assemble).accusations == ()
    finish(folder, assemble)
    assert verify_soak(folder, assemble).accusations == ()


def test_a_soak_whose_time_was_up_is_not_accused(tmp_path):
    folder = SoakFolder.create(tmp_path, small_plan())
    assert go_on(folder, time_is_up=after(3))
    assert finish(folder, assemble).readback.length == 5
    assert verify_soak(folder, assemble).accusations == ()


def test_a_soak_without_its_last_record_yet_is_not_accused_until_it_has_reports(tmp_path):
    folder = SoakFolder.create(tmp_path, small_plan())
    go_on(folder, stop=after(5))
    for path in (folder.changes_path, folder.evidence_path):
        with path.open("ab") as file:
            file.write(b'{"body":{"kind":"held","pay')
        assert verify_soak(folder, assemble).accusations == ()


@pytest.mark.slow
def test_a_soak_with_a_gate_of_its_own_is_judged_and_verified_with_it(tmp_path):
    gate = parse_gate({"gate": "strict", "checks": ["apply_ratio >= 1"]})
    folder = SoakFolder.create(tmp_path, small_plan().model_copy(update={"gate": gate}))
    go_on(folder)
    assert finish(folder, assemble).report.gate == "strict"
    assert verify_soak(folder, assemble).clean


def test_verification_writes_nothing(soaks):
    before = content(soaks[Base.HEALTHY])
    verify_soak(soaks[Base.HEALTHY], assemble)
    assert content(soaks[Base.HEALTHY]) == before


def test_the_suite_has_many_different_corruptions():
    assert len(CORRUPTIONS) >= 40
    assert len({corruption.what for corruption in CORRUPTIONS.values()}) == len(CORRUPTIONS)


def test_a_corruption_that_alters_nothing_is_an_error_and_no_attack(soaks, tmp_path):
    idle = Corruption("nothing", lambda scene: scene.path("soak.json").read_text() and "soak.json")
    with pytest.raises(ValueError, match="nothing: nothing was altered in healthy"):
        falsified(soaks, idle, tmp_path)
