"""`seedbed runs trend`."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_world import finished

from seedbed.cli.runs import _select
from seedbed.records import NOT_APPLICABLE, Store

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


SPELLINGS = ("test.random.ap", "/test/random/ap", "metrics.test.random.ap", "/metrics/test/random/ap")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_that_a_screen_shows_names_the_metric(spelling, rising):
    assert rising("runs", "trend", "latest", "--metric", spelling, "--json").json["metric"] == "metrics.test.random.ap"
    listed = rising("runs", "list", "--sort", spelling, "--limit", "1", "--column", spelling, "--json").json["runs"]
    assert [each["run_id"] for each in listed] == ["run-11"]
    assert listed[0]["columns"] == {"metrics.test.random.ap": pytest.approx(0.81)}
    assert "run-11" in rising("runs", "promote", "--best", spelling).out
    assert "metrics.test.random.ap" in rising("runs", "promote", "--rule", spelling, "--project", "flights").out


@pytest.mark.parametrize("spelling", ["loss", "/loss", "metrics.loss"])
def test_a_metric_of_the_steps_has_as_many_spellings(spelling, rising):
    assert list(rising("runs", "steps", "latest", "--metric", spelling, "--json").json["metrics"]) == ["loss"]


@pytest.mark.parametrize("words", [("trend", "latest", "--metric"), ("list", "--sort"), ("promote", "--best")])
@pytest.mark.parametrize("wrong", ["metrics.test.random.app", "test.random.app", "/test/random/app", "random.ap"])
def test_a_name_that_is_no_metric_gets_the_nearest_one(words, wrong, rising):
    answer = rising("runs", *words, wrong)
    if words[0] == "list" and wrong == "random.ap":  # the end of a name is one in queries
        assert answer.code == 0
        return
    assert answer.code != 0
    assert "did you mean" in answer.err
    assert "metrics.test.random.ap" in answer.err


def test_a_trend_without_a_metric_says_which_there_are(rising):
    answer = rising("runs", "trend", "latest")
    assert answer.code == 2
    assert "give --metric NAME; the metrics of run-11 are" in answer.err
    assert "metrics.test.random.ap" in answer.err


def test_a_short_number_is_a_commit_though_names_begin_so(cli):
    for name in ("20260102-030405-678-abcd", "20260102-030405-679-abcd", "3-of-mine", "2", "32"):
        finished(STORE, name)

    def shown(number):
        return cli("runs", "show", number, "--json").json["run_id"]

    assert shown("1") == "20260102-030405-678-abcd"
    assert shown("2") == "2"  # a whole name comes first
    assert (shown("3"), shown("4"), shown("5")) == ("3-of-mine", "2", "32")
    assert shown("32") == "32"
    assert "'20260102' fits 2 runs" in cli("runs", "show", "20260102").err
    assert "'202' fits 2 runs" in cli("runs", "show", "202").err
    assert "no run of" in cli("runs", "show", "7").err


def test_a_number_of_eight_digits_is_the_beginning_of_a_name_first(cli, monkeypatch):
    for name in ("20260102-a", "20260102-b"):
        finished(STORE, name)
    monkeypatch.setattr(_select, "_DIGITS_OF_A_DATE", 1)  # a log of eight digits is not made in a test
    refused = cli("runs", "show", "2")
    assert refused.code == 2
    assert "'2' fits 2 runs" in refused.err
    assert "a commit 2 is in flights (run 20260102-b)" in refused.err


def test_a_number_that_two_projects_have_is_no_name_of_a_run(cli):
    finished(STORE, "here")
    run = Store.open(STORE).start("elsewhere", "there")
    run.finish(run.draft(fingerprints=dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)))
    assert (
        "several projects have a commit 1: elsewhere (run there) and flights (run here); give the run's name"
        in cli("runs", "show", "1").err
    )
    for path in STORE.glob("log/elsewhere/*1.json"):
        path.write_bytes(path.read_bytes()[:-9])
    refused = cli("runs", "show", "1")
    told = "several projects have a commit 1: elsewhere (it cannot be read) and flights (run here)"
    assert (refused.code, told in refused.err) == (2, True)
