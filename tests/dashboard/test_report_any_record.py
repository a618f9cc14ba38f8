"""Whatever a record holds is on its page: every metric by its name, every series, epochs, the course of the run."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_page import section, text_of
from report_sample import NUM_STEPS, audit_run, change, change_summary, make_events, make_snapshot

from seedbed.dashboard import render_report
from seedbed.records import Event


def rows(page: str) -> dict[str, str]:
    table = next(found for found in section(page, "results").iter("table") if found.get("class") == "metrics")
    return {
        text_of(next(row.iter("th"))): text_of(next(row.iter("td")))
        for row in table.iter("tr")
        if row.find("td") is not None
    }


def test_every_metric_of_a_foreign_record_is_on_the_page_once_with_its_value(foreign_metrics):
    page = render_report(make_snapshot(metrics=foreign_metrics, config={}, documents={}), [])
    assert rows(page) == {
        "curve": "50 values, first 0.0000, last 2401.0000, least 0.0000, most 2401.0000",
        "empty": "{}",
        "kept": "true",
        "note": "early",
        "nothing": "null",
        "perplexity": "17.2500",
        "test.accuracy": "0.6125 [0.5625, 0.6875] 90%, n = 311",
        "test.by_class.cat": "0.3125",
        "test.by_class.dog": "0.4375",
        "test.confusion.0": "5, 2",
        "test.confusion.1": "1, 7",
        "train.loss": "2.5000, 1.2500, 0.6250",
    }
    assert "negatives" not in text_of(section(page, "results"))
    assert not [cell for cell in section(page, "results").iter("td") if not text_of(cell)]


NAMES = st.from_regex(r"[a-z][a-z0-9_@]{0,11}", fullmatch=True)
LEAVES = st.floats(0.001, 9.0).map(lambda value: round(value, 4)) | st.integers(0, 999)
METRICS = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3)), max_size=4
)


def leaves(value, path=()):
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in leaves(item, (*path, name))]
    return [(".".join(path), value)]


@given(METRICS)
def test_no_metric_of_any_record_is_hidden(metrics):
    text = text_of(section(render_report(make_snapshot(metrics=metrics, documents={}), []), "results"))
    for name, value in leaves(metrics):
        assert f"{name} {value if isinstance(value, int) else f'{value:.4f}'}" in text


def test_any_baselines_are_compared_and_the_strongest_of_each_metric_is_marked():
    baselines = {
        "pair_recency": {"new": {"ap": 0.75, "rmse": 0.5}},
        "boosting": {"new": {"ap": 0.5, "rmse": 0.25}},
        "popularity": {"new": {"ap": 0.25}},
    }
    metrics = {"test": {"new": {"ap": 0.625, "rmse": 0.125}}, "baselines": baselines}
    page = render_report(make_snapshot(metrics=metrics, documents={}, target="digit"), [])
    table = next(found for found in section(page, "results").iter("table") if found.get("class") == "scores")
    cells = [[text_of(cell) for cell in row] for row in table.iter("tr")]
    assert cells[0][1:] == ["AP", "rmse"]
    assert {row[0]: row[1:] for row in cells[1:]} == {
        "this run (tgat)": ["0.6250", "0.1250"],
        "pair recency": ["0.7500 *", "0.5000"],
        "boosting": ["0.5000", "0.2500 *"],
        "popularity": ["0.2500", "none"],
    }
    text = text_of(section(page, "results"))
    assert "AP: not decided: no interval; the strongest baseline is pair recency (0.7500)." in text
    assert "rmse: not decided: no interval; the strongest baseline is boosting (0.2500)." in text
    assert "worse" not in text
    assert "Baselines Not shown no interval in 2 of 2 metrics" in text_of(ET.fromstring(page))


def test_scores_without_a_baseline_are_no_table_of_empty_cells():
    page = render_report(make_snapshot(metrics={"test": {"random": {"ap": 0.5}}}), [])
    assert rows(page) == {"test.random.ap": "0.5000"}


def figures(page: str) -> list[ET.Element]:
    return [found for found in section(page, "training").iter("svg") if found.get("class") == "figure"]


def titles(figure: ET.Element) -> list[str]:
    return [text_of(found).split()[0] for found in figure.iter("text") if found.get("class") == "title"]


def test_every_step_series_has_a_plot_of_its_own():
    names = [f"series_{place:02}" for place in range(15)]
    events = [Event(step, 1, dict.fromkeys(names, step * 0.5)) for step in range(1, 4)]
    page = render_report(make_snapshot(metrics={"validation": {"step": [1, 3], "f1": [0.25, 0.5]}}), events)
    drawn = [title for figure in figures(page) for title in titles(figure)]
    assert sorted(drawn) == sorted([*names, "validation.f1"] * 2)  # the wide drawing and the narrow one
    assert "validation_f1" not in drawn


def test_a_series_that_the_record_holds_too_is_drawn_once_and_another_one_is_not_lost():
    events = [Event(1, 1, {"validation_f1": 0.25}), Event(3, 1, {"validation_f1": 0.5})]
    recorded = {"validation": {"step": [1, 3], "f1": [0.25, 0.5]}}
    page = render_report(make_snapshot(metrics=recorded), events)
    assert titles(figures(page)[0]) == ["validation.f1"]
    page = render_report(make_snapshot(metrics=recorded), [*events, Event(4, 1, {"validation_f1": 0.75})])
    assert sorted(titles(figures(page)[0])) == ["validation.f1", "validation_f1"]


@pytest.mark.parametrize("steps", [[1, "NaN", 3], [1, "Infinity"], [1, 2, "-Infinity"]])
@pytest.mark.parametrize("num_values", [2, 3])
def test_values_are_never_paired_with_steps_that_are_no_numbers(steps, num_values):
    recorded = {"validation": {"step": steps, "f1": [0.25, 0.5, 0.75][:num_values]}}
    assert figures(render_report(make_snapshot(metrics=recorded), [])) == []


def ticks(figure: ET.Element) -> dict[str, float]:
    found = [
        tick for tick in figure.iter("text") if tick.get("class") == "tick" and tick.get("text-anchor") == "middle"
    ]
    return {text_of(tick): float(tick.attrib["x"]) for tick in found}


def epoch_lines(figure: ET.Element) -> set[float]:
    """The steps at which one epoch ends and the next begins, read from the drawing by its own axis."""
    at = ticks(figure)
    zero, later = at["0"], at["200"]
    lines = [line for line in figure.iter("line") if line.get("class") == "epoch"]
    return {round((float(line.attrib["x1"]) - zero) / (later - zero) * 200, 0) for line in lines}


def test_epochs_are_bands_apart_from_changes_and_a_change_between_two_is_not_blamed_alone():
    half = NUM_STEPS // 2  # 42,000 events in batches of 200 are 210 steps
    summary = change_summary(change(1, half), change(2, 300))
    page = render_report(make_snapshot(documents={"changes": summary}), make_events())
    for figure in figures(page):
        assert epoch_lines(figure) <= {half, half + 1.0}
        assert epoch_lines(figure)
        labels = [text_of(tick) for tick in figure.iter("text") if text_of(tick).startswith("epoch ")]
        assert labels == ["epoch 1", "epoch 2"]
        shaded = [rect for rect in figure.iter("rect") if rect.get("class") == "band"]
        assert len(shaded) == len(titles(figure))
        assert all(float(rect.attrib["x"]) > ticks(figure)["200"] for rect in shaded)
    text = text_of(section(page, "training"))
    assert "2 epochs, the first one ends at step 210" in text
    assert "Change 1: made where an epoch ends." in text


@pytest.mark.parametrize(
    ("changed", "logged", "ends"),
    [
        ({"config": {}}, {}, set()),
        ({"config": {"training": {"batch_size": 7, "epochs": 2}}}, {}, set()),  # not the length of this run
        ({"config": {}, "inputs": {"loader": {"steps_per_epoch": 140}}}, {}, {140.0, 280.0}),
        ({"config": {}}, {"epoch": lambda step: (step - 1) // 105}, {105.0, 210.0, 315.0}),
        ({"config": {}}, {"epoch": lambda step: (step - 1) / 210}, {210.0}),
    ],
    ids=["nothing said", "other batches", "stated", "logged", "logged as a fraction"],
)
def test_an_epoch_is_as_long_as_the_record_says_or_not_marked(changed, logged, ends):
    events = [
        Event(each.step, 1, {**each.values, **{name: value(each.step) for name, value in logged.items()}})
        for each in make_events()
    ]
    page = render_report(make_snapshot(**changed), events)
    found = epoch_lines(figures(page)[0])
    assert {min(ends, key=lambda end: abs(end - place), default=-9.0) for place in found} == ends
    assert all(min(abs(end - place) for end in ends) <= 1.0 for place in found)


def test_blocked_changes_say_in_the_picture_what_was_asked_for():
    summary = change_summary(change(2, 200, "BLOCKED", guard="cooldown", after=0.0005))
    page = render_report(make_snapshot(documents={"changes": summary}), make_events())
    marker = next(group for group in figures(page)[0].iter("g") if (group.get("class") or "").startswith("marker"))
    assert "stays 0.0005, 0.00025 was asked for; blocked" in text_of(marker)


def test_what_happened_is_told_parameter_by_parameter_with_contract_and_resumes():
    course = {
        "changes": {
            "optimizer.lr": [[151, 0.00025], [301, 0.000125, "UNKNOWN"]],
            "decay": [[61, 0.5, "FAILED", 62, 0.1]],
        },
        "derived": {"model.dropout": [[201, 0.25]]},
        "runtime": {"mode": "COMPAT", "degraded": True, "flash": {"requested": True, "used": False}},
        "resumes": 2,
    }
    page = render_report(make_snapshot(course=course), make_events())
    text = text_of(section(page, "course"))
    outside = "changed by a proposal: an input of this run"
    assert f"optimizer.lr from step 151: 0.00025 {outside}" in text
    assert f"optimizer.lr from step 301: 0.000125, perhaps: nobody saw whether it was used {outside}" in text
    assert f"decay step 61: 0.5; from step 62: 0.1, which overwrote it {outside}" in text
    assert "model.dropout from step 201: 0.25 by a rule of its configuration" in text
    assert "COMPAT, degraded: FLASH not seen" in text
    assert "resumed 2 times" in text


@pytest.mark.parametrize(
    "course", [{}, {"changes": 4, "runtime": [], "resumes": "x"}, {"changes": {"a": [[1], "x", {}]}}]
)
def test_a_course_of_another_form_is_no_error(course):
    assert "No parameter was changed" in text_of(section(render_report(make_snapshot(course=course), []), "course"))


def test_no_label_of_a_figure_lies_on_another_one():
    page = render_report(
        make_snapshot(documents={"changes": change_summary(change()), "audit_run": audit_run()}), make_events()
    )
    for figure in figures(page):
        places = [(float(text.attrib["x"]), float(text.attrib["y"])) for text in figure.iter("text")]
        assert len(places) == len(set(places))
        assert all(
            after[1] - before[1] != 0 or abs(after[0] - before[0]) > 20 for before, after in pairwise(sorted(places))
        )
        assert not re.search(r"nan|inf", ET.tostring(figure, encoding="unicode").replace("figure", ""))
