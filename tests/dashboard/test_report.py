"""The report is whole, inert, true to the record and honest about what the record lacks."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from report_page import section, text_of
from report_sample import CUT_AT, KERNEL, audit_run, change, change_summary, make_events, make_gate, make_snapshot

from seedbed.contracts import Stage, Verdict
from seedbed.dashboard import render_report
from seedbed.records import Event

HOSTILE = "<script>alert(1)</script>\"'><img src=\"https://evil.example/x\" onerror='alert(2)'/>&\x00\x1b{{ 7*7 }}"
REACHES_OUT = re.compile(r"https?:|\bsrc\s*=|\bhref\s*=|url\(|@import|<(script|link|iframe|object|embed|img)\b")
VOID = {"meta", "br"}


@pytest.fixture
def snapshot():
    return make_snapshot()


@pytest.fixture
def events():
    return make_events()


@pytest.fixture
def gate():
    return make_gate()


def parsed(page: str) -> ET.Element:
    return ET.fromstring(page)


def section_text(page: str, name: str) -> str:
    return text_of(section(page, name))


def attribute(element: ET.Element, name: str) -> str:
    value = element.get(name)
    assert value is not None, f"{element.tag} has no {name}"
    return value


def child(element: ET.Element, tag: str) -> ET.Element:
    found = element.find(tag)
    assert found is not None, f"{element.tag} holds no {tag}"
    return found


def number_of(element: ET.Element, name: str) -> float:
    return float(attribute(element, name))


def skeleton(page: str) -> set[tuple[str, tuple[str, ...]]]:
    return {(element.tag, tuple(sorted(element.attrib))) for element in parsed(page).iter()}


class Nesting(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_the_page_is_well_formed_as_html_and_as_xml(snapshot, events, gate):
    page = render_report(snapshot, events, gate)
    assert page.startswith("<!DOCTYPE html>")
    assert parsed(page).tag == "html"
    nesting = Nesting()
    nesting.feed(page)
    assert (nesting.open, nesting.wrong) == ([], [])


@pytest.mark.parametrize(
    "leak", ['<a href="x">', '<img src="x"/>', "http://x", "https://x", "url(x)", "<script>", "@import"]
)
def test_the_page_reaches_for_nothing_outside_itself(snapshot, events, gate, leak):
    page = render_report(snapshot, events, gate)
    assert not REACHES_OUT.search(page)
    assert REACHES_OUT.search(page.replace("<body>", f"<body>{leak}"))
    assert "default-src 'none'" in page


def test_hostile_text_stays_text_everywhere(snapshot, events):
    plain = render_report(snapshot, events, make_gate())
    page = render_report(hostile_snapshot(), events, hostile_gate())
    assert skeleton(page) <= skeleton(plain) | {("ul", ("class",)), ("div", ("class",)), ("dd", ())}
    assert not {"script", "img"} & {element.tag for element in parsed(page).iter()}
    assert "<script>alert(1)</script>" in text_of(parsed(page))
    assert "{{ 7*7 }}" in text_of(parsed(page))
    assert "\x00" not in page


def test_a_name_cannot_smuggle_a_command_into_the_shell(events):
    page = render_report(make_snapshot(run_id="a; rm -rf b"), events)
    assert "seedbed runs show 'a; rm -rf b'" in section_text(page, "next")


def hostile_snapshot():
    audit, summary = audit_run(), change_summary(change())
    audit |= {"reasons": [HOSTILE], "incidents": [HOSTILE], "device_name": HOSTILE, "degraded": True}
    audit["flash"] |= {"reason": HOSTILE, "kernels": {HOSTILE: 3}}
    summary["changes"][0] |= {"reason": HOSTILE, "proposer": HOSTILE, "parameter": HOSTILE, "story": [HOSTILE]}
    good = make_snapshot()
    return make_snapshot(
        run_id=HOSTILE,
        project=HOSTILE,
        metadata={**good.metadata, "model_family": HOSTILE, "cohort_id": HOSTILE},
        documents={"audit_run": audit, "changes": summary},
        config={HOSTILE: HOSTILE},
        timing={HOSTILE: 1.5},
        factors={HOSTILE: [HOSTILE]},
        diff_prev={
            "summary": HOSTILE,
            "prev_run_id": HOSTILE,
            "comparable": False,
            "reasons": [HOSTILE],
            "excluded_factors": [{"name": HOSTILE, "previous": HOSTILE, "current": None}],
            "changed_keys": [f"/config/{HOSTILE}"],
            "patch": [{"op": "replace", "path": f"/config/{HOSTILE}", "value": HOSTILE}],
            "metric_deltas": {
                f"/{HOSTILE}": {"previous": 1, "current": 2, "absolute": 1, "percent": 100, "noise": HOSTILE}
            },
        },
    )


def hostile_gate():
    gate = make_gate()
    check = gate.checks[0].model_copy(
        update={"metric": HOSTILE, "expected": HOSTILE, "found": HOSTILE, "reason": HOSTILE}
    )
    return gate.model_copy(update={"gate": HOSTILE, "checks": (check, *gate.checks[1:])})


def test_the_same_record_gives_the_same_bytes_in_any_order_of_its_keys(snapshot, events, gate):
    again = {name: reversed_keys(getattr(snapshot, name)) for name in ("metrics", "config", "factors", "timing")}
    page = render_report(snapshot, events, gate)
    assert page == render_report(make_snapshot(**again), events, gate)
    assert page != render_report(make_snapshot(snapshot_seq=8), events, gate)


def reversed_keys(value):
    return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def test_every_score_shown_is_one_of_the_record(snapshot, events):
    page = render_report(snapshot, events)
    shown = re.findall(r"\b\d\.\d{4}\b", " ".join(text_of(table) for table in score_tables(page)))
    known = {f"{number:.4f}" for number in numbers(snapshot.metrics)}
    assert len(shown) == 2 * (3 * 3 + 2 * 3)
    assert set(shown) <= known
    moved = make_snapshot(metrics={**snapshot.metrics, "test": {"random": {"ap": 0.1234}}})
    assert "0.1234" not in known
    assert "0.1234" in section_text(render_report(moved, events), "results")


def score_tables(page: str) -> list[ET.Element]:
    return [table for table in parsed(page).iter("table") if table.get("class") == "scores"]


def numbers(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    return [value] if isinstance(value, float) else []


def test_the_model_is_above_or_below_only_with_its_whole_interval(snapshot, events):
    text = section_text(render_report(snapshot, events), "results")
    against_random, against_historical = text.split("Test, historical negatives")
    assert "AP: above the strongest baseline, pair counter (0.9093)." in against_random
    assert "AUC: above the strongest baseline, pair counter (0.9281)." in against_random
    assert "MRR: level with the strongest baseline, pair counter (0.6795)." in against_random
    assert "AP: below the strongest baseline, pair counter (0.7602)." in against_historical
    assert "AUC: level with the strongest baseline, pair counter (0.7698)." in against_historical
    assert "MRR: below the strongest baseline, pair counter (0.4391)." in against_historical
    assert "95%, n = 9,000" in text


def test_a_model_below_a_baseline_is_told_so_before_anything_else(snapshot, events):
    page = render_report(snapshot, events)
    told = [text_of(found) for found in parsed(page).iter("div") if found.get("class") == "warning"]
    assert told == [
        "The model is below a baseline. AP, historical negatives: worse than the strongest baseline, pair counter, "
        "with 0.7602. MRR, historical negatives: worse than the strongest baseline, pair counter, with 0.4391."
    ]
    assert "Baselines Partly below in 2 of 6 metrics the strongest baseline is better" in text_of(parsed(page))


def test_every_change_is_marked_at_its_step_through_all_three_plots(snapshot, events):
    steps = {1: CUT_AT, 2: CUT_AT + 2, 3: 400}
    summary = change_summary(*(change(number, step) for number, step in steps.items()))
    page = render_report(make_snapshot(documents={"changes": summary}), events)
    for figure in training_figures(page):
        at = dict(ticks_below(figure))
        zero, four_hundred = at["0"], at["400"]
        grid = [number_of(line, "y1") for line in figure.iter("line") if line.get("class") == "base"]
        markers = [group for group in figure.iter("g") if group.get("class") == "marker"]
        assert [(int(text_of(child(group, "text"))), number_of(group, "data-step")) for group in markers] == [
            *steps.items()
        ]
        for group in markers:
            line = child(group, "line")
            expected = zero + number_of(group, "data-step") * (four_hundred - zero) / 400
            assert number_of(line, "x1") == number_of(line, "x2") == pytest.approx(expected, abs=0.2)
            assert number_of(line, "y1") < grid[0]
            assert number_of(line, "y2") == grid[-1]


def test_flags_that_would_overlap_are_put_one_below_the_other(snapshot, events):
    summary = change_summary(*(change(number, 100 + number) for number in range(1, 5)))
    page = render_report(make_snapshot(documents={"changes": summary}), events)
    for figure in training_figures(page):
        flags = [
            {name: number_of(flag, name) for name in ("x", "y", "width", "height")}
            for group in figure.iter("g")
            for flag in group.iter("rect")
        ]
        assert len(flags) == 4
        assert not [1 for place, a in enumerate(flags) for b in flags[:place] if overlap(a, b)]


def overlap(a, b):
    return abs(a["x"] - b["x"]) < a["width"] and abs(a["y"] - b["y"]) < a["height"]


def test_a_change_that_took_no_effect_is_not_marked_as_one_that_did(events):
    summary = change_summary(change(1, 100), change(2, 200, "BLOCKED", guard="cooldown", after=0.0005))
    page = render_report(make_snapshot(documents={"changes": summary}), events)
    classes = [group.get("class") for group in training_figures(page)[0].iter("g")]
    assert classes == ["marker", "marker unreached"]
    text = section_text(page, "changes")
    assert "optimizer.lr stays 0.0005, 0.00025 was asked for blocked" in text
    assert "Held back by the guard cooldown." in text
    assert "-> 0.0005" not in text
    assert "1 of 2 effective" in text_of(parsed(page))


def training_figures(page: str) -> list[ET.Element]:
    return [figure for figure in parsed(page).iter("svg") if "optimizer step" in text_of(figure)]


def ticks_below(figure: ET.Element) -> list[tuple[str, float]]:
    return [
        (text_of(tick), number_of(tick, "x")) for tick in figure.iter("text") if tick.get("text-anchor") == "middle"
    ]


def test_the_last_attempt_of_a_step_is_the_one_drawn(snapshot, events):
    lost = [Event(step, 1, {"loss": 9000.0, "learning_rate": 77.0}) for step in range(200, 300)]
    done_again = [Event(event.step, 2, event.values) for event in events if event.step >= 200]
    resumed = [*events[:199], *lost, *done_again]
    assert render_report(snapshot, resumed) == render_report(snapshot, events)
    assert render_report(snapshot, [Event(1, 1, {"loss": 9000.0}), *events]) == render_report(snapshot, events)
    assert render_report(snapshot, [*events[:199], *lost, *events[299:]]) != render_report(snapshot, events)


def test_a_loss_that_is_not_finite_is_named_and_not_drawn(snapshot, events):
    broken = [Event(99, 1, {"loss": float("nan")}), Event(100, 1, {"loss": float("inf")})]
    page = render_report(snapshot, [*events[:98], *broken, *events[100:]])
    assert "Not finite, therefore not drawn: loss at 2 steps, first at 99." in section_text(page, "training")
    assert not re.search(r'[ "ML,](nan|inf)\b', page)


def test_validation_comes_from_the_record_and_else_from_the_events(snapshot, events):
    logged = [*events, Event(60, 1, {"validation_ap": 0.7351})]
    assert "best 0.9219 at step 400" in section_text(render_report(snapshot, logged), "training")
    bare = make_snapshot(metrics={})
    assert "best 0.7351 at step 60" in section_text(render_report(bare, logged), "training")


def test_what_the_record_lacks_is_said_to_be_missing():
    page = render_report(
        make_snapshot(metrics={}, documents={}, diff_prev={"summary": "no predecessor"}, timing={}, config={}), []
    )
    assert "holds no metrics" in section_text(page, "results")
    assert not re.search(r"\d\.\d", section_text(page, "results") + section_text(page, "training"))
    assert "No parameter was changed" in section_text(page, "course")
    assert "no step metrics" in section_text(page, "training")
    assert "holds no document changes" in section_text(page, "changes")
    assert "holds no document audit_run" in section_text(page, "witness")
    assert "No predecessor" in section_text(page, "predecessor")
    assert "without a gate" in section_text(page, "verdict")


LOST = {"requested": True, "used": False}


def test_a_document_of_another_shape_is_reported_and_the_rest_still_shown(events):
    audit = {**audit_run(), "schema_version": 9}
    page = render_report(make_snapshot(documents={"audit_run": audit, "changes": [1, 2]}), events)
    assert "audit_run cannot be read: audit_run.schema_version" in section_text(page, "witness")
    assert "changes cannot be read" in section_text(page, "changes")
    assert "0.9214" in section_text(page, "results")


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"test": 3}, "test 3"),
        ({"test": {"random": [1]}}, "test.random 1"),
        ({"test": {"random": {"ap": {"value": 1}}}}, "test.random.ap.value 1"),
        ({"test": {"random": {"ap": {"value": 1, "low": 0, "high": None}}}}, "test.random.ap.high null"),
    ],
)
def test_metrics_of_another_shape_are_shown_as_they_are_and_never_compared(metrics, shown, events):
    baselines = {"pair_counter": {"random": {"ap": 0.25}}}
    page = render_report(
        make_snapshot(metrics={**metrics, "baselines": baselines, "validation": {"step": [1], "ap": []}, "train": 4}),
        events,
    )
    text = section_text(page, "results")
    assert shown in text
    assert "baselines.pair_counter.random.ap 0.2500" in text
    assert score_tables(page) == []
    assert "strongest" not in text


def test_another_stage_gets_a_plain_page_of_its_metrics(snapshot):
    other = make_snapshot(stage=Stage.FEATURE_SELECTION, metrics={"kept": 12, "scores": {"a": 0.25}}, documents={})
    page = render_report(other, [])
    assert "kept 12 scores.a 0.25" in section_text(page, "results")
    assert 'id="training"' not in page


def test_the_contract_is_kept_only_where_everything_asked_was_observed(events):
    kept, degraded, unproven = audit_run(), audit_run(), audit_run()
    degraded |= {"mode": "COMPAT", "degraded": True, "reasons": ["FLASH: dropout is 0.1"]}
    degraded["flash"] |= {"observed": False, "used": False, "kernels": {"aten::math": 84}}
    unproven["cdc"] |= {"observed": None, "used": False}
    answers: list[str] = []
    for audit in (kept, degraded, unproven):
        page = render_report(make_snapshot(documents={"audit_run": audit}), events)
        answers += re.findall(r"Runtime contract (Kept|Degraded|Not proven)", text_of(parsed(page)))[:1]
    assert answers == ["Kept", "Degraded", "Not proven"]
    text = section_text(render_report(make_snapshot(documents={"audit_run": degraded}), events), "witness")
    assert "FLASH: dropout is 0.1" in text
    assert "aten::math \N{MULTIPLICATION SIGN} 84" in text
    assert f"{KERNEL} \N{MULTIPLICATION SIGN} 84" in text


@pytest.mark.parametrize("verdict", Verdict)
def test_the_gate_speaks_for_itself(verdict, snapshot, events):
    page = render_report(snapshot, events, make_gate(verdict))
    assert f"Gate {verdict.value.capitalize().replace('_', ' ')} demo" in text_of(parsed(page))
    assert "0.9214 (0.9153 to 0.9275)" in section_text(page, "verdict")
    green = [tile for tile in parsed(page).iter("div") if tile.get("class") == "tile good" and "Gate" in text_of(tile)]
    assert bool(green) is (verdict is Verdict.PASS)


def test_the_predecessor_is_shown_with_what_moved_and_what_may_differ(snapshot, events):
    text = section_text(render_report(snapshot, events), "predecessor")
    assert "20260701-174003-b07c , number 6 of the log: comparable: a replicate" in text
    assert "test.random.mrr 0.6900 0.6812 \N{MINUS SIGN}0.0088 \N{MINUS SIGN}1.27 % not enough replicates" in text
    assert "/factors/seed 1 0" in text
    assert "/config/training/epochs 2" in text


@pytest.mark.slow
def test_ten_thousand_steps_stay_a_small_page(snapshot):
    page = render_report(snapshot, make_events(num_steps=10_000, cut_at=5_000))
    assert len(page) < 200_000


@pytest.mark.slow
def test_reporting_never_imports_torch():
    code = "import sys, seedbed.dashboard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_feature_whose_place_another_kernel_took_is_not_one_that_no_step_could_show(events):
    audit = audit_run() | {"mode": "COMPAT", "degraded": True, "reasons": ["SDPA and FLASH: dropout_p is 0.1"]}
    audit["settings"] = {name: {"value": "AUTO", "source": "CODE"} for name in ("sdpa", "flash", "amp", "cdc")}
    for name in ("sdpa", "flash"):
        audit[name] |= {"requested": True, "observed": False, "used": False}
    audit["cdc"] |= {"requested": True, "observed": None, "used": False}
    audit["amp"] |= {"requested": False, "observed": None, "used": False}
    course = {"runtime": {"mode": "COMPAT", "degraded": True, **dict.fromkeys(("sdpa", "flash", "cdc"), LOST)}}
    page = render_report(make_snapshot(documents={"audit_run": audit}, course=course), events)
    text = text_of(parsed(page))
    assert "COMPAT, degraded: SDPA, FLASH not seen; no step that was seen could show CDC" in text
    assert "COMPAT, not observed throughout: SDPA, FLASH; no step that was seen could show CDC; COMPAT goes on" in text
