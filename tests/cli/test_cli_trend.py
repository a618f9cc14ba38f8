"""`seedbed runs trend`."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_world import finished

STORE = Path(".seedbed")
METRIC = ("--metric", "metrics.test.random.ap")


@pytest.fixture
def rising(cli):
    for number in range(12):
        finished(STORE, f"run-{number}", ap=0.7 + number / 100, seed=number)
    return cli


def test_a_trend_is_shown_as_numbers_a_line_and_a_sentence(rising):
    printed = rising("runs", "trend", "latest", *METRIC).out
    assert "rising: +0.01 a commit" in printed
    assert "▁" in printed
    assert "and 2 earlier ones" in printed


def test_a_trend_for_programs_has_every_point(rising):
    found = rising("runs", "trend", "latest", *METRIC, "--json").json
    assert len(found["points"]) == 12
    assert found["slope"]["words"] == "rising"
    assert found["points"][0]["smoothed"] == 0.7


def test_a_trend_is_drawn_as_one_well_formed_document(rising):
    printed = rising("runs", "trend", "latest", *METRIC, "--out", "trend.svg").out
    assert "drawn into trend.svg" in printed
    drawing = ElementTree.fromstring(Path("trend.svg").read_text())
    named = "{http://www.w3.org/2000/svg}"
    assert len(drawing.findall(f".//{named}circle")) == 12
    assert [line.get("class") for line in drawing.findall(f".//{named}path")] == ["slope", "curve"]


def test_few_runs_have_no_slope_and_are_drawn_all_the_same(cli):
    finished(STORE, "only")
    assert "1 of 5 commits that a trend needs" in cli("runs", "trend", "only", *METRIC, "--out", "one.svg").out
    assert ElementTree.fromstring(Path("one.svg").read_text()).tag.endswith("svg")
    assert cli("runs", "trend", "only", *METRIC, "--json").json["slope"] is None


def test_what_cannot_be_drawn_or_asked_for_is_refused(rising):
    assert "ends in .svg" in rising("runs", "trend", "latest", *METRIC, "--out", "trend.png").err
    refused = rising("runs", "trend", "latest", "--metric", "metrics.nothing")
    assert refused.code != 0
    assert "metrics.test.random.ap" in refused.err


def test_runs_in_which_something_happened_are_marked(cli):
    finished(STORE, "whole", documents={})
    assert "remarks" not in cli("runs", "trend", "latest", *METRIC).out
    finished(STORE, "worse", ap=0.8, seed=1, documents={"audit_run": {"degraded": True}})
    finished(STORE, "cut", seed=2)
    lines = [line.rstrip() for line in cli("runs", "trend", "latest", *METRIC).out.splitlines()]
    assert lines[0].endswith("remarks")
    assert [line.split()[0] for line in lines if line.endswith("  degraded")] == ["worse"]
    assert [line.split()[0] for line in lines if line.endswith("  optimizer.lr was changed")] == ["cut"]
