"""What the page says of the predecessor: how far the two may be compared, and first what moved."""

import xml.etree.ElementTree as ET

import pytest
from report_page import section, text_of
from report_sample import make_snapshot

from seedbed.dashboard import render_report
from seedbed.records import ExcludedFactor, MetricDelta


def with_diff(**changed):
    return make_snapshot(diff_prev=make_snapshot().diff_prev.model_copy(update=changed))


def deltas(**moves):
    return {
        "/" + name.replace("__", "/"): MetricDelta(previous=0.5, current=0.5 + by, absolute=by, percent=200 * by)
        for name, by in moves.items()
    }


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        ("EXACT", "Same inputs"),
        ("REPLICATE", "A replicate"),
        ("ABLATION", "No replicate 20260701-174003-b07c, comparable only as an ablation"),
    ],
)
def test_the_tile_of_the_predecessor_says_how_far_the_two_may_be_compared(policy, answer):
    page = render_report(with_diff(policy=policy), [])
    tile = next(found for found in ET.fromstring(page).iter("div") if text_of(found).startswith("Predecessor"))
    assert f"Predecessor {answer}" in text_of(tile)


def shown(page):
    """The metrics of the tables of the section, as (the names at once, the names that are folded away)."""
    part = section(page, "predecessor")
    folded = [name for each in part.iter("details") for name in names(each)]
    return [name for name in names(part) if name not in folded], folded


def names(part):
    tables = [table for table in part.iter("table") if "Against noise" in text_of(table)]
    return [text_of(row.find("th")) for table in tables for row in table.find("tbody")]


def test_what_moved_stands_first_and_what_did_not_is_only_counted():
    found = deltas(test__random__ap__value=0.0, test__random__mrr__value=0.25, timing__late=0.125, train__steps=0.0)
    page = render_report(with_diff(metric_deltas=found), [])
    assert shown(page) == (["test.random.mrr"], ["timing.late"])
    assert "2 of 4 recorded numbers are the same" in text_of(section(page, "predecessor"))


def test_the_only_number_that_moved_is_not_folded_away():
    still = dict.fromkeys(("test__random__ap", "test__random__auc", "test__historical__ap"), 0.0)
    assert shown(render_report(with_diff(metric_deltas=deltas(**still, novelty__unmet=0.125)), [])) == (
        ["novelty.unmet"],
        [],
    )


def test_a_difference_that_is_no_number_moved_too():
    found = {"/test/random/ap": MetricDelta(previous=-1.7e308, current=1.7e308, absolute=None, percent=None)}
    assert shown(render_report(with_diff(metric_deltas=found), [])) == (["test.random.ap"], [])


def test_null_a_text_that_reads_like_it_and_an_absent_value_are_shown_apart():
    factors = [
        ExcludedFactor(name="/config/a", previous=None, current="null"),
        ExcludedFactor(name="/config/b", previous="b" * 90, current=None),
    ]
    removed = [{"op": "remove", "path": "/config/b"}]
    page = render_report(with_diff(excluded_factors=factors, patch=removed), [])
    rows = [text_of(row) for row in section(page, "predecessor").iter("tr")]
    assert '/config/a null "null"' in rows
    assert f'/config/b "{"b" * 90}" absent' in rows
