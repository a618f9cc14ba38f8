"""Fragments of HTML and SVG hold what the values hold, escape it, and keep their style to themselves."""

import re
from xml.etree import ElementTree

import pytest
from render_sample import HOSTILE, PRINTS, audit, change, commit, feature, interval, judged, summary_of

from seedbed.contracts import Outcome, Verdict
from seedbed.records import Diff, Event, Store
from seedbed.records.snapshot._snapshot import NO_PREDECESSOR
from seedbed.render import (
    RunFacts,
    changes_html,
    commit_html,
    diff_html,
    run_html,
    steps_svg,
    stored_facts,
    verdict_html,
)
from seedbed.render.facts._history import logged_points
from seedbed.render.html._style import fragment_style, scoped

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = HOSTILE.replace("\x1b", "\N{REPLACEMENT CHARACTER}")
CHANGES = [change(1, 40, Outcome.EFFECTIVE), change(2, 120, Outcome.BLOCKED, 0.001), change(3, 200, Outcome.FAILED)]
LINE = [(step, 1.0 - step / 400) for step in range(0, 401, 20)]


def parsed(fragment: str) -> ElementTree.Element:
    return ElementTree.fromstring(fragment)


def words(fragment: str) -> str:
    """All text that a reader sees, with single spaces."""
    root = parsed(fragment)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("style"):
                parent.remove(child)
    return " ".join(" ".join(root.itertext()).split()).replace(" ,", ",")


def test_a_commit_is_shown_with_its_results_predecessor_changes_and_kernels(tmp_path):
    commit(tmp_path, "a", {"accuracy": interval(0.9)}, summary_of(), audit())
    lost = audit(feature(used=False, reason="masked"))
    now = commit(tmp_path, "b", {"accuracy": interval(0.92)}, summary_of(*CHANGES), lost)
    seen = words(commit_html(now))
    assert seen.startswith("b commit 2 of digits")
    assert "Result Value Interval Difference from the predecessor" in seen
    assert "accuracy 0.9200 0.9100 to 0.9300 +0.0200 not enough replicates: 1 of 4" in seen
    assert "Compared with a, commit 1: " in seen
    assert "Changes 3 requested: 1 effective, 1 blocked, 1 failed" in seen
    assert "What ran COMPAT, 6 of 300 iterations and evaluations seen SDPA used" in seen
    assert "FLASH not seen masked" in seen
    assert "AMP" not in seen


def test_what_no_step_could_show_is_unknown_and_not_lost(tmp_path):
    now = commit(tmp_path, "a", {}, summary_of(), audit(feature(used=None, reason="no attention ran")))
    assert "FLASH unknown no attention ran" in words(commit_html(now))


def test_a_diff_names_every_key_that_differs_and_no_end_of_an_interval(tmp_path):
    commit(tmp_path, "a", {"accuracy": interval(0.9), "loss": 0.5})
    found = commit(tmp_path, "b", {"accuracy": interval(0.92), "loss": 0.5}, seed=1).snapshot.diff_prev
    seen = words(diff_html(found))
    assert all(key in seen for key in found.changed_keys)
    assert "/accuracy/value 0.9000 0.9200 +0.0200" in seen
    assert "/accuracy/low 0.8900" not in seen
    assert "/factors/seed 0 1" in seen
    assert f"{found.num_changes} keys differ" in seen


def test_a_diff_without_a_predecessor_says_so():
    assert words(diff_html(NO_PREDECESSOR)) == f"Compared with {NO_PREDECESSOR.summary}"


def test_every_change_is_shown_with_its_whole_story():
    seen = words(changes_html(summary_of(*CHANGES)))
    for each in CHANGES:
        assert all(sentence in seen for sentence in each.story)
        assert each.outcome.value.lower().replace("_", " ") in seen
    assert words(changes_html(summary_of())) == "Changes no change was proposed"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_shown_with_each_check_and_why(verdict):
    report = judged(verdict, reason="because")
    seen = words(verdict_html(report))
    assert seen.startswith(f"Gate {verdict.value.lower().replace('_', ' ')} exit code {report.exit_code}")
    assert "metrics.accuracy >= 0.85 @ 95%" in seen
    assert seen.endswith("because")


def test_a_run_that_goes_on_shows_its_newest_values_and_its_changes():
    facts = RunFacts("a", ("digits", "running"), {"loss": 0.25, "lr": 0.001}, {"loss": LINE}, summary_of(*CHANGES))
    seen = words(run_html(facts))
    assert seen.startswith("a digits, running loss 0.2500, lr 0.0010")
    assert "optimizer step" in seen
    assert "Changes 3 requested" in seen


def test_a_run_that_has_ended_shows_its_commit_and_its_verdict(tmp_path):
    now = commit(tmp_path, "a", {"accuracy": 0.9}, summary_of(*CHANGES), audit())
    facts = RunFacts("a", ("finished",), {"loss": 0.25}, {"loss": LINE}, summary_of(), now, judged(Verdict.FAIL))
    seen = words(run_html(facts))
    assert seen.startswith("a fail finished, commit 1 of digits")
    assert "Result Value accuracy 0.9000" in seen
    assert "Changes 3 requested" in seen
    assert "Gate fail exit code 1" in seen
    assert "loss 0.2500" not in seen


def hostile_fragments(tmp_path):
    changes = summary_of(change(1, 1, Outcome.EFFECTIVE, name=HOSTILE))
    now = commit(tmp_path, "a", {HOSTILE: 0.5}, changes, audit(feature(used=False, reason=HOSTILE), (HOSTILE,)))
    diff = Diff(summary=HOSTILE, prev_run_id=HOSTILE, changed_keys=(HOSTILE,), reasons=(HOSTILE,), num_changes=1)
    facts = RunFacts(HOSTILE, (HOSTILE,), {HOSTILE: 1.0}, {HOSTILE: LINE}, changes)
    report = judged(metric=HOSTILE, reason=HOSTILE)
    return {
        "run": run_html(facts),
        "commit": commit_html(now),
        "diff": diff_html(diff),
        "changes": changes_html(changes),
        "verdict": verdict_html(report),
        "steps": steps_svg({HOSTILE[:30]: LINE}, changes.changes),
    }


def test_hostile_names_stay_text_and_add_no_element(tmp_path):
    allowed = {"div", "style", "p", "code", "span", "ul", "ol", "li", "details", "summary"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td"}
    allowed |= {"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "title"}
    for name, fragment in hostile_fragments(tmp_path).items():
        root = parsed(fragment)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= allowed, name
        assert sum(element.tag.removeprefix(SVG) == "style" for element in root.iter()) == 1
        assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]
        assert (SHOWN[:30] if name == "steps" else SHOWN) in "".join(root.itertext()), name
        assert "\x1b" not in fragment


def test_a_fragment_needs_nothing_from_outside(tmp_path):
    for fragment in hostile_fragments(tmp_path).values():
        assert not re.search(r"url\(|@import|src=|https?://(?!www\.w3\.org/2000/svg)", fragment)


def test_no_rule_reaches_the_page_around_a_fragment():
    style = re.sub(r"/\*.*?\*/", "", str(fragment_style()), flags=re.DOTALL)
    style = re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", style, flags=re.DOTALL)
    selectors = [each.strip() for rule in re.findall(r"([^{}]+)\{", style) for each in rule.split(",")]
    assert len(selectors) > 40
    assert [each for each in selectors if ".seedbed" not in each] == []


def test_each_selector_of_a_rule_is_scoped():
    assert scoped(".a, b > c { x: y; } d { z: 1; }", ".top") == ".top .a, .top b > c { x: y; }\n.top d { z: 1; }"


def test_the_palette_has_light_and_dark_and_follows_the_theme_of_a_notebook():
    style = str(fragment_style())
    light, dark = (style.count(f"color-scheme: {name};") for name in ("light", "dark"))
    assert (light, dark) == (2, 2)
    for theme in ('[data-jp-theme-light="false"]', ".vscode-dark", '[data-theme="dark"]'):
        assert theme in style


def test_a_change_stands_at_its_step_on_the_curve():
    root = parsed(steps_svg({"loss": LINE}, CHANGES))
    dots = [float(dot.attrib["cx"]) for dot in root.iter(f"{SVG}circle")]
    assert len(dots) == len(LINE)
    pixels_per_step = (dots[-1] - dots[0]) / 400
    for marker, each in zip((g for g in root.iter(f"{SVG}g") if "data-step" in g.attrib), CHANGES, strict=True):
        (line,) = marker.findall(f"{SVG}line")
        assert float(line.attrib["x1"]) == pytest.approx(dots[0] + each.step * pixels_per_step, abs=0.1)
        assert ("unreached" in marker.attrib["class"]) is (each.outcome is not Outcome.EFFECTIVE)


def test_a_straight_series_is_drawn_straight():
    root = parsed(steps_svg({"accuracy": LINE}))
    places = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{SVG}circle")]
    (x0, y0), (x1, y1) = places[0], places[-1]
    for x, y in places:
        assert y == pytest.approx(y0 + (y1 - y0) * (x - x0) / (x1 - x0), abs=0.2)


def test_points_in_any_order_are_drawn_by_step_and_of_two_the_later_counts():
    mixed = [*reversed(LINE), (0, 5.0), (0, 1.0)]
    assert steps_svg({"loss": mixed}) == steps_svg({"loss": LINE})


def test_values_that_are_not_finite_are_left_out():
    broken = [*LINE, (401, float("nan")), (402, float("inf"))]
    root = parsed(steps_svg({"loss": broken}))
    assert len(list(root.iter(f"{SVG}circle"))) == len(LINE)


def test_many_series_are_drawn_below_one_another():
    root = parsed(steps_svg({f"loss_{number:02}": LINE for number in range(14)}))
    parts = [(float(each.attrib["y"]), float(each.attrib["height"])) for each in root.findall(f"{SVG}svg")]
    assert len(parts) == 3
    assert [top for top, _ in parts[1:]] == [top + height for top, height in parts[:-1]]
    assert float(root.attrib["height"]) == sum(parts[-1])


def test_nothing_to_draw_is_an_empty_drawing():
    assert list(parsed(steps_svg({})).iter(f"{SVG}circle")) == []


def test_a_run_is_shown_from_its_store_while_it_goes_on_and_when_it_was_committed(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    run = store.start("digits", "a")
    for step in range(1, 4):
        run.log(step, {"loss": 1 / step})
    seen = words(run_html(stored_facts(store, store.find("a"))))
    assert seen.startswith("a digits, running, step 3 loss 0.3333")
    assert "Changes no change was proposed" in seen
    run.finish(run.draft(metrics={"loss": 0.25}, fingerprints=PRINTS))
    facts = stored_facts(store, store.find("a"))
    assert facts.steps == {"loss": ((1, 1.0), (2, 0.5), (3, 1 / 3))}
    assert words(run_html(facts)).startswith("a digits, finished, step 3, commit 1 of digits")


def test_where_attempts_overlap_the_last_one_is_drawn():
    events = [Event(1, 1, {"loss": 1.0}), Event(2, 1, {"loss": 0.9, "lr": 0.1}), Event(2, 2, {"loss": 0.8})]
    assert logged_points(events) == {"loss": ((1, 1.0), (2, 0.8)), "lr": ((2, 0.1),)}
