"""One verdict for each metric against the strongest baseline, and how new the test is: on the page and the terminal."""

import io
import xml.etree.ElementTree as ET

import pytest
from report_page import section, text_of
from report_sample import make_snapshot
from rich.console import Console
from rich.text import Text

from seedbed.dashboard import render_report
from seedbed.render.text._run_metrics import metrics_text


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half, "n": 40, "confidence": 0.95}


OWN = interval(0.75, 0.05)


def metrics(margins, scores=OWN, best=0.76, name="auc"):
    return {
        "test": {"random": {name: scores}},
        "baselines": {"never_seen": {"random": {name: best}}, "popularity": {"random": {name: 0.6}}},
        "strongest": {"random": {name: best}},
        "margin": {"random": {name: margins}},
    }


def page(found):
    return render_report(make_snapshot(metrics=found, documents={}), [])


def on_page(found):
    return text_of(section(page(found), "results"))


def on_terminal(found, width=120):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, highlight=False, markup=False)
    console.print(metrics_text(make_snapshot(metrics=found)))
    return stream.getvalue()


def plain(text):
    return " ".join(Text.from_ansi(text).plain.split())


# The model's own interval contains the baseline's value each time, so only the margin can tell the three apart.
@pytest.mark.parametrize(
    ("margin", "verdict", "answer"),
    [
        (interval(-0.01, 0.005), "below", "Below"),
        (interval(-0.01, 0.02), "level with", "Not below"),
        (interval(0.01, 0.005), "above", "Beaten"),
    ],
)
def test_the_margin_decides_wherever_the_record_holds_it(margin, verdict, answer):
    found = metrics(margin)
    by = f"[{margin['low']:+.3f}, {margin['high']:+.3f}]"
    html, text = on_page(found), plain(on_terminal(found))
    assert f"AUC: {verdict} the strongest baseline, never seen (0.7600), margin " in html
    assert f"AUC: {verdict} the strongest baseline (*), never seen 0.760, margin " in text
    assert by in html
    assert by in text
    assert f"Baselines {answer}" in text_of(ET.fromstring(page(found)))
    others = {"below", "level with", "above"} - {verdict}
    assert not any(f"{other} the strongest" in words for other in others for words in (html, text))
    for said in (html, text):  # told once, and no more as a row of its own
        assert "margin.random" not in said
        assert "strongest.random" not in said


def test_a_metric_whose_lower_values_are_better_is_lost_above_0():
    found = metrics(interval(0.01, 0.005), name="rmse", best=0.5)
    assert "rmse, random negatives: worse than the strongest baseline, popularity" not in on_page(found)
    found["baselines"]["popularity"]["random"]["rmse"] = 0.9
    assert "rmse, random negatives: worse than the strongest baseline, never seen" in on_page(found)


@pytest.mark.parametrize("margin", [-0.02, 0.02])
def test_without_an_interval_nothing_is_shown_whatever_the_sign(margin):
    found = metrics(margin, scores=0.76 + margin)
    html, text = on_page(found), on_terminal(found)
    assert "AUC: not decided: no interval; the strongest baseline is never seen (0.7600)." in html
    line = next(line for line in text.splitlines() if "AUC:" in line)
    assert "AUC: not decided: no interval; the strongest baseline (*), never seen 0.760" in line
    assert "\x1b" not in line  # no colour
    whole = text_of(ET.fromstring(page(found)))
    assert "Baselines Not shown no interval in 1 of 1 metrics" in whole
    for word in ("Beaten", "BELOW", "above the strongest", "below the strongest", "below a baseline"):
        assert word not in whole + text


@pytest.mark.parametrize(("name", "told"), [("popularity", "popularity (0.7600)"), ("gone", "never seen (0.7600)")])
def test_of_equal_baselines_the_record_says_which_the_margin_is_over(name, told):
    found = metrics(interval(0.01, 0.005))
    found["baselines"]["popularity"]["random"]["auc"] = 0.76
    found["strongest_name"] = {"random": {"auc": name}}
    page = on_page(found)
    assert f"AUC: above the strongest baseline, {told}" in page
    assert ("strongest_name.random.auc" in page) == (name == "gone")


def test_an_own_interval_decides_where_there_is_no_margin():
    found = metrics(0.0, scores=interval(0.9, 0.01))
    del found["margin"]
    assert "AUC: above the strongest baseline, never seen (0.7600)." in on_page(found)


def scores(value):
    return {"ap": value, "auc": value, "mrr": value}


NOVELTY = {
    "novelty": {
        "new_sources": 0.125,
        "new_destinations": 0.25,
        "new_pairs": 0.5,
        "sources_without_past": 0.0625,
        "seen_events": 1200,
        "new_events": 0,
        "negatives": {
            "random": {"true": 0.0, "all_true": 0.0, "unmet": 0.375},
            "historical": {"true": 0.03125, "all_true": 0.0, "unmet": 0.0},
        },
    },
    "by_novelty": {
        "seen": {
            "model": {"random": scores(0.8125), "historical": scores(0.7)},
            "strongest": {"random": scores(0.9), "historical": scores(0.6)},
        },
        "new": {
            "model": {"random": scores(None), "historical": scores(None)},
            "strongest": {"random": scores(None), "historical": scores(None)},
        },
    },
}


@pytest.mark.parametrize("shown", [on_page, lambda found: plain(on_terminal(found))])
def test_how_new_the_test_is_stands_once_in_words_and_no_row_repeats_it(shown):
    text = shown(NOVELTY)
    assert text.lower().count("how new the test is") == 1
    assert "in no event before this one" in text
    assert "events with a new source 12.5 %, with a new destination 25.0 %, of a new pair 50.0 %" in text
    assert "37.5 % of the random negatives are destinations that nothing had met before" in text
    assert "6.2 % of the events are of a source without a past: their historical negatives are random ones" in text
    assert "3.1 % of the historical negatives are the true destination itself" in text
    assert "oth ends seen before (1,200) random 0.812 / 0.900" in text
    assert "new end (0) historical none / none" in text
    assert "novelty." not in text


def test_what_is_not_as_a_training_records_it_stays_a_row():
    found = {"novelty": {"new_pairs": 0.5}, "by_novelty": {"seen": 3.0}}
    assert "novelty.new_pairs" in on_page(found)
    assert "by_novelty.seen" in on_page(found)
