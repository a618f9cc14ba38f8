"""Every file of a soak's folder is bound by something: each one forged anywhere is named, and so is what is none."""

import json
import os
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from soak_world import copied, finished, small_plan

from seedbed.dashboard import soak_drawing
from seedbed.errors import StoreCorrupt
from seedbed.soak import Flaw, SoakFolder, assemble, finish, judge_soak, verify_soak
from seedbed.testing.soak import CORRUPTIONS, Scene
from seedbed.testing.soak._forge import reseal

REPOSITORY = Path(__file__).parents[2]
FORMER = min((Path(__file__).parents[1] / "data" / "soaks-1").iterdir())
TABLE = (REPOSITORY / "docs" / "design" / "soak-files.md").read_text("utf-8")
NUM_REGIONS = 6
LOCKS = (".lock", ".runtime_overrides.json.lock")
FILES = (
    *("soak.json", "evidence.log", "changes.log", "runtime_overrides.json", "ITER_SUMMARY_1.json"),
    *("ITER_SUMMARY_5.json", "ITER_SUMMARY_9.json", "TUNING_REPORT.json", "POST_SOAK_SNAPSHOT.json", "KPIS.svg"),
    *("DELTA_VERIFY_REPORT.md", "POST_SOAK_METRICS.prom"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("soaks"), small_plan())


def named(folder):
    """Every place that verification names, in accusations and in remarks."""
    found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=soak_drawing())
    return [each.where for each in found.accusations], [each.where for each in found.remarks]


def other_byte(data, at):
    changed = bytearray(data)
    changed[at] = ord("7") if data[at] != ord("7") else ord("3")
    return bytes(changed)


def test_the_table_names_every_file_of_a_soak_and_every_one_of_them_is_forged_here(whole):
    rows = re.findall(r"^\| (`[^|]+) \|", TABLE, re.MULTILINE)
    in_table = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {re.sub(r"_\d+\.json$", "_n.json", path.name) for path in whole.path.iterdir()}
    assert in_table == there
    assert there == {re.sub(r"_\d+\.json$", "_n.json", name) for name in (*FILES, *LOCKS)}


def test_a_whole_soak_is_clean_and_nothing_remains_to_be_said(whole):
    assert named(whole) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_forged_in_any_region_is_named(name, whole, tmp_path):
    data = (whole.path / name).read_bytes()
    folder, random = copied(whole, tmp_path), Random(name)
    edges = [round(each * len(data) / NUM_REGIONS) for each in range(NUM_REGIONS + 1)]
    places = [random.randrange(first, last) for first, last in pairwise(edges)]
    forged = [other_byte(data, at) for at in (0, *places, len(data) - 1)]
    forged += [data + b" ", data + b"x\n", b" " + data, data[:-1], data + data, b""]
    for content in forged:
        (folder.path / name).write_bytes(content)
        accused, _ = named(folder)
        assert any(name in where for where in accused), (content[:40], accused[:3])
    (folder.path / name).unlink()
    accused, remarked = named(folder)
    assert any(name in where for where in (*accused, *remarked))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_holds_bytes_is_named(name, whole, tmp_path):
    folder = copied(whole, tmp_path)
    (folder.path / name).write_bytes(b"approved")
    assert named(folder) == ([], [name])


def test_what_is_no_file_of_a_soak_is_named_and_accuses_nobody(whole, tmp_path):
    folder = copied(whole, tmp_path)
    (folder.path / "VERDICT.md").write_text("PASS\n")
    (folder.path / "KPIS.png").mkdir()
    os.mkfifo(folder.path / "pipe")
    (folder.path / ".tmp-1").write_bytes(b"")
    assert named(folder) == ([], [".tmp-1", "KPIS.png", "VERDICT.md", "pipe"])


def redrawn(drawing):
    """The same drawing by code of another name."""
    return replace(drawing, renderer="0" * 64)


def test_of_a_drawing_by_other_code_the_seal_is_compared_and_a_remark_says_so(whole, tmp_path):
    folder = copied(whole, tmp_path)
    for drawing in (redrawn(soak_drawing()), None):
        found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=drawing)
        assert (found.accusations, [each.where for each in found.remarks]) == ((), ["KPIS.svg"])
    folder.drawing_path.write_bytes(folder.drawing_path.read_bytes().replace(b"PASS", b"FAIL"))
    for drawing in (soak_drawing(), redrawn(soak_drawing()), None):
        found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=drawing)
        assert [(each.flaw, each.where) for each in found.accusations] == [(Flaw.REPORT, "KPIS.svg")]


def test_a_drawing_with_a_forged_seal_is_found_when_it_is_drawn_again_and_by_the_anchor(whole, tmp_path):
    kept = json.loads(whole.snapshot_path.read_bytes())["digest"]
    folder = copied(whole, tmp_path)
    CORRUPTIONS["drawing-verdict-sealed"].inflict(Scene(folder.path, whole.path, Random(0)))
    accused = verify_soak(folder, assemble, repeat=False, drawing=soak_drawing()).accusations
    assert accused[0].where == "KPIS.svg"
    assert verify_soak(folder, assemble, repeat=False).clean  # drawn by nobody here: only the anchor can tell
    found = verify_soak(folder, assemble, repeat=False, anchor=kept).accusations
    assert [each.flaw for each in found] == [Flaw.ANCHOR]


def test_the_drawing_of_a_former_soak_is_bound_by_nothing_and_a_forged_one_is_remarked_on(tmp_path):
    folder = SoakFolder(shutil.copytree(FORMER, tmp_path / FORMER.name))
    folder.drawing_path.write_bytes(folder.drawing_path.read_bytes().replace(b"PASS", b"FAIL"))
    found = verify_soak(folder, assemble, strict=True, drawing=soak_drawing())
    assert (found.accusations, [each.where for each in found.remarks]) == ((), ["soak.json", "KPIS.svg"])


def test_the_renderer_is_another_one_when_any_file_that_draws_is(monkeypatch, tmp_path):
    from seedbed.dashboard import _soak_drawing

    here = soak_drawing().renderer
    copy = Path(shutil.copytree(REPOSITORY / "src" / "seedbed" / "dashboard", tmp_path / "dashboard"))
    real = _soak_drawing.files
    monkeypatch.setattr(_soak_drawing, "files", lambda room: copy if room == "seedbed.dashboard" else real(room))
    assert soak_drawing().renderer == here
    template = copy / "templates" / "soak.svg.j2"
    template.write_text(template.read_text() + " ")
    assert soak_drawing().renderer != here


def edited(folder, name, change):
    """The JSON file of that name changed by hand, with its seal as it was."""
    path = folder.path / name
    body = json.loads(path.read_bytes())
    change(body)
    path.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n")


def test_a_soak_whose_evidence_is_emptied_breaks_the_contract_and_no_gate_is_blamed(whole, tmp_path):
    folder = copied(whole, tmp_path)
    folder.evidence_path.write_bytes(b"")
    assert "evidence.log" in named(folder)[0]
    with pytest.raises(StoreCorrupt, match=r"evidence\.log"):
        judge_soak(folder, assemble)


def test_one_edited_number_accuses_one_file_and_says_which_number(whole, tmp_path):
    folder = copied(whole, tmp_path)
    kpi, true = next(iter(json.loads(whole.summary_path(7).read_bytes())["summary"]["kpis"].items()))
    edited(folder, "ITER_SUMMARY_7.json", lambda body: body["summary"]["kpis"].update({kpi: 32.5}))
    found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=soak_drawing())
    (accused,) = found.accusations
    assert accused.where == "ITER_SUMMARY_7.json"
    assert accused.what.startswith(f"summary.kpis.{kpi} is 32.5, the logs give {true}; ")
    assert "its seal says" in accused.what
    assert {each.where for each in found.remarks} == {
        *("POST_SOAK_SNAPSHOT.json", "KPIS.svg", "DELTA_VERIFY_REPORT.md", "POST_SOAK_METRICS.prom")
    }


@pytest.mark.parametrize("name", ["POST_SOAK_SNAPSHOT.json", "DELTA_VERIFY_REPORT.md", "POST_SOAK_METRICS.prom"])
def test_a_file_of_the_verdict_that_no_verdict_gives_is_accused_beside_another_one(name, whole, tmp_path):
    folder = copied(whole, tmp_path)
    edited(folder, "ITER_SUMMARY_7.json", lambda body: body["tuning"].update(applied="so"))
    path = folder.path / name
    path.write_bytes(path.read_bytes().replace(b"9", b"8", 1))
    accused, _ = named(folder)
    assert accused[0] == "ITER_SUMMARY_7.json"
    assert accused[1:] == [name] or (name == "POST_SOAK_SNAPSHOT.json" and name in accused)


def test_the_files_of_the_verdict_that_tells_of_the_accusation_are_not_accused(whole, tmp_path):
    folder = copied(whole, tmp_path)
    edited(folder, "ITER_SUMMARY_7.json", lambda body: body["tuning"].update(applied="so"))
    finish(folder, assemble, drawing=soak_drawing())
    assert named(folder) == (["ITER_SUMMARY_7.json"], [])


def test_a_drawing_that_was_edited_is_said_to_be_another_drawing(whole, tmp_path):
    folder = copied(whole, tmp_path)
    drawn = folder.drawing_path.read_bytes()
    for forged in (b"\n" + drawn, drawn.replace(b"PASS", b"FAIL")):
        folder.drawing_path.write_bytes(forged)
        (accused,) = verify_soak(folder, assemble, repeat=False, drawing=soak_drawing()).accusations
        assert accused.what.startswith("is not the drawing that the logs give: ")
        assert "''" not in accused.what


def test_a_forged_name_that_no_encoding_writes_is_shown_escaped(whole, tmp_path):
    folder = copied(whole, tmp_path)
    edited(folder, "ITER_SUMMARY_7.json", lambda body: body["tuning"].update({"\ud800": 1}))
    (accused,) = verify_soak(folder, assemble, repeat=False, drawing=soak_drawing()).accusations
    assert "tuning.\\ud800 is not expected" in accused.what
    assert accused.what.encode()


def reworded(snapshot):
    snapshot["gate"]["checks"][0]["reason"] = "in other words"


def test_reasons_in_other_words_accuse_nobody_are_remarked_on_and_stay_as_they_are(whole, tmp_path):
    folder = copied(whole, tmp_path)
    reseal(folder.snapshot_path, reworded)
    before = folder.snapshot_path.read_bytes()
    found = verify_soak(folder, assemble, strict=True, repeat=False, drawing=soak_drawing())
    assert (found.accusations, [each.where for each in found.remarks]) == ((), ["POST_SOAK_SNAPSHOT.json"])
    assert "in other words than this version" in found.remarks[0].what
    judged = judge_soak(folder, assemble, drawing=soak_drawing())
    stated = json.loads(whole.snapshot_path.read_bytes())["gate"]
    assert judged.model_dump(mode="json") == stated
    assert folder.snapshot_path.read_bytes() == before


@pytest.mark.parametrize(
    "forged",
    [
        lambda check: check.update(verdict="FAIL" if check["verdict"] == "PASS" else "PASS"),
        lambda check: check.update(found=0.123),
        lambda check: check.update(n=4321),
        lambda check: check.update(method="a guess"),
        lambda check: check.update(expected=">= 0"),
        lambda check: check.update(reason=7),
        lambda check: check.pop("reason"),
    ],
)
def test_words_cover_no_other_forgery_of_a_check(forged, whole, tmp_path):
    folder = copied(whole, tmp_path)

    def forge(snapshot):
        reworded(snapshot)
        forged(snapshot["gate"]["checks"][0])

    reseal(folder.snapshot_path, forge)
    assert named(folder)[0] == ["POST_SOAK_SNAPSHOT.json"]


def test_an_objection_that_is_left_out_or_added_is_accused_whatever_its_words(whole, tmp_path):
    folder = copied(whole, tmp_path)
    reseal(folder.snapshot_path, lambda snapshot: snapshot["freeze_objections"].append("one more"))
    assert named(folder)[0] == ["POST_SOAK_SNAPSHOT.json"]


def test_a_log_that_cannot_be_read_is_told_with_one_advice(whole, tmp_path):
    folder = copied(whole, tmp_path)
    data = folder.evidence_path.read_bytes().splitlines(keepends=True)
    folder.evidence_path.write_bytes(b"".join([data[0], b"{}\n", *data[2:]]))
    with pytest.raises(StoreCorrupt) as caught:
        judge_soak(folder, assemble)
    assert str(caught.value).count("restore") == 1
