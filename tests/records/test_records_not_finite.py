"""A result that is NaN or infinite is recorded and read as such, and is never the better one; no other number is so."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from records_world import PROJECT, commit, draft

from seedbed.contracts import Severity, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate import gate_record, judge, parse_gate
from seedbed.records import Catalog, PromotionRule, Store, fsck, parse_name, parse_query, run_events, trend
from seedbed.records.journal import EventsLog
from seedbed.records.log import best_of_groups

METRIC = "metrics.test.ap"


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (math.nan, "NaN"),
        (-math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (np.float32("nan"), "NaN"),
        (np.array(-np.inf), "-Infinity"),
        (torch.tensor(math.inf), "Infinity"),
        (torch.tensor(math.nan, dtype=torch.bfloat16), "NaN"),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
    ],
)
def test_every_kind_of_it_is_recorded_by_its_name(value, name):
    found = draft("r1", metrics={"a": value, "b": {"c": [0.5, value]}}, timing={"seconds": value})
    assert found.metrics == {"a": name, "b": {"c": (0.5, name)}}
    assert found.timing == {"seconds": name}


def test_a_diverged_run_is_committed_and_sound(store):
    commit(store, "r1", ap=math.nan)
    [found] = store.log(PROJECT).commits()
    assert found.snapshot.metrics["test"] == {"ap": "NaN", "events": 9000}
    assert fsck(store) == []


def test_it_is_no_replicate_of_a_number_and_a_metric_that_became_it_is_major(store):
    commit(store, "r1", ap=0.9)
    lost = commit(store, "r2", ap=math.nan).snapshot.diff_prev
    assert (lost.comparable, lost.severity) == (True, Severity.MAJOR)
    assert lost.severity_reason == "the metric /test/ap is NaN"
    assert list(lost.metric_deltas) == ["/test/events"]
    assert lost.summary.startswith("comparable: every recorded input is the same and the results are not")
    again = commit(store, "r3", ap=math.nan).snapshot.diff_prev
    assert (again.severity, again.num_changes) == (Severity.NONE, 0), "NaN twice is no difference"


def test_no_rule_ever_promotes_it(store):
    finished = [commit(store, f"r{place}", ap=ap, seed=place) for place, ap in enumerate([math.inf, 0.5, math.nan])]
    [best] = best_of_groups(finished, PromotionRule(metric=METRIC, better="higher"))
    assert best.snapshot.run_id == "r1"


@pytest.mark.parametrize("check", ["> 0.5", "< 0.5", "!= 0.5"])
def test_no_gate_passes_on_it(check, store):
    metrics = {
        "loss": math.nan,
        "many": [0.5] * 9 + [math.inf],
        "test": {"value": math.nan, "low": 0.1, "high": 0.9, "n": 9, "confidence": 0.95},
    }
    record = gate_record(commit(store, "r1", metrics=metrics, documents={}).snapshot)
    for asked in ("metrics.loss", "mean(metrics.many)", "metrics.test"):
        report = judge(parse_gate({"checks": [f"{asked} {check}"]}), record)
        assert report.verdict is Verdict.FAIL, asked
        assert "is not a finite number, which keeps no threshold" in report.checks[0].reason


def test_a_trend_names_the_runs_that_it_cannot_show(store):
    for place, ap in enumerate([0.1, math.nan, 0.3, math.inf, 0.5]):
        newest = commit(store, f"r{place}", ap=ap, seed=place)
    found = trend(store.log(PROJECT), newest, METRIC)
    assert [point.value for point in found.points] == [0.1, 0.3, 0.5]
    assert found.words == "3 of 5 commits that a trend needs; 2 more NaN or infinite, left out: r1, r3"


def test_it_is_found_by_a_query_and_sorted_last(store):
    for place, ap in enumerate([0.1, math.nan, 0.3]):
        commit(store, f"r{place}", ap=ap, seed=place)
    with Catalog.open(store) as catalog:
        assert [hit.seq for hit in catalog.search(parse_query("metrics.ap = NaN"))] == [2]
        assert [hit.seq for hit in catalog.search(parse_query("metrics.ap < 1"))] == [3, 1]
        assert [hit.seq for hit in catalog.search(sort=parse_name(METRIC))] == [3, 1, 2]


WIDE = [value for value in (np.longdouble("1e400"), -np.longdouble("1e4000")) if np.isfinite(value)]
LARGE = [Decimal("1e400"), Decimal("-1e400"), *WIDE]


@pytest.mark.parametrize("value", LARGE, ids=str)
def test_a_number_that_no_float_holds_is_not_taken_for_infinity(store: Store, value: Any) -> None:
    run = store.start(PROJECT, "r1")
    with pytest.raises(InvalidInput, match="expected a number; nothing was logged"):
        run.log(1, {"loss": value})
    with pytest.raises(InvalidInput, match="cannot write canonical JSON at"):
        draft("r1", metrics={"loss": value})


@pytest.mark.parametrize("value", [np.ma.masked, np.ma.array(1.0, mask=True)], ids=["masked", "array"])
def test_a_value_that_is_masked_is_no_number_of_its_own(store: Store, value: Any) -> None:
    run = store.start(PROJECT, "r1")
    whole: Any = np.ma.array(0.5, mask=False)
    run.log(1, {"loss": value, "ap": whole})
    run.finish(draft("r1", metrics={"loss": value}))
    view = store.find("r1")
    assert view.commit
    assert view.commit.snapshot.metrics == {"loss": "NaN"}
    (event,) = run_events(store, view)
    assert str(event.values["loss"]) == "nan"
    assert event.values["ap"] == 0.5


class Broken:
    def __index__(self) -> int:
        raise RuntimeError("broken")


@pytest.mark.parametrize(
    "step",
    [torch.tensor(True), torch.tensor([True]), torch.tensor(3, device="meta"), Broken()],
    ids=["a truth value", "a list of one", "without a value", "broken"],
)
def test_what_only_looks_like_a_step_is_refused_at_its_call(tmp_path: Path, step: Any) -> None:
    with EventsLog.open(tmp_path / "events.log") as log, pytest.raises(InvalidInput, match="expected an integer"):
        log.append(step, {"loss": 1.0})
